-- What there is to know of a shard.
-- KEYS job input fence   ARGV shard
-- → {state, kind, options, fed, rows | false, recorded, provenance | false, traceparent | false}
local job = redis.call('HMGET', KEYS[1], 'state', 'kind', 'options', 'fed', 'provenance',
  'traceparent')
local rows = redis.call('HGET', KEYS[2], ARGV[1])
return {job[1], job[2], job[3], job[4], rows, redis.call('GETBIT', KEYS[3], ARGV[1]), job[5], job[6]}
