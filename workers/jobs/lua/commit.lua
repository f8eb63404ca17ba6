-- Record a shard: results, progress and acknowledgement at once. Who comes first wins: the same
-- rows give the same facts, and a rule by owner would never end where work outlasts a lease.
-- KEYS job results input fence marks shards totals running
-- ARGV entry shard rows lines ttl ok bytes hosts most_hosts most_reasons most_json_bytes
--   counter count …   → OK | DUP | NOJOB | NOINPUT
local MOST_HOSTS, MOST_REASONS, MOST_JSON_BYTES =
  tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])

-- What failed at which host is JSON, bounded as it is in a stream: workers/hosts_counted.py has the
-- same. Of what is more than *most* the lighter half is let go of; returns whether it was.
local function trim(counted, most, weight)
  local names = {}
  for name in pairs(counted) do names[#names + 1] = name end
  if #names <= most then return false end
  table.sort(names, function(one, other)
    local mine, first = weight(counted[one])
    local others, its_first = weight(counted[other])
    if mine ~= others then return mine < others end
    if first ~= its_first then return first < its_first end
    return one < other
  end)
  for at = 1, #names - math.floor((most + 1) / 2) do counted[names[at]] = nil end
  return true
end

local function add_host(host, more)
  host.failed = host.failed + more.failed
  host.placeholders = host.placeholders + more.placeholders
  host.first = math.min(host.first, more.first)
  host.at_least = host.at_least or more.at_least
  for reason, counted in pairs(more.reasons) do
    local known = host.reasons[reason] or {0, counted[2]}
    host.reasons[reason] = {known[1] + counted[1], math.min(known[2], counted[2])}
  end
  if trim(host.reasons, MOST_REASONS, function(one) return one[1], one[2] end) then
    host.at_least = true
  end
end

local function add_hosts(kept, more)
  for name, host in pairs(kept.hosts) do
    -- Of one that is not among them there may have been some.
    host.at_least = host.at_least or more.dropped and not more.hosts[name]
  end
  for name, host in pairs(more.hosts) do
    if kept.hosts[name] then
      add_host(kept.hosts[name], host)
    else
      host.at_least = host.at_least or kept.dropped
      kept.hosts[name] = host
    end
  end
  local function weight(host) return host.failed + host.placeholders, host.first end
  local dropped = trim(kept.hosts, MOST_HOSTS, weight)
  kept.dropped = dropped or kept.dropped or more.dropped
  return cjson.encode(kept)
end

if redis.call('EXISTS', KEYS[1]) == 0 then
  finish(KEYS[6], ARGV[1])
  return 'NOJOB'
end
if redis.call('GETBIT', KEYS[4], ARGV[2]) == 1 then
  finish(KEYS[6], ARGV[1])
  return 'DUP'
end
if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 0 then return 'NOINPUT' end
-- Before anything is written. What a person broke is no reason not to record: it is begun anew.
local hosts = ARGV[8]
local kept = hosts ~= '' and redis.call('HGET', KEYS[1], 'hosts')
if kept and #kept <= MOST_JSON_BYTES then
  local added, both = pcall(function() return add_hosts(cjson.decode(kept), cjson.decode(hosts)) end)
  if added then hosts = both end
end
-- Before anything else: of a hash in which somebody broke it, nothing is counted rather than half.
local rows = redis.call('HINCRBY', KEYS[1], 'rows', ARGV[3])
redis.call('XADD', KEYS[2], '*', 'shard', ARGV[2], 'rows', ARGV[3], 'lines', ARGV[4])
redis.call('SETBIT', KEYS[4], ARGV[2], 1)
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'done', 1)
redis.call('HINCRBY', KEYS[1], 'ok', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'bytes', ARGV[7])
redis.call('HINCRBY', KEYS[1], 'result_bytes', #ARGV[4])
if hosts ~= '' then redis.call('HSET', KEYS[1], 'hosts', hosts) end
local kind = id_of(KEYS[6])
tally(KEYS[7], kind .. ':shards', 1)
tally(KEYS[7], kind .. ':rows', ARGV[3])
tally(KEYS[7], kind .. ':ok', ARGV[6])
tally(KEYS[7], kind .. ':bytes', ARGV[7])
for at = 12, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
  if string.sub(ARGV[at], 1, 6) == 'error:' then
    tally(KEYS[7], kind .. ':' .. ARGV[at], ARGV[at + 1])
  end
end
-- Two looks at the clock, five seconds apart or more: the rate of late is counted from the older.
local time = now()
local last = redis.call('HMGET', KEYS[1], 'last_at', 'last_rows')
if not last[1] then
  local started = redis.call('HGET', KEYS[1], 'started') or time
  redis.call('HSET', KEYS[1], 'rate_at', started, 'rate_rows', 0, 'last_at', time, 'last_rows', rows)
elseif tonumber(time) - tonumber(last[1]) >= 5 then
  redis.call('HSET', KEYS[1], 'rate_at', last[1], 'rate_rows', last[2],
    'last_at', time, 'last_rows', rows)
end
finish(KEYS[6], ARGV[1])
settle({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, ARGV[5], KEYS[7], KEYS[8])
return 'OK'
