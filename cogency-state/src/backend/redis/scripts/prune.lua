-- Removes an entry of an index that has no record.
--
-- KEYS  record, the user's index
-- ARGV  session

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return 'done'
