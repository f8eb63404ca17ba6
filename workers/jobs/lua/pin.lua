-- What the first shard of a job was predicted with is what all of it is predicted with.
-- KEYS job   ARGV provenance   → what it is | false where the job is gone
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSETNX', KEYS[1], 'provenance', ARGV[1])
return redis.call('HGET', KEYS[1], 'provenance')
