-- Deletes a record that was set aside.
--
-- KEYS  what is known of the records that were set aside, where this one is
-- ARGV  id
--
-- done or none

redis.call('UNLINK', KEYS[2])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 'none'
end
return 'done'
