-- An entry that is no request of ours: kept for a person to look at, never to come back.
-- KEYS stream dead   ARGV entry reason raw   → 1, or 0 where it is buried already
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
  redis.call('XACK', KEYS[1], GROUP, ARGV[1])
  return 0
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*',
  'reason', ARGV[2], 'source', KEYS[1], 'id', ARGV[1], 'raw', ARGV[3])
return finish(KEYS[1], ARGV[1])
