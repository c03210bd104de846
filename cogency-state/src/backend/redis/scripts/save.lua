-- Replaces a record, if the lease on it is the newest and the record is the one that is expected,
-- and notes that in its history, if that stands where it is thought to stand.
--
-- KEYS  record, lease, the entries of its history, their contents where one is to be there, where
--       they may have a time and with the first entry, the user's index where this is to note the session, the new value where it was
--       sent ahead
-- ARGV  attempt of the lease, how the expected value begins (empty: there must be none), how the
--       new one begins, the last bytes of these three, the new value (empty: it was sent ahead),
--       whether to release (0 or 1), ms until it expires (empty: it stays), the entry (empty: none),
--       its id, how many there are before it, its content (empty: it is in the entry), whether the
--       history may have a time (0 or 1); where there must be none or another program's: its
--       length, session (empty: not to be noted), write id
--
-- done, again (an earlier try did it), lost, stale, gone (the value that was sent ahead), moved (the
-- history) or cut (its newest entry was removed)
--
-- Bytes are counted by the caller: to write a number costs more than to read the bytes.

local call = redis.call
local is_first = ARGV[12] == '0'
local contents = (is_first or ARGV[13] ~= '' or ARGV[9] ~= '' or ARGV[14] == '1') and KEYS[4]

local function finish(answer)
  if ARGV[8] == '1' then
    call('DEL', KEYS[2])
  end
  return answer
end

-- Why none of this number can be added: somebody went on with it, or removed its newest entry.
local function why_not()
  local newest = call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', '1')[1]
  local about = call('XINFO', 'STREAM', KEYS[3])
  for n = 1, #about, 2 do
    if about[n] == 'last-generated-id' and newest and about[n + 1] ~= newest[1] then
      return 'cut'
    end
  end
  return 'moved'
end

-- Nothing, or why not. It fails before it has changed anything.
local function enter()
  if ARGV[10] == '' then
    return
  end
  if call('XLEN', KEYS[3]) ~= tonumber(ARGV[12]) then
    return 'moved'
  end
  if contents then
    -- Fails if the key is no stream.
    call('XLEN', contents)
  end
  if is_first and call('EXISTS', KEYS[3]) == 1 then
    -- Somebody emptied it.
    call('UNLINK', KEYS[3])
  end
  local added = redis.pcall('XADD', KEYS[3], ARGV[11], 'entry', ARGV[10])
  if added.err then
    return string.find(added.err, 'equal or smaller', 1, true) and why_not() or added
  end
  if is_first then
    -- Of a history that somebody removed.
    call('UNLINK', contents)
  end
  if ARGV[13] ~= '' then
    call('XADD', contents, ARGV[11], 'content', ARGV[13])
  end
end

local function set()
  if ARGV[9] == '' then
    call('SET', KEYS[1], ARGV[7])
  else
    call('SET', KEYS[1], ARGV[7], 'PX', ARGV[9])
  end
end

-- The history goes with its record: not before it.
local function expire()
  if ARGV[9] ~= '' then
    call('PEXPIRE', KEYS[3], ARGV[9])
    call('PEXPIRE', contents, ARGV[9])
  elseif ARGV[14] == '1' then
    call('PERSIST', KEYS[3])
    call('PERSIST', contents)
  end
end

local function begins_with(key, nth)
  return call('GETRANGE', key, '0', ARGV[3 + nth]) == ARGV[nth]
end

local is_newest = begins_with(KEYS[2], 1)
local is_expected = ARGV[2] ~= '' and begins_with(KEYS[1], 2)

-- What nearly every save finds.
if is_newest and is_expected and not ARGV[15] and ARGV[7] ~= '' then
  local problem = enter()
  if problem then
    return problem
  end
  set()
  expire()
  return finish('done')
end

local index = ARGV[16] and ARGV[16] ~= '' and KEYS[contents and 5 or 4]
local ahead = ARGV[7] == '' and KEYS[#KEYS]

local function refuse(answer)
  if ahead then
    call('UNLINK', ahead)
  end
  return answer
end

-- The same save, sent again: its first answer was lost.
if begins_with(KEYS[1], 3) then
  refuse()
  return is_newest and finish('again') or 'again'
end
if not is_newest then
  return refuse('lost')
end

if ARGV[2] == '' then
  if call('EXISTS', KEYS[1]) == 1 then
    return refuse('stale')
  end
elseif not is_expected or (ARGV[15] and call('STRLEN', KEYS[1]) ~= tonumber(ARGV[15])) then
  return refuse('stale')
end
if ahead and call('EXISTS', ahead) == 0 then
  return 'gone'
end

-- A full server refuses a script's first write or none, so nothing is ever done by half. A note
-- without a record does no harm.
if index then
  local time = call('TIME')
  call('HSET', index, ARGV[16], time[1] .. '.' .. time[2] .. ':' .. ARGV[17])
end
local problem = enter()
if problem then
  return refuse(problem)
end
if ahead then
  call('RENAME', ahead, KEYS[1])
  if ARGV[9] == '' then
    call('PERSIST', KEYS[1])
  else
    call('PEXPIRE', KEYS[1], ARGV[9])
  end
else
  set()
end
expire()
return finish('done')
