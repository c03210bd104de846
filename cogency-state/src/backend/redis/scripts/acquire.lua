-- Takes the lease on a record, unless somebody holds it, and tells what is stored.
--
-- KEYS  record, lease
-- ARGV  attempt, holder, ttl in ms, ms after which an abandoned lease is swept, whether to load
--       (0 or 1), beginning and length of the value that the caller has, most bytes to send
--
-- {held, holder}, {token, none}, {token, same}, {token, large, length} or {token, value, value}

local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local millis = math.floor(micros / 1000)

local token, ends_before, holder, attempt =
  unpack(redis.call('HMGET', KEYS[2], 'token', 'until', 'holder', 'attempt'))
-- An attempt that is repeated because its answer was lost finds its own lease.
local is_own = attempt == ARGV[1]
if token and not is_own and millis < tonumber(ends_before) then
  return {'held', holder}
end

-- Fails if the key is no string: before anything is changed.
local length = redis.call('STRLEN', KEYS[1])

if not is_own then
  token = string.format('%.0f', math.max(micros, (tonumber(token) or 0) + 1))
end
local ends = millis + ARGV[3]
redis.call('HSET', KEYS[2], 'token', token, 'until', string.format('%.0f', ends),
  'holder', ARGV[2], 'attempt', ARGV[1])
keep_until(ends, ends_before)
redis.call('PEXPIRE', KEYS[2], ARGV[4])

if ARGV[5] == '0' or (length == 0 and redis.call('EXISTS', KEYS[1]) == 0) then
  return {token, 'none'}
end
if length == tonumber(ARGV[7])
  and redis.call('GETRANGE', KEYS[1], 0, #ARGV[6] - 1) == ARGV[6] then
  return {token, 'same'}
end
-- A large value costs less when it does not go through here.
if length > tonumber(ARGV[8]) then
  return {token, 'large', length}
end
return {token, 'value', redis.call('GET', KEYS[1])}
