-- Cancel a job. Shards nobody has begun are dropped; whoever runs one hears of it by heartbeat.
-- Taking out comes first: it helps when memory is short, and a script that has begun to write is
-- not refused any more.
-- KEYS job results input fence marks intake index open shards totals running
-- ARGV job member ttl field value … (of a job nobody has taken yet)   → {OK} | {FINAL, state} | {NONE}
local keys = {KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'cancelled' then return {'OK'} end
if state and state ~= 'running' then return {'FINAL', state} end
if not state and #redis.call('XRANGE', KEYS[6], ARGV[1], ARGV[1]) == 0 then return {'NONE'} end
redis.call('SREM', KEYS[8], ARGV[1])
local time = now()
redis.call('HSET', KEYS[1], 'state', 'cancelled', 'finished', time)
ended(KEYS[1], 'cancelled', KEYS[10], KEYS[11])
if not state then
  tally(KEYS[10], 'jobs:started', 1)
  local fields = {}
  for at = 4, #ARGV do fields[#fields + 1] = ARGV[at] end
  redis.call('HSET', KEYS[1], 'started', time, unpack(fields))
  redis.call('ZADD', KEYS[7], 0, ARGV[2])
end
redis.call('HDEL', KEYS[1], 'paused')
finish(KEYS[6], ARGV[1])
redis.call('HINCRBY', KEYS[1], 'dropped', drop_waiting(KEYS[9], KEYS[3], ARGV[1]))
settle(keys, ARGV[3], KEYS[10], KEYS[11])
return {'OK'}
