-- Take over entries whose lease ran out, the first and as many more as are not too large together.
-- (XAUTOCLAIM answers otherwise on each version of Redis and keeps deleted entries pending on 6.2.)
-- KEYS stream   ARGV consumer idle_ms count   → {{entry, deliveries, fields}, …}
local taken, bytes = {}, 0
for _, pending in ipairs(redis.call('XPENDING', KEYS[1], GROUP, 'IDLE', ARGV[2], '-', '+', ARGV[3])) do
  local entry = redis.call('XRANGE', KEYS[1], pending[1], pending[1])
  if #entry == 0 then
    redis.call('XACK', KEYS[1], GROUP, pending[1])
  else
    -- As XCLAIM counts by itself, but without reading the fields a second time.
    redis.call('XCLAIM', KEYS[1], GROUP, ARGV[1], 0, pending[1],
      'RETRYCOUNT', pending[4] + 1, 'JUSTID')
    taken[#taken + 1] = {pending[1], pending[4] + 1, entry[1][2]}
    bytes = bytes + size_of(entry[1][2])
    if bytes >= ENOUGH then break end
  end
end
return taken
