-- Remove a job and all that is kept of it; whoever runs a shard of it finds no job at the end.
-- KEYS job results input fence marks intake index open shards totals running
--   ARGV job member   → 1 | 0
local there = redis.call('EXISTS', KEYS[1])
redis.call('SREM', KEYS[8], ARGV[1])
redis.call('ZREM', KEYS[7], ARGV[2])
there = there + finish(KEYS[6], ARGV[1])
drop_waiting(KEYS[9], KEYS[3], ARGV[1])
redis.pcall('SREM', KEYS[11], ARGV[1])
local state = redis.pcall('HGET', KEYS[1], 'state')
if state == 'running' then tally(KEYS[10], 'jobs:deleted', 1) end
for at = 1, 5 do redis.call('UNLINK', KEYS[at]) end
return math.min(1, there)
