-- Makes a lease last from now, if it is still the newest, and with it a record that is to expire.
--
-- KEYS  record, lease
-- ARGV  token, ttl in ms, ms after which an abandoned lease is swept
--
-- done or lost

local token, ends_before = unpack(redis.call('HMGET', KEYS[2], 'token', 'until'))
if token ~= ARGV[1] then
  return 'lost'
end
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
redis.call('HSET', KEYS[2], 'until', string.format('%.0f', ends))
keep_until(ends, ends_before)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 'done'
