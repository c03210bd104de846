-- Removes the oldest entries of a history, and notes that, if it stands where it is thought to stand.
--
-- KEYS  its entries and contents
-- ARGV  how many entries there are, the id of the newest, the id of the oldest that stays, the entry
--       of this pruning, its id
--
-- done or moved

local call = redis.call

local newest = call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', '1')[1]
if call('XLEN', KEYS[1]) ~= tonumber(ARGV[1]) or not newest or newest[1] ~= ARGV[2] then
  return 'moved'
end
-- A full server refuses a script's first write, and nothing after one that it allowed.
call('XTRIM', KEYS[1], 'MINID', '=', ARGV[3])
call('XTRIM', KEYS[2], 'MINID', '=', ARGV[3])
if call('XLEN', KEYS[2]) == 0 then
  call('UNLINK', KEYS[2])
end
call('XADD', KEYS[1], ARGV[5], 'entry', ARGV[4])
return 'done'
