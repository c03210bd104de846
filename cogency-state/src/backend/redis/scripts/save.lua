-- Replaces a record, if the lease on it is the newest and the record is the one that is expected.
--
-- KEYS  record, lease, the user's index where this is to note the session, the new value where it
--       was sent ahead
-- ARGV  attempt of the lease, how the new value begins, how the expected one begins (empty: there
--       must be none), its length (-1: any), whether to release (0 or 1), session (empty: not to
--       be noted), write id, ms until it expires (empty: it stays), the new value where it was not
--       sent ahead
--
-- done, lost, stale or gone (the value that was sent ahead)

local index = ARGV[6] ~= '' and KEYS[3]
local ahead = not ARGV[9] and KEYS[#KEYS]

local is_newest = redis.call('GETRANGE', KEYS[2], 0, #ARGV[1] - 1) == ARGV[1]
local found = redis.call('GETRANGE', KEYS[1], 0, math.max(#ARGV[2], #ARGV[3]) - 1)

local function begins_with(beginning)
  return string.sub(found, 1, #beginning) == beginning
end

local function refuse(answer)
  if ahead then
    redis.call('UNLINK', ahead)
  end
  return answer
end

local function finish()
  if ARGV[5] == '1' and is_newest then
    redis.call('DEL', KEYS[2])
  end
  return 'done'
end

-- An earlier try of this same save did it.
if begins_with(ARGV[2]) then
  refuse()
  return finish()
end
if not is_newest then
  return refuse('lost')
end

local is_new = found == '' and redis.call('EXISTS', KEYS[1]) == 0
if ARGV[3] == '' then
  if not is_new then
    return refuse('stale')
  end
elseif not begins_with(ARGV[3])
  or (ARGV[4] ~= '-1' and redis.call('STRLEN', KEYS[1]) ~= tonumber(ARGV[4])) then
  return refuse('stale')
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
  redis.call('SET', KEYS[1], ARGV[9])
end
if ARGV[8] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[8])
end
return finish()
