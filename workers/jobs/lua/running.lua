-- Have the names of jobs that run be what their hashes say: one may have been removed or written by hand,
-- or begun by a version that had no such names.
-- KEYS running job …   ARGV job …
for at = 1, #ARGV do
  local running = redis.pcall('HGET', KEYS[at + 1], 'state') == 'running'
  redis.call(running and 'SADD' or 'SREM', KEYS[1], ARGV[at])
end
