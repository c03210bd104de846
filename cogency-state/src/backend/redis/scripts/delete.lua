-- Removes a record, if the lease on it is the newest.
--
-- KEYS  record, lease
-- ARGV  token, attempt
--
-- done, again (an earlier try of this same delete did it), none or lost

local token, attempt = unpack(redis.call('HMGET', KEYS[2], 'token', 'deleted'))
if token ~= ARGV[1] then
  return 'lost'
end
if attempt == ARGV[2] then
  return 'again'
end
-- Fails if the key is no string, and so no record.
redis.call('STRLEN', KEYS[1])
local removed = redis.call('UNLINK', KEYS[1])
if removed == 0 then
  return 'none'
end
-- A full server refuses a script's first write, and nothing after one that it allowed.
redis.call('HSET', KEYS[2], 'deleted', ARGV[2])
return 'done'
