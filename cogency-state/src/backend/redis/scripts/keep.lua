-- Keeps a record that is to expire while its lease is held: it goes with the lease. `expires` in
-- the lease is when it was to go.
--
-- KEYS  record, lease

local function keep_until(ends, ends_before)
  local expires = redis.call('PEXPIRETIME', KEYS[1])
  if expires < 0 or expires > ends then
    return
  end
  -- One that goes with the lease was kept before, and that is not its own time.
  if expires ~= tonumber(ends_before) then
    redis.call('HSET', KEYS[2], 'expires', string.format('%.0f', expires))
  end
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends))
end

