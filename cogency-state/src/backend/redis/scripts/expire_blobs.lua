-- Lets the blobs of a key expire, if the lease is the newest and nothing of the key is set aside:
-- that may name them, and stays.
--
-- KEYS  lease, blobs, what is known of the records that were set aside
-- ARGV  attempt of the lease, ms until then
--
-- done or lost

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 'done'
