-- Removes a value, if it is still the one that was seen.
--
-- KEYS  the key
-- ARGV  value

if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
return 'done'
