-- Makes a lease last from now, if it is still the newest.
--
-- KEYS  lease
-- ARGV  token, ttl in ms, ms after which an abandoned lease is swept
--
-- done or lost

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 'lost'
end
local time = redis.call('TIME')
local millis = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', millis + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'done'
