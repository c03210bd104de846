-- Removes a record, if the lease on it is the newest.
--
-- KEYS  record, lease
-- ARGV  attempt of the lease, attempt of this deletion
--
-- done, again (an earlier try of this same delete did it), none or lost

local lease = redis.call('GETRANGE', KEYS[2], 0, #ARGV[1] + #ARGV[2] - 1)
if string.sub(lease, 1, #ARGV[1]) ~= ARGV[1] then
  return 'lost'
end
if string.sub(lease, #ARGV[1] + 1) == ARGV[2] then
  return 'again'
end
-- Fails if the key is no string, and so no record.
redis.call('STRLEN', KEYS[1])
if redis.call('UNLINK', KEYS[1]) == 0 then
  return 'none'
end
-- A full server refuses a script's first write, and nothing after one that it allowed.
redis.call('SETRANGE', KEYS[2], #ARGV[1], ARGV[2])
return 'done'
