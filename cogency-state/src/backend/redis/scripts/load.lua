-- Gives a value, or the length of a large one: whoever asks for that knows how long to wait.
--
-- KEYS  record
-- ARGV  most bytes to send

local length = redis.call('STRLEN', KEYS[1])
if length > tonumber(ARGV[1]) then
  return length
end
return redis.call('GET', KEYS[1])
