-- Gives a lease back, if it is still the newest, and its own time to a record that it kept.
--
-- KEYS  lease; the record and its history (two keys) where the lease kept them
-- ARGV  attempt, when the record would have expired

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  for n = 2, #KEYS do
    redis.call('PEXPIREAT', KEYS[n], ARGV[2], 'XX', 'LT')
  end
  redis.call('DEL', KEYS[1])
end
return 'done'
