-- Makes a lease last from now, if it is still the newest.
--
-- KEYS  lease
-- ARGV  attempt, ms that the key lives
--
-- done or lost

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'done'
