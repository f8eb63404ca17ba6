-- A job is split whole: its number of rows is known, its entry in the intake has served.
-- KEYS job results input fence marks intake open totals running
--   ARGV job fed ttl field value …
-- → {OK} | {SEEN, fed} | {STATE, state}
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'running' then
  local fed, rows_fed = numbers(KEYS[1], 'fed', 'rows_fed')
  if fed ~= tonumber(ARGV[2]) then return {'SEEN', tostring(fed)} end
  local fields = {}
  for at = 4, #ARGV do fields[#fields + 1] = ARGV[at] end
  redis.call('HSET', KEYS[1], 'total', rows_fed, 'shards', fed, unpack(fields))
  redis.call('HDEL', KEYS[1], 'paused')
  settle({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, ARGV[3], KEYS[8], KEYS[9])
end
finish(KEYS[6], ARGV[1])
redis.call('SREM', KEYS[7], ARGV[1])
if state == 'running' then return {'OK'} end
return {'STATE', state or 'gone'}
