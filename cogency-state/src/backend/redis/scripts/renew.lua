-- Makes a lease last from now, if it is still the newest, and with it a record that is to expire.
--
-- KEYS  lease; the record and its history (two keys) where the lease keeps them
-- ARGV  attempt, ms that the key lives, ms that the lease lasts
--
-- done or lost

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for n = 2, #KEYS do
  redis.call('PEXPIRE', KEYS[n], ARGV[3], 'GT')
end
return 'done'
