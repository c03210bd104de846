-- Stores a blob, if the lease is the newest. From here on none of the key's expires.
--
-- KEYS  lease, blobs, what is known of the records that were set aside (it is not looked at)
-- ARGV  attempt of the lease, hash, content
--
-- done or lost

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PERSIST', KEYS[2])
return 'done'
