-- Removes a note from a user's index, if it is still the one that was seen, and old enough.
--
-- KEYS  the user's index
-- ARGV  session, the note that was seen, least age in seconds

if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  local noted = tonumber(string.match(ARGV[2], '^%d+') or 0)
  if redis.call('TIME')[1] - noted >= tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], ARGV[1])
  end
end
return 'done'
