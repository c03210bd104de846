-- Gives a lease back, if it is still the newest.
--
-- KEYS  lease
-- ARGV  attempt

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 'done'
