-- Takes a record that another program wrote into its user's index, and gives it the name that we
-- would have given it.
--
-- KEYS  the key as it was found, the record's key, the user's index
-- ARGV  session
--
-- done, known (it is in the index), or taken (there is a record under its name)

if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'known'
end
local is_renamed = KEYS[1] ~= KEYS[2]
if is_renamed and redis.call('EXISTS', KEYS[2]) == 1 then
  return 'taken'
end
local time = redis.call('TIME')
local is_new = redis.call('HSETNX', KEYS[3], ARGV[1], time[1] .. ':adopted') == 1
if is_renamed then
  redis.call('RENAME', KEYS[1], KEYS[2])
end
return (is_new or is_renamed) and 'done' or 'known'
