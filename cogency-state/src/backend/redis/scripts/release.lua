-- Gives a lease back, if it is still the newest. A record that only the lease kept has its own time
-- again.
--
-- KEYS  record, lease
-- ARGV  attempt of the lease, ms that its key lives after the lease

local call = redis.call

local lease = call('GETRANGE', KEYS[2], 0, 87)
if string.sub(lease, 1, #ARGV[1]) == ARGV[1] then
  local expires = tonumber(string.sub(lease, 73))
  if expires and call('PEXPIRETIME', KEYS[1]) == call('PEXPIRETIME', KEYS[2]) - ARGV[2] then
    call('PEXPIREAT', KEYS[1], string.format('%.0f', expires))
  end
  call('DEL', KEYS[2])
end
return 'done'
