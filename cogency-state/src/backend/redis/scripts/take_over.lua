-- Takes a lease that has run out, or that was given back since it was looked at.
--
-- KEYS  lease
-- ARGV  the new value, ms that the key lives, ms of them after the lease
--
-- nothing, or the value of the lease that somebody holds

local found = redis.call('GET', KEYS[1])
if found and redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then
  return found
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
