-- Sets a record aside, if the lease on it is the newest.
--
-- KEYS  record, lease, what is known of the records that were set aside, where this one goes
-- ARGV  attempt of the lease, id, what is known of it
--
-- done, again (an earlier try did it), none or lost

if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 1 then
  return 'again'
end
if redis.call('GETRANGE', KEYS[2], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'none'
end
-- A full server refuses a script's first write, and nothing after one that it allowed.
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('RENAME', KEYS[1], KEYS[4])
redis.call('PERSIST', KEYS[4])
return 'done'
