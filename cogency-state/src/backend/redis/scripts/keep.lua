-- Keeps a record that is to expire while its lease is held: it goes with the lease. When it was to
-- go stands in the lease.
--
-- KEYS  record, lease

local call = redis.call

-- When the lease ends, where its key lives for so many ms longer.
local function ending(remembered)
  return call('PEXPIRETIME', KEYS[2]) - remembered
end

local function keep_until(ends, ended_before)
  local expires = call('PEXPIRETIME', KEYS[1])
  if expires < 0 or expires > ends then
    return
  end
  -- One that goes with the lease was kept before, and that is not its own time.
  if expires ~= ended_before then
    call('SETRANGE', KEYS[2], 72, string.format('%016.0f', expires))
  end
  call('PEXPIREAT', KEYS[1], string.format('%.0f', ends))
end

