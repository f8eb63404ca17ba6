-- Record a shard: results, progress and acknowledgement at once. Who comes first wins: the same
-- rows give the same facts, and a rule by owner would never end where work outlasts a lease.
-- KEYS job results input fence marks shards
-- ARGV entry shard rows lines ttl ok bytes counter count …   → OK | DUP | NOJOB | NOINPUT
if redis.call('EXISTS', KEYS[1]) == 0 then
  finish(KEYS[6], ARGV[1])
  return 'NOJOB'
end
if redis.call('GETBIT', KEYS[4], ARGV[2]) == 1 then
  finish(KEYS[6], ARGV[1])
  return 'DUP'
end
if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 0 then return 'NOINPUT' end
-- Before anything else: of a hash in which somebody broke it, nothing is counted rather than half.
local rows = redis.call('HINCRBY', KEYS[1], 'rows', ARGV[3])
redis.call('XADD', KEYS[2], '*', 'shard', ARGV[2], 'rows', ARGV[3], 'lines', ARGV[4])
redis.call('SETBIT', KEYS[4], ARGV[2], 1)
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'done', 1)
redis.call('HINCRBY', KEYS[1], 'ok', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'bytes', ARGV[7])
redis.call('HINCRBY', KEYS[1], 'result_bytes', #ARGV[4])
for at = 8, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1]) end
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
settle({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, ARGV[5])
return 'OK'
