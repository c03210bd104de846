-- Gives a lease back, if it is still the newest.
--
-- KEYS  lease
-- ARGV  token

if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 'done'
