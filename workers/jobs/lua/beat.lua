-- Renew leases that are still ours; cancellation rides back on it.
-- KEYS stream job …   ARGV consumer entry …   → {{lost entry, …}, {state of each job, …}}
local lost, states = {}, {}
for at = 2, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], GROUP, ARGV[at], ARGV[at], 1)
  if pending[1] and pending[1][2] == ARGV[1] then
    redis.call('XCLAIM', KEYS[1], GROUP, ARGV[1], 0, ARGV[at], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[at]
  end
end
for at = 2, #KEYS do
  local state = redis.pcall('HGET', KEYS[at], 'state')
  if type(state) == 'table' then state = 'broken' end  -- which must not cost others their leases
  states[#states + 1] = state or 'gone'
end
return {lost, states}
