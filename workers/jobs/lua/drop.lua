-- A shard that was taken when its job was cancelled already: none of its rows gets a record.
-- KEYS job results input fence marks shards totals running   ARGV entry shard ttl
if redis.call('EXISTS', KEYS[1]) == 1 then
  local taken = redis.call('HDEL', KEYS[3], ARGV[2])
  finish(KEYS[6], ARGV[1])
  if taken == 1 then
    redis.call('HINCRBY', KEYS[1], 'dropped', 1)
    settle({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, ARGV[3], KEYS[7], KEYS[8])
  end
  return taken
end
finish(KEYS[6], ARGV[1])
return 0
