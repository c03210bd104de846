-- Puts back a record that was set aside, if the lease on its key is the newest and nothing is there.
--
-- KEYS  record, lease, what is known of the records that were set aside, where this one is, the
--       user's index where this is to note the session
-- ARGV  attempt of the lease, id, session, who notes
--
-- done, none, lost or taken

if redis.call('GETRANGE', KEYS[2], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
if redis.call('EXISTS', KEYS[4]) == 0 then
  return 'none'
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
if KEYS[5] then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[5], ARGV[3], time[1] .. '.' .. time[2] .. ':' .. ARGV[4])
end
redis.call('RENAME', KEYS[4], KEYS[1])
redis.call('HDEL', KEYS[3], ARGV[2])
return 'done'
