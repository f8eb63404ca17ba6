-- What there is to know of jobs, of the first and as many more as are not too large together. Reads
-- only; what a hash or an entry holds beyond what we write into one is left out.
-- KEYS intake index job …   ARGV job member …
-- → {time, {JOB, fields} | {ENTRY, fields} | {ODD} | {EXPIRED} | {NONE}, …}
local MOST_FIELDS, LONGEST = 2000, 65536  -- hosts may answer with any status to 999
local bytes = 0

local function cut(fields)
  for at = 1, #fields do
    if #fields[at] > LONGEST then fields[at] = string.sub(fields[at], 1, LONGEST) end
  end
  return fields
end

local function entry_of(id)
  local found = redis.pcall('XRANGE', KEYS[1], id, id)
  if found.err or not found[1] then return found, {} end
  bytes = bytes + size_of(found[1][2])
  local fields = {}
  for at = 1, math.min(#found[1][2], MOST_FIELDS), 2 do
    local name, value = found[1][2][at], found[1][2][at + 1]
    if name == 'images' then value = '[]' end  -- by far the largest, and nobody wants to see it
    fields[at], fields[at + 1] = name, value
  end
  return found, fields
end

local told = {now()}
for at = 3, #KEYS do
  local id, member = ARGV[2 * at - 5], ARGV[2 * at - 4]
  local kind = redis.call('TYPE', KEYS[at]).ok
  if kind == 'hash' and redis.call('HLEN', KEYS[at]) <= MOST_FIELDS then
    local fields = redis.call('HGETALL', KEYS[at])
    bytes = bytes + size_of(fields)
    told[#told + 1] = {'JOB', cut(fields)}
  elseif kind ~= 'none' then
    told[#told + 1] = {'ODD'}
  else
    local found, fields = entry_of(id)
    if found.err then
      return found
    elseif found[1] then
      told[#told + 1] = {'ENTRY', cut(fields)}
    elseif redis.call('ZSCORE', KEYS[2], member) then
      told[#told + 1] = {'EXPIRED'}
    else
      told[#told + 1] = {'NONE'}
    end
  end
  if bytes >= ENOUGH then break end
end
return told
