-- Names of consumers that are long gone. One with entries pending is never removed: they would go
-- with it.
-- KEYS stream   ARGV idle_ms [consumer, whatever its idle time]   → how many
local removed = 0
local found = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], GROUP)
if found.err then return 0 end
for _, told in ipairs(found) do
  local consumer = {}
  for at = 1, #told, 2 do consumer[told[at]] = told[at + 1] end
  if consumer.pending == 0 and (consumer.idle > tonumber(ARGV[1]) or consumer.name == ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], GROUP, consumer.name)
    removed = removed + 1
  end
end
return removed
