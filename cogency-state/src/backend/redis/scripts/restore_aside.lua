-- Puts back a record that was set aside, if the lease on its key is the newest and nothing is there,
-- and notes that in its history, if that stands where it is thought to stand.
--
-- KEYS  record, lease, entries and contents of its history, what is known of the records that were
--       set aside, where this one is, where its history is if it could not be gone on with (two
--       keys), blobs, the user's index where this is to note the session
-- ARGV  attempt of the lease, id, the entry (empty: none), its id, how many there are before it,
--       its content (empty: it is in the entry), the id of the newest of these, session, who notes
--
-- done, none, lost, taken, begun (another history, where one would come back), moved (the history) or
-- cut (its newest entry was removed)

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

if call('GETRANGE', KEYS[2], 0, #ARGV[1] - 1) ~= ARGV[1] then
  return 'lost'
end
if call('EXISTS', KEYS[6]) == 0 then
  return 'none'
end
if call('EXISTS', KEYS[1]) == 1 then
  return 'taken'
end
local brings_history = call('EXISTS', KEYS[7]) == 1
if brings_history and call('EXISTS', KEYS[3]) == 1 then
  return 'begun'
end
if ARGV[3] ~= '' then
  local newest = call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', '1')[1]
  if call('XLEN', KEYS[3]) ~= tonumber(ARGV[5]) or (newest and newest[1] or '') ~= ARGV[7] then
    return 'moved'
  end
  if newest and not brings_history and is_cut(KEYS[3], newest[1]) then
    return 'cut'
  end
  call('XLEN', KEYS[4])
end
if KEYS[10] then
  local time = call('TIME')
  call('HSET', KEYS[10], ARGV[8], time[1] .. '.' .. time[2] .. ':' .. ARGV[9])
end
call('RENAME', KEYS[6], KEYS[1])
if brings_history then
  for n = 7, 8 do
    if call('EXISTS', KEYS[n]) == 1 then
      call('RENAME', KEYS[n], KEYS[n - 4])
    end
  end
elseif ARGV[3] ~= '' then
  if ARGV[5] == '0' then
    -- Of a history that somebody removed, or emptied.
    call('UNLINK', KEYS[3], KEYS[4])
  end
  call('XADD', KEYS[3], ARGV[4], 'entry', ARGV[3])
  if ARGV[6] ~= '' then
    call('XADD', KEYS[4], ARGV[4], 'content', ARGV[6])
  end
end
-- It stays until a save says otherwise.
call('PERSIST', KEYS[3])
call('PERSIST', KEYS[4])
call('PERSIST', KEYS[9])
call('HDEL', KEYS[5], ARGV[2])
return 'done'
