-- Quarantine: say which rows are under way before they are, so that a death is blamed on them.
-- KEYS job marks   ARGV ttl row …   → 1, or 0 where there is no such job
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for at = 2, #ARGV do redis.call('HINCRBY', KEYS[2], ARGV[at], 1) end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1
