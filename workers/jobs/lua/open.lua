-- Begin to split a job, or go on where whoever did died.
-- KEYS intake job index open totals running
--   ARGV job member deliveries field value … (of a new job)
-- → {OK, rows_fed, fed, offset, stamp, deaths since the last row} | {STATE, state} | {GONE}
local known = redis.call('HMGET', KEYS[2], 'state', 'rows_fed', 'fed', 'offset', 'stamp',
  'seen_rows', 'seen_deliveries', 'paused')
if known[1] and known[1] ~= 'running' then
  redis.call('SREM', KEYS[4], ARGV[1])
  finish(KEYS[1], ARGV[1])
  return {'STATE', known[1]}
end
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
  redis.call('SREM', KEYS[4], ARGV[1])
  redis.call('XACK', KEYS[1], GROUP, ARGV[1])
  return {'GONE'}
end
-- A job known before whose hash is gone was removed by hand: it is not begun again.
if not known[1] and redis.call('ZSCORE', KEYS[3], ARGV[2]) then
  redis.call('SREM', KEYS[4], ARGV[1])
  finish(KEYS[1], ARGV[1])
  return {'GONE'}
end
if not known[1] then
  local fields = {}
  for at = 4, #ARGV do fields[#fields + 1] = ARGV[at] end
  redis.call('HSET', KEYS[2], 'state', 'running', 'started', now(), unpack(fields))
  redis.call('ZADD', KEYS[3], 0, ARGV[2])
  tally(KEYS[5], 'jobs:started', 1)
end
redis.call('SADD', KEYS[4], ARGV[1])
redis.pcall('SADD', KEYS[6], ARGV[1])
-- A death is a delivery more. One that waits for its results to be released gets no further.
local deaths = 0
if known[1] and not known[8] and (known[2] or '0') == known[6] then
  deaths = tonumber(ARGV[3]) - tonumber(known[7] or '0')
else
  redis.call('HSET', KEYS[2], 'seen_rows', known[2] or '0', 'seen_deliveries', ARGV[3])
end
return {'OK', known[2] or '0', known[3] or '0', known[4] or '0', known[5] or '', tostring(deaths)}
