-- Give entries back: whoever claims next has them at once, and their count of deliveries stays. One
-- that nobody renewed for so long was given back already, and the answer lost.
-- KEYS stream   ARGV consumer entry …   → how many were ours
local LONG_MS = 86400000
local given = 0
for at = 2, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], GROUP, ARGV[at], ARGV[at], 1)
  if pending[1] and pending[1][2] == ARGV[1] then
    if pending[1][3] < LONG_MS / 2 then
      redis.call('XCLAIM', KEYS[1], GROUP, ARGV[1], 0, ARGV[at], 'IDLE', LONG_MS,
        'RETRYCOUNT', math.max(0, pending[1][4] - 1), 'JUSTID')
    end
    given = given + 1
  end
end
return given
