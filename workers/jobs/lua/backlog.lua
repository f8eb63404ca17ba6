-- What jobs came to, what waits and who works, for whoever watches. Reads only; what somebody broke
-- is left out. Of the first entry that waits, megabytes at worst, only the id goes out.
-- KEYS totals dead consumers running, then the streams (one each), open …, capacity …   ARGV streams kinds
-- → {ms, {total …}, dead letters | false, {consumer …}, jobs that run | false,
--    {{length, pending | false, lag | false, waiting id | false} | {} …}, {splitting | false …},
--    {capacity | false …}}
local MOST_FIELDS = 10000
local streams, kinds = tonumber(ARGV[1]), tonumber(ARGV[2])

local function hash(key)
  local length = redis.pcall('HLEN', key)
  if type(length) == 'table' or length > MOST_FIELDS then return {} end
  return redis.call('HGETALL', key)
end

local function number(...)
  local found = redis.pcall(...)
  return type(found) ~= 'table' and found or false
end

-- (A number of a group that is not known is false here, and missing before Redis 7.)
local function group_of(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for _, told in ipairs(groups.err and {} or groups) do
    local group = {}
    for at = 1, #told, 2 do group[told[at]] = told[at + 1] end
    if group.name == GROUP then return group end
  end
end

local function standing(stream)
  local length = number('XLEN', stream)
  if not length then return {} end
  local group = group_of(stream)
  if not group then
    local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    return {length, false, false, first and first[1] or false}
  end
  local from = '(' .. group['last-delivered-id']
  local next = redis.pcall('XRANGE', stream, from, '+', 'COUNT', 1)
  return {length, group.pending, group.lag or false, next[1] and next[1][1] or false}
end

local time = redis.call('TIME')
local of_streams, splitting, capacities = {}, {}, {}
for at = 1, streams do of_streams[at] = standing(KEYS[4 + at]) end
for at = 1, kinds do
  splitting[at] = number('SCARD', KEYS[4 + streams + at])
  capacities[at] = number('GET', KEYS[4 + streams + kinds + at])
end
return {time[1] * 1000 + math.floor(time[2] / 1000), hash(KEYS[1]), number('XLEN', KEYS[2]),
  hash(KEYS[3]), number('SCARD', KEYS[4]), of_streams, splitting, capacities}
