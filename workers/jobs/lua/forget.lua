-- A job that is only a name in the index any more.
-- KEYS job index   ARGV member   → 1 | 0
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return redis.call('ZREM', KEYS[2], ARGV[1])
