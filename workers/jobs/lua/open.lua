-- Begin to split a job, or go on where whoever did died.
-- KEYS intake job index open   ARGV job member field value … (of a new job)
-- → {OK, rows_fed, fed, offset, stamp} | {STATE, state} | {GONE}
local known = redis.call('HMGET', KEYS[2], 'state', 'rows_fed', 'fed', 'offset', 'stamp')
if known[1] and known[1] ~= 'running' then
  finish(KEYS[1], ARGV[1])
  return {'STATE', known[1]}
end
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
  redis.call('XACK', KEYS[1], GROUP, ARGV[1])
  return {'GONE'}
end
if not known[1] then
  local fields = {}
  for at = 3, #ARGV do fields[#fields + 1] = ARGV[at] end
  redis.call('HSET', KEYS[2], 'state', 'running', 'started', now(), unpack(fields))
  redis.call('ZADD', KEYS[3], 0, ARGV[2])
end
redis.call('SADD', KEYS[4], ARGV[1])
return {'OK', known[2] or '0', known[3] or '0', known[4] or '0', known[5] or ''}
