-- What somebody took out of the streams by hand: shards are put back, as their rows are still
-- there; without its entry in the intake a job cannot be split on, and without their rows shards
-- cannot be run. More shards than can be looked at in one go are left for another time.
-- KEYS job results input fence marks shards intake open totals running
--   ARGV job ttl unsplit unread (reasons)
-- → shards put back, or -1 where the job failed
local MOST = 10000
local job = redis.call('HMGET', KEYS[1], 'state', 'shards')
if job[1] ~= 'running' then return 0 end
local answer = 0
if not job[2] and #redis.call('XRANGE', KEYS[7], ARGV[1], ARGV[1]) == 0 then
  redis.call('HSET', KEYS[1], 'state', 'failed', 'reason', ARGV[3], 'finished', now())
  redis.call('HDEL', KEYS[1], 'paused')
  redis.call('SREM', KEYS[8], ARGV[1])
  ended(KEYS[1], 'failed', KEYS[9], KEYS[10])
  answer = -1
end
if redis.call('XLEN', KEYS[6]) <= MOST then
  local there = {}
  for _, entry in ipairs(redis.call('XRANGE', KEYS[6], '-', '+', 'COUNT', MOST)) do
    local fields = entry[2]
    if fields[1] == 'job' and fields[2] == ARGV[1] and fields[3] == 'shard' then
      there[fields[4]] = true
    end
  end
  for _, shard in ipairs(redis.call('HKEYS', KEYS[3])) do
    if not there[shard] then
      redis.call('XADD', KEYS[6], '*', 'job', ARGV[1], 'shard', shard)
      if answer >= 0 then answer = answer + 1 end
    end
  end
end
-- Whatever was fed and is neither recorded nor dropped has its rows in `input`, at any moment.
local fed, done, dropped = numbers(KEYS[1], 'fed', 'done', 'dropped')
local lost = fed - done - dropped - redis.call('HLEN', KEYS[3])
if lost > 0 then
  redis.call('HSET', KEYS[1], 'state', 'failed', 'reason', ARGV[4], 'finished', now(),
    'dropped', dropped + lost)
  redis.call('SREM', KEYS[8], ARGV[1])
  finish(KEYS[7], ARGV[1])
  if answer >= 0 then ended(KEYS[1], 'failed', KEYS[9], KEYS[10]) end
  answer = -1
end
settle({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, ARGV[2], KEYS[9], KEYS[10])
return answer
