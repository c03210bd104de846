-- Replaces a record, if the lease on it is the newest and the record is the one that is expected.
--
-- KEYS  record, lease, the user's index, the new value where it was sent ahead
-- ARGV  token, how the new value begins, how the expected one begins (empty: there must be none),
--       its length (-1: any), whether to release (0 or 1), session, write id, ms until it expires
--       (empty: it stays), the new value where it was not sent ahead
--
-- done, lost, stale or gone (the value that was sent ahead)

local function begins_with(beginning)
  return redis.call('GETRANGE', KEYS[1], 0, #beginning - 1) == beginning
end

local is_newest = redis.call('HGET', KEYS[2], 'token') == ARGV[1]

local function finish(answer)
  if KEYS[4] then
    redis.call('UNLINK', KEYS[4])
  end
  if answer == 'done' and ARGV[5] == '1' and is_newest then
    redis.call('DEL', KEYS[2])
  end
  return answer
end

-- An earlier try of this same save did it.
if begins_with(ARGV[2]) then
  return finish('done')
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
if KEYS[4] and redis.call('EXISTS', KEYS[4]) == 0 then
  return 'gone'
end

-- A full server refuses a script's first write or none, so nothing is ever done by half. Another
-- program's record, which is compared as a whole, may not be in the index.
if is_new or ARGV[4] ~= '-1' then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[3], ARGV[6], time[1] .. ':' .. ARGV[7])
end
if KEYS[4] then
  redis.call('RENAME', KEYS[4], KEYS[1])
  redis.call('PERSIST', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[9])
end
if ARGV[8] ~= '' then
  local time = redis.call('TIME')
  local expires = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[8]
  local ends = tonumber(redis.call('HGET', KEYS[2], 'until'))
  if ARGV[5] ~= '1' and expires <= ends then
    -- It outlives the lease, which goes on.
    redis.call('HSET', KEYS[2], 'expires', string.format('%.0f', expires))
    expires = ends
  end
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', expires))
end
return finish('done')
