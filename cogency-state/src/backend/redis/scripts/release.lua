-- Gives a lease back, if it is still the newest, and its own time to a record that it kept.
--
-- KEYS  lease, the record where the lease kept it
-- ARGV  attempt, when the record would have expired

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  if KEYS[2] then
    redis.call('PEXPIREAT', KEYS[2], ARGV[2], 'XX', 'LT')
  end
  redis.call('DEL', KEYS[1])
end
return 'done'
