-- Removes a record, if the lease on it is the newest, and notes that in its history, if that stands
-- where it is thought to stand.
--
-- KEYS  record, lease, the entries of its history, their contents where all of it goes
-- ARGV  attempt of the lease, attempt of this deletion, the entry (empty: none), its id, how many
--       there are before it, the id of the newest of these, whether the history cannot be gone on
--       with, and goes too (0 or 1)
--
-- done, again (an earlier try of this same delete did it), none, lost, moved (the history) or cut
-- (its newest entry was removed)

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

local lease = call('GETRANGE', KEYS[2], 0, #ARGV[1] + #ARGV[2] - 1)
if string.sub(lease, 1, #ARGV[1]) ~= ARGV[1] then
  return 'lost'
end
if string.sub(lease, #ARGV[1] + 1) == ARGV[2] then
  return 'again'
end
-- Fails if the key is no string, and so no record.
if call('STRLEN', KEYS[1]) == 0 and call('EXISTS', KEYS[1]) == 0 then
  return 'none'
end
if ARGV[3] ~= '' then
  local newest = call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', '1')[1]
  if call('XLEN', KEYS[3]) ~= tonumber(ARGV[5]) or (newest and newest[1] or '') ~= ARGV[6] then
    return 'moved'
  end
  if newest and is_cut(KEYS[3], newest[1]) then
    return 'cut'
  end
end
-- A full server refuses a script's first write, and nothing after one that it allowed.
call('UNLINK', KEYS[1])
if ARGV[3] ~= '' then
  if ARGV[5] == '0' then
    -- Somebody may have emptied it.
    call('UNLINK', KEYS[3])
  end
  call('XADD', KEYS[3], ARGV[4], 'entry', ARGV[3])
end
if ARGV[7] == '1' then
  call('UNLINK', KEYS[3], KEYS[4])
end
call('SETRANGE', KEYS[2], #ARGV[1], ARGV[2])
return 'done'
