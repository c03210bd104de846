-- Removes a history whose record is gone, if it stands where it is thought to stand.
--
-- KEYS  the record, the entries and contents of its history
-- ARGV  the id of the newest entry
--
-- done or moved

local call = redis.call

local newest = call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', '1')[1]
if call('EXISTS', KEYS[1]) == 1 or not newest or newest[1] ~= ARGV[1] then
  return 'moved'
end
call('UNLINK', KEYS[2], KEYS[3])
return 'done'
