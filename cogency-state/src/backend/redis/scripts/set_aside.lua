-- Sets a record aside, if the lease on it is the newest, and notes that in its history, if that
-- stands where it is thought to stand.
--
-- KEYS  record, lease, entries and contents of its history, what is known of the records that were
--       set aside, where this one goes, where a history goes that is set aside too (two
--       keys), blobs, the whole record where it was sent ahead
-- ARGV  attempt of the lease, id, what is known of it, the entry (empty: none), its id, how many
--       there are before it, the id of the newest of these, how the record begins where it was sent
--       ahead, whether its history is set aside too (0 or 1)
--
-- done, again (an earlier try did it), none, lost, stale (the record is another one), gone (what
-- was sent ahead), moved (the history) or cut (its newest entry was removed)

local call = redis.call
local ahead = KEYS[10]

-- Whether its newest entry was removed: one of that number cannot be added any more.
local function is_cut(history, newest)
  local about = call('XINFO', 'STREAM', history)
  for n = 1, #about, 2 do
    if about[n] == 'last-generated-id' then
      return about[n + 1] ~= newest
    end
  end
end

if call('HEXISTS', KEYS[5], ARGV[2]) == 1 then
  return 'again'
end
if call('GETRANGE', KEYS[2], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
if call('EXISTS', KEYS[1]) == 0 then
  return 'none'
end
if ahead and call('GETRANGE', KEYS[1], 0, #ARGV[8] - 1) ~= ARGV[8] then
  return 'stale'
end
if ahead and call('EXISTS', ahead) == 0 then
  return 'gone'
end
if ARGV[4] ~= '' then
  local newest = call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', '1')[1]
  if call('XLEN', KEYS[3]) ~= tonumber(ARGV[6]) or (newest and newest[1] or '') ~= ARGV[7] then
    return 'moved'
  end
  if newest and is_cut(KEYS[3], newest[1]) then
    return 'cut'
  end
end
-- A full server refuses a script's first write, and nothing after one that it allowed.
call('HSET', KEYS[5], ARGV[2], ARGV[3])
if ahead then
  call('RENAME', ahead, KEYS[6])
  call('UNLINK', KEYS[1])
else
  call('RENAME', KEYS[1], KEYS[6])
end
call('PERSIST', KEYS[6])
-- What it names stays with it.
call('PERSIST', KEYS[9])
if ARGV[4] ~= '' then
  if ARGV[6] == '0' then
    -- Somebody may have emptied it.
    call('UNLINK', KEYS[3])
  end
  call('XADD', KEYS[3], ARGV[5], 'entry', ARGV[4])
end
if ARGV[9] == '1' then
  for n = 3, 4 do
    if call('EXISTS', KEYS[n]) == 1 then
      call('RENAME', KEYS[n], KEYS[n + 4])
      call('PERSIST', KEYS[n + 4])
    end
  end
end
return 'done'
