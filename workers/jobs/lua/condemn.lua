-- A shard that cannot be run where it must be: its job fails and says why. Shards nobody has begun are
-- dropped with it; those that are under way are recorded all the same.
-- KEYS job results input fence marks shards intake open totals running
--   ARGV job entry shard reason ttl
-- → the job's upload, where it was still to be split from one
local state, sealed, upload, reason =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'shards', 'upload', 'reason'))
if not state then
  finish(KEYS[6], ARGV[2])
  return false
end
local dropped = 0
if state == 'running' then
  redis.call('HSET', KEYS[1], 'state', 'failed', 'reason', ARGV[4], 'finished', now())
  ended(KEYS[1], 'failed', KEYS[9], KEYS[10])
  redis.call('HDEL', KEYS[1], 'paused')
  redis.call('SREM', KEYS[8], ARGV[1])
  finish(KEYS[7], ARGV[1])
  dropped = drop_waiting(KEYS[6], KEYS[3], ARGV[1])
end
dropped = dropped + redis.call('HDEL', KEYS[3], ARGV[3])
finish(KEYS[6], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'dropped', dropped)
settle({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, ARGV[5], KEYS[9], KEYS[10])
-- By the same reason it is this very call that failed it, and whose answer was lost.
if not sealed and (state == 'running' or state == 'failed' and reason == ARGV[4]) then
  return upload
end
return false
