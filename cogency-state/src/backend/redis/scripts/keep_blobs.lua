-- Sees to it that no blob of a key expires, if the lease is the newest and all that are named are
-- there.
--
-- KEYS  lease, blobs, what is known of the records that were set aside (it is not looked at)
-- ARGV  attempt of the lease, hashes
--
-- done, lost, or the hash of one that is not there

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
for nth = 2, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[nth]) == 0 then
    return ARGV[nth]
  end
end
redis.call('PERSIST', KEYS[2])
return 'done'
