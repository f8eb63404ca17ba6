-- Take over entries whose lease ran out. (XAUTOCLAIM answers otherwise on each version of Redis and
-- keeps deleted entries pending on 6.2.)
-- KEYS stream   ARGV consumer idle_ms count   → {{entry, deliveries, fields}, …}
local taken = {}
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], GROUP, 'IDLE', ARGV[2], '-', '+', ARGV[3])) do
  local entry = redis.call('XRANGE', KEYS[1], pending[1], pending[1])
  if #entry == 0 then
    redis.call('XACK', KEYS[1], GROUP, pending[1])
  else
    redis.call('XCLAIM', KEYS[1], GROUP, ARGV[1], 0, pending[1])
    taken[#taken + 1] = {pending[1], pending[4] + 1, entry[1][2]}
  end
end
return taken
