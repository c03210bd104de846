-- Makes a lease last from now, if it is still the newest, and with it a record that is to expire.
--
-- KEYS  record, lease
-- ARGV  attempt of the lease, ms that its key lives, ms of them after the lease
--
-- done or lost

if call('GETRANGE', KEYS[2], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
local ended_before = ending(ARGV[3])
call('PEXPIRE', KEYS[2], ARGV[2])
keep_until(ending(ARGV[3]), ended_before)
return 'done'
