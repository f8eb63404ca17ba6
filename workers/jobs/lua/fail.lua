-- A job cannot be split on. What was fed is recorded all the same. One that was split whole has
-- not failed: whoever splits it a second time may not find its upload any more.
-- KEYS job results input fence marks intake open totals running
--   ARGV job reason ttl   → {OK} | {STATE, state}
local state, sealed = unpack(redis.call('HMGET', KEYS[1], 'state', 'shards'))
local failed = state == 'running' and not sealed
if failed then
  redis.call('HSET', KEYS[1], 'state', 'failed', 'reason', ARGV[2], 'finished', now())
  ended(KEYS[1], 'failed', KEYS[8], KEYS[9])
  redis.call('HDEL', KEYS[1], 'paused')
  settle({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, ARGV[3], KEYS[8], KEYS[9])
end
finish(KEYS[6], ARGV[1])
redis.call('SREM', KEYS[7], ARGV[1])
if failed then return {'OK'} end
return {'STATE', state or 'gone'}
