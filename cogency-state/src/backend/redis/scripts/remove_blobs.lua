-- Removes blobs, if the lease is the newest.
--
-- KEYS  lease, blobs, what is known of the records that were set aside (it is not looked at)
-- ARGV  attempt of the lease, hashes
--
-- done or lost

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
for nth = 2, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[nth])
end
return 'done'
