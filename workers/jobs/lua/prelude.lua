-- In front of every script. A script is all or nothing. In an append-only file that was cut within
-- it, it is nothing only once redis-check-aof has taken its beginning off: workers/jobs/tail.py does
-- so for a Redis of our own, docs/reliability.md tells the others. Its first write is one that is
-- refused when memory is short, so that then nothing happens.
local GROUP = 'census'
-- An entry may hold megabytes, and a script keeps everybody waiting: whatever looks at entries of
-- the intake one after the other stops after so many bytes, and is asked again for the rest.
local ENOUGH = 4 * 1024 * 1024

local function now()
  local time = redis.call('TIME')
  return string.format('%d.%03d', time[1], math.floor(time[2] / 1000))
end

-- Acknowledge an entry and take it out: what is in a stream is what is still to be done.
local function finish(stream, entry)
  redis.call('XACK', stream, GROUP, entry)
  return redis.call('XDEL', stream, entry)
end

-- Bytes of an entry or a hash, about.
local function size_of(fields)
  local bytes = 0
  for at = 1, #fields do bytes = bytes + #fields[at] + 40 end
  return bytes
end

-- Fields of a hash as numbers, 0 where they are missing.
local function numbers(key, ...)
  local found = redis.call('HMGET', key, ...)
  for at = 1, #found do found[at] = tonumber(found[at] or '0') end
  return unpack(found)
end

-- What all jobs add up to, for whoever watches. Somebody may have broken the key, here and in the two
-- below, which is no reason not to go on.
local function tally(totals, field, count)
  redis.pcall('HINCRBY', totals, field, count)
end

-- The id of a job, by the key of its hash.
local function id_of(job)
  return string.match(job, '[^:]*$')
end

-- A job that ran has ended: `done`, `failed`, …
local function ended(job, how, totals, running)
  redis.pcall('SREM', running, id_of(job))
  tally(totals, 'jobs:' .. how, 1)
end

-- keys: job, results, input, fence, marks. A job whose every shard was recorded or dropped needs
-- nothing any more but to be read: it is done if it was split whole, and its keys have their time.
local function settle(keys, ttl, totals, running)
  local fed, done, dropped = numbers(keys[1], 'fed', 'done', 'dropped')
  if done + dropped < fed then return end
  local job = redis.call('HMGET', keys[1], 'state', 'shards')
  if job[1] == 'running' then
    if not job[2] then return end
    redis.call('HSET', keys[1], 'state', 'done', 'finished', now())
    ended(keys[1], 'done', totals, running)
  end
  for _, key in ipairs(keys) do redis.call('EXPIRE', key, ttl) end
end

-- Take shards of a job that nobody has begun out of their stream; returns how many. Those behind the
-- first ten thousand entries stay: they are dropped when they are taken.
local function drop_waiting(stream, input, job)
  local dropped = 0
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 10000)) do
    local fields = entry[2]
    if fields[1] == 'job' and fields[2] == job and fields[3] == 'shard' then
      local pending = redis.pcall('XPENDING', stream, GROUP, entry[1], entry[1], 1)
      if pending.err or #pending == 0 then
        redis.call('XDEL', stream, entry[1])
        dropped = dropped + redis.call('HDEL', input, fields[4])
      end
    end
  end
  return dropped
end
