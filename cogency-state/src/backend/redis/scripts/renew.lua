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
local expires = redis.call('PEXPIRETIME', KEYS[1])
redis.call('HSET', KEYS[2], 'until', string.format('%.0f', ends))
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if expires >= 0 and expires <= ends then
  -- One that goes with the lease is kept by it already.
  if expires ~= tonumber(ends_before) then
    redis.call('HSET', KEYS[2], 'expires', string.format('%.0f', expires))
  end
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends))
end
return 'done'
