-- A consumer says that it lives, what it runs at once, or (with '') that it goes; the sums follow.
-- All of them are added up about once a second, however many say so: between, the sums move by what
-- this one runs more, or less, than it said before. How old they are is told by when they expire.
-- KEYS consumers capacity …   ARGV consumer json seconds kind …   → {shards at once, of each kind}
local MOST = 1000000  -- no consumer runs so many
local KEPT_MS, FRESH_MS = 60000, 1000
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

-- When a consumer said it, and what of each kind it runs at once.
local function read(text)
  local ok, told = pcall(cjson.decode, text)
  local runs = {}
  if not ok or type(told) ~= 'table' then return 0, runs end
  local capacity = tonumber(told.capacity) or 0
  if not (capacity > 0 and capacity <= MOST) then capacity = 0 end
  for _, kind in ipairs(type(told.kinds) == 'table' and told.kinds or {}) do
    if type(kind) == 'string' then runs[kind] = (runs[kind] or 0) + math.floor(capacity) end
  end
  return tonumber(told.seen) or 0, runs
end

local _, before = read(redis.call('HGET', KEYS[1], ARGV[1]) or '')
local _, after = read(ARGV[2])
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1],
    string.format('{"seen":%.0f,%s', now_ms, string.sub(ARGV[2], 2)))
end

local sums, fresh = {}, true
for at = 2, #KEYS do
  local kind = ARGV[at + 2]
  local sum = tonumber(redis.pcall('GET', KEYS[at]))
  fresh = fresh and sum and redis.call('PTTL', KEYS[at]) > KEPT_MS - FRESH_MS
  sums[kind] = math.max(0, (sum or 0) + (after[kind] or 0) - (before[kind] or 0))
end
if not fresh then
  sums = {}
  local found = redis.call('HGETALL', KEYS[1])
  for at = 1, #found, 2 do
    local seen, runs = read(found[at + 1])
    -- Neither long ago nor, after the clock was set back, far ahead; and no `NaN`.
    if not (math.abs(now_ms - seen) <= tonumber(ARGV[3]) * 1000) then
      redis.call('HDEL', KEYS[1], found[at])
    else
      for kind, capacity in pairs(runs) do sums[kind] = (sums[kind] or 0) + capacity end
    end
  end
end
local answer = {}
for at = 2, #KEYS do
  local sum = sums[ARGV[at + 2]] or 0
  if not fresh then
    redis.call('SET', KEYS[at], sum, 'PX', KEPT_MS)
  elseif sum ~= tonumber(redis.call('GET', KEYS[at])) then
    redis.call('SET', KEYS[at], sum, 'KEEPTTL')
  end
  answer[#answer + 1] = sum
end
return answer
