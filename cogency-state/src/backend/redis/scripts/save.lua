-- Replaces a record, if the lease on it is the newest and the record is the one that is expected,
-- and notes that in its history, if that stands where it is thought to stand.
--
-- done, again (an earlier try did it), lost, stale, gone (the value that was sent ahead), moved (the
-- history) or cut (its newest entry was removed)
--
-- Bytes are counted by the caller: to write a number costs more than to read the bytes.

local call = redis.call

local record, lease, history = KEYS[1], KEYS[2], KEYS[3]
-- The attempt that took the lease, how the expected value begins (empty: there must be none), how
-- the new one begins; the last bytes of these three.
local attempt, expected, own = ARGV[1], ARGV[2], ARGV[3]
local attempt_end, expected_end, own_end = ARGV[4], ARGV[5], ARGV[6]
-- The new value, unless it was sent ahead; how many ms it lives, unless it stays.
local value, releases, lives = ARGV[7], ARGV[8] == '1', ARGV[9]
local is_ahead, expires = value == '', lives ~= ''
-- The entry, unless there is none; how many there are before it; its content, unless that is in it.
local entry, id, before, content = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local is_first, is_apart = before == '0', content ~= ''
local may_have_expired = ARGV[14] == '1'
-- Where there must be no record, or another program's: its length, the session where this is to
-- note it, who does.
local length, session, write_id = ARGV[15], ARGV[16], ARGV[17]
-- Behind the first keys: the contents of the history, the user's index, the value sent ahead.
local has_contents = is_first or is_apart or expires or may_have_expired
local contents = has_contents and KEYS[4]

local function finish(answer)
  if releases then
    call('DEL', lease)
  end
  return answer
end

-- Why none of this number can be added: somebody went on with it, or removed its newest entry.
local function why_not()
  local newest = call('XREVRANGE', history, '+', '-', 'COUNT', '1')[1]
  local about = call('XINFO', 'STREAM', history)
  for n = 1, #about, 2 do
    if about[n] == 'last-generated-id' and newest and about[n + 1] ~= newest[1] then
      return 'cut'
    end
  end
  return 'moved'
end

-- Nothing, or why not. It fails before it has changed anything.
local function enter()
  if entry == '' then
    return
  end
  if call('XLEN', history) ~= tonumber(before) then
    return 'moved'
  end
  if contents then
    -- Fails if the key is no stream.
    call('XLEN', contents)
  end
  if is_first and call('EXISTS', history) == 1 then
    -- Somebody emptied it.
    call('UNLINK', history)
  end
  local added = redis.pcall('XADD', history, id, 'entry', entry)
  if added.err then
    return string.find(added.err, 'equal or smaller', 1, true) and why_not() or added
  end
  if is_first then
    -- Of a history that somebody removed.
    call('UNLINK', contents)
  end
  if is_apart then
    call('XADD', contents, id, 'content', content)
  end
end

local function set()
  if expires then
    call('SET', record, value, 'PX', lives)
  else
    call('SET', record, value)
  end
end

-- The history goes with its record: not before it.
local function expire()
  if expires then
    call('PEXPIRE', history, lives)
    call('PEXPIRE', contents, lives)
  elseif may_have_expired then
    call('PERSIST', history)
    call('PERSIST', contents)
  end
end

local function begins_with(key, beginning, last)
  return call('GETRANGE', key, '0', last) == beginning
end

local is_newest = begins_with(lease, attempt, attempt_end)
local is_expected = expected ~= '' and begins_with(record, expected, expected_end)

-- What nearly every save finds.
if is_newest and is_expected and not length and not is_ahead then
  local problem = enter()
  if problem then
    return problem
  end
  set()
  expire()
  return finish('done')
end

local index = session and session ~= '' and KEYS[has_contents and 5 or 4]
local ahead = is_ahead and KEYS[#KEYS]

local function refuse(answer)
  if ahead then
    call('UNLINK', ahead)
  end
  return answer
end

-- The same save, sent again: its first answer was lost.
if begins_with(record, own, own_end) then
  refuse()
  return is_newest and finish('again') or 'again'
end
if not is_newest then
  return refuse('lost')
end

if expected == '' then
  if call('EXISTS', record) == 1 then
    return refuse('stale')
  end
elseif not is_expected or (length and call('STRLEN', record) ~= tonumber(length)) then
  return refuse('stale')
end
if ahead and call('EXISTS', ahead) == 0 then
  return 'gone'
end

-- A full server refuses a script's first write or none, so nothing is ever done by half. A note
-- without a record does no harm.
if index then
  local time = call('TIME')
  call('HSET', index, session, time[1] .. '.' .. time[2] .. ':' .. write_id)
end
local problem = enter()
if problem then
  return refuse(problem)
end
if ahead then
  call('RENAME', ahead, record)
  if expires then
    call('PEXPIRE', record, lives)
  else
    call('PERSIST', record)
  end
else
  set()
end
expire()
return finish('done')
