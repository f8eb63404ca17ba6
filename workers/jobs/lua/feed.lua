-- Add the next shard of a job, if there is room for it. Rows are megabytes at worst: without any (''),
-- it only tells whether they would be taken.
-- KEYS job input shards open capacity
-- ARGV job shard first_row rows end_row offset most_result_bytes field value … (of the job)
-- → {OK} | {ROOM} | {SEEN, fed, rows_fed} | {FULL} | {PAUSED} | {STATE, state}
local state, sealed = unpack(redis.call('HMGET', KEYS[1], 'state', 'shards'))
if state ~= 'running' or sealed then
  redis.call('SREM', KEYS[4], ARGV[1])
  return {'STATE', state == 'running' and 'sealed' or state or 'gone'}
end
local fed, rows_fed, done, dropped, result_bytes, paused =
  numbers(KEYS[1], 'fed', 'rows_fed', 'done', 'dropped', 'result_bytes', 'paused')
if fed ~= tonumber(ARGV[2]) or rows_fed ~= tonumber(ARGV[3]) then
  return {'SEEN', tostring(fed), tostring(rows_fed)}
end
if result_bytes >= tonumber(ARGV[7]) then
  if paused ~= 1 then redis.call('HSET', KEYS[1], 'paused', 1) end
  redis.call('SREM', KEYS[4], ARGV[1])  -- each time: whoever opens it again puts it back
  return {'PAUSED'}
end
-- Twice what living consumers run at once waits, an even share of each job that is being split.
local window = math.max(2, 2 * tonumber(redis.call('GET', KEYS[5]) or '0'))
local sharing = math.max(1, redis.call('SCARD', KEYS[4]))
if redis.call('XLEN', KEYS[3]) >= window
  or fed - done - dropped >= math.max(1, math.floor(window / sharing)) then
  return {'FULL'}
end
if ARGV[4] == '' then return {'ROOM'} end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('XADD', KEYS[3], '*', 'job', ARGV[1], 'shard', ARGV[2])
local fields = {}
for at = 8, #ARGV do fields[#fields + 1] = ARGV[at] end
redis.call('HSET', KEYS[1], 'fed', fed + 1, 'rows_fed', ARGV[5], 'offset', ARGV[6], unpack(fields))
if paused == 1 then redis.call('HDEL', KEYS[1], 'paused') end
redis.call('SADD', KEYS[4], ARGV[1])
return {'OK'}
