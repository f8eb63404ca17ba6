-- Add a job to the intake, once for each token.
-- KEYS once intake   ARGV ttl fingerprint field value …   → {OK | KNOWN | OTHER, job}
local known = redis.call('HMGET', KEYS[1], 'job', 'fingerprint')
if known[1] then return {known[2] == ARGV[2] and 'KNOWN' or 'OTHER', known[1]} end
local fields = {}
for at = 3, #ARGV do fields[#fields + 1] = ARGV[at] end
local job = redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('HSET', KEYS[1], 'job', job, 'fingerprint', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {'OK', job}
