-- Notes in a user's index that a session has a record, or is about to have one. Each note is
-- another one than those before it.
--
-- KEYS  the user's index
-- ARGV  session, who notes
--
-- 1 if there was no note, or 0

local time = redis.call('TIME')
return redis.call('HSET', KEYS[1], ARGV[1], time[1] .. '.' .. time[2] .. ':' .. ARGV[2])
