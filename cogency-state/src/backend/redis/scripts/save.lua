-- Replaces a record, if the lease on it is the newest and the record is the one that is expected.
--
-- KEYS  record, lease, the user's index where this is to note the session, the new value where it
--       was sent ahead
-- ARGV  token, how the new value begins, how the expected one begins (empty: there must be none),
--       its length (-1: any), whether to release (0 or 1), session (empty: not to be noted),
--       write id, the new value where it was not sent ahead
--
-- done, again (an earlier try did it), lost, stale or gone (the value that was sent ahead)

local index = ARGV[6] ~= '' and KEYS[3]
local ahead = not ARGV[8] and KEYS[#KEYS]

local function begins_with(beginning)
  return redis.call('GETRANGE', KEYS[1], 0, #beginning - 1) == beginning
end

local is_newest = redis.call('HGET', KEYS[2], 'token') == ARGV[1]

local function finish(answer)
  if ahead then
    redis.call('UNLINK', ahead)
  end
  if (answer == 'done' or answer == 'again') and ARGV[5] == '1' and is_newest then
    redis.call('DEL', KEYS[2])
  end
  return answer
end

if begins_with(ARGV[2]) then
  return finish('again')
end
if not is_newest then
  return finish('lost')
end

local is_new = redis.call('EXISTS', KEYS[1]) == 0
if ARGV[3] == '' then
  if not is_new then
    return finish('stale')
  end
elseif not begins_with(ARGV[3])
  or (ARGV[4] ~= '-1' and redis.call('STRLEN', KEYS[1]) ~= tonumber(ARGV[4])) then
  return finish('stale')
end
if ahead and redis.call('EXISTS', ahead) == 0 then
  return 'gone'
end

-- A full server refuses a script's first write or none, so nothing is ever done by half. Another
-- program's record, which is compared as a whole, may not be in the index.
if index and (is_new or ARGV[4] ~= '-1') then
  local time = redis.call('TIME')
  redis.call('HSET', index, ARGV[6], time[1] .. '.' .. time[2] .. ':' .. ARGV[7])
end
if ahead then
  redis.call('RENAME', ahead, KEYS[1])
  redis.call('PERSIST', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[8])
end
return finish('done')
