-- Deletes a record that was set aside.
--
-- KEYS  what is known of the records that were set aside, where this one is, where its history is if
--       it could not be gone on with (two keys)
-- ARGV  id
--
-- done or none

redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 'none'
end
return 'done'
