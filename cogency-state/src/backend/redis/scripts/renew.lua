-- Makes a lease last from now, if it is still the newest, and with it a record that is to expire.
--
-- KEYS  lease, the record where the lease keeps it
-- ARGV  attempt, ms that the key lives, ms that the lease lasts
--
-- done or lost

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if KEYS[2] then
  redis.call('PEXPIRE', KEYS[2], ARGV[3], 'GT')
end
return 'done'
