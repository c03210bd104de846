-- Gives a lease back, if it is still the newest. A record that only the lease kept goes with it.
--
-- KEYS  record, lease
-- ARGV  token

local token, ends, expires = unpack(redis.call('HMGET', KEYS[2], 'token', 'until', 'expires'))
if token == ARGV[1] then
  if expires and redis.call('PEXPIRETIME', KEYS[1]) == tonumber(ends) then
    redis.call('PEXPIREAT', KEYS[1], expires)
  end
  redis.call('DEL', KEYS[2])
end
return 'done'
