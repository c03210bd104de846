-- Lets the blobs of a key expire, if the lease is the newest.
--
-- KEYS  lease, blobs
-- ARGV  attempt of the lease, ms until then
--
-- done or lost

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 'done'
