-- A job one of whose keys is broken: it fails and says so, as far as that can be said; others go on.
-- What it has not recorded by now it will not.
-- KEYS job results input fence marks intake totals running
--   ARGV job reason ttl
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  local told = redis.call('HMGET', KEYS[1], 'state', 'fed', 'done')
  if told[1] == 'running' then
    redis.call('HSET', KEYS[1], 'state', 'failed', 'reason', ARGV[2], 'finished', now(),
      'dropped', math.max(0, (tonumber(told[2]) or 0) - (tonumber(told[3]) or 0)))
    redis.call('HDEL', KEYS[1], 'paused')
    ended(KEYS[1], 'failed', KEYS[7], KEYS[8])
  end
else
  redis.pcall('SREM', KEYS[8], ARGV[1])
end
for at = 1, 5 do redis.call('EXPIRE', KEYS[at], ARGV[3]) end
return finish(KEYS[6], ARGV[1])
