-- A consumer says that it lives, what it runs at once, or (with '') that it goes; the sums follow.
-- KEYS consumers capacity …   ARGV consumer json seconds kind …   → {shards at once, of each kind}
local MOST = 1000000  -- no consumer runs so many
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1],
    string.format('{"seen":%.0f,%s', now_ms, string.sub(ARGV[2], 2)))
end
local sums = {}
local found = redis.call('HGETALL', KEYS[1])
for at = 1, #found, 2 do
  local ok, told = pcall(cjson.decode, found[at + 1])
  local seen = ok and type(told) == 'table' and tonumber(told.seen) or 0
  -- Neither long ago nor, after the clock was set back, far ahead; and no `NaN`.
  if not (math.abs(now_ms - seen) <= tonumber(ARGV[3]) * 1000) then
    redis.call('HDEL', KEYS[1], found[at])
  else
    local capacity = tonumber(told.capacity) or 0
    if not (capacity > 0 and capacity <= MOST) then capacity = 0 end
    for _, kind in ipairs(type(told.kinds) == 'table' and told.kinds or {}) do
      if type(kind) == 'string' then sums[kind] = (sums[kind] or 0) + math.floor(capacity) end
    end
  end
end
local answer = {}
for at = 2, #KEYS do
  local sum = sums[ARGV[at + 2]] or 0
  redis.call('SET', KEYS[at], sum, 'EX', 60)
  answer[#answer + 1] = sum
end
return answer
