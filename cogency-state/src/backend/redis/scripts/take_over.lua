-- Takes a lease that has run out, or that was given back since it was looked at.
--
-- KEYS  lease
-- ARGV  the value that was seen, the new one, ms that the key lives, ms of them after the lease
--
-- nothing, or the value of the lease that somebody else holds

local found = redis.call('GET', KEYS[1])
if found and (found ~= ARGV[1] or redis.call('PTTL', KEYS[1]) > tonumber(ARGV[4])) then
  return found
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return false
