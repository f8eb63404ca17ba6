-- Quarantine: say which rows are under way before they are, so that a death is blamed on them.
-- The mark is said, not counted up: asked twice, one death must not look like two.
-- KEYS job marks   ARGV ttl mark row …   → 1, or 0 where there is no such job
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for at = 3, #ARGV do redis.call('HSET', KEYS[2], ARGV[at], ARGV[2]) end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1
