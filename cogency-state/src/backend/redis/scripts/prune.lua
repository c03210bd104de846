-- Removes the oldest entries of a history, and notes that, if it stands where it is thought to stand.
--
-- KEYS  its entries and contents
-- ARGV  how many entries there are, the id of the newest, the id of the oldest that stays, the entry
--       of this pruning, its id
--
-- done, moved or cut (its newest entry was removed)

local call = redis.call

-- Whether its newest entry was removed: one of that number cannot be added any more.
local function is_cut(history, newest)
  local about = call('XINFO', 'STREAM', history)
  for n = 1, #about, 2 do
    if about[n] == 'last-generated-id' then
      return about[n + 1] ~= newest
    end
  end
end

local newest = call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', '1')[1]
if call('XLEN', KEYS[1]) ~= tonumber(ARGV[1]) or not newest or newest[1] ~= ARGV[2] then
  return 'moved'
end
if is_cut(KEYS[1], newest[1]) then
  return 'cut'
end
-- Fails if the key is no stream.
call('XLEN', KEYS[2])
-- A full server refuses a script's first write, and nothing after one that it allowed.
call('XTRIM', KEYS[1], 'MINID', '=', ARGV[3])
call('XTRIM', KEYS[2], 'MINID', '=', ARGV[3])
if call('XLEN', KEYS[2]) == 0 then
  call('UNLINK', KEYS[2])
end
call('XADD', KEYS[1], ARGV[5], 'entry', ARGV[4])
return 'done'
