-- Give entries back: whoever claims next has them at once, and their count of deliveries stays.
-- KEYS stream   ARGV consumer entry …   → how many were ours
local given = 0
for at = 2, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], GROUP, ARGV[at], ARGV[at], 1)
  if pending[1] and pending[1][2] == ARGV[1] then
    redis.call('XCLAIM', KEYS[1], GROUP, ARGV[1], 0, ARGV[at], 'IDLE', 86400000,
      'RETRYCOUNT', math.max(0, pending[1][4] - 1), 'JUSTID')
    given = given + 1
  end
end
return given
