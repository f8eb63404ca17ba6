-- Take names out of the set of jobs being split that are of none (any more): its hash was removed by
-- hand, or its splitter died at a bad moment. They would have a share of the room.
-- KEYS open job …   ARGV member …   → how many
local closed = 0
for at = 1, #ARGV do
  local job = redis.pcall('HMGET', KEYS[at + 1], 'state', 'shards')
  if job[1] ~= 'running' or job[2] then
    closed = closed + redis.call('SREM', KEYS[1], ARGV[at])
  end
end
return closed
