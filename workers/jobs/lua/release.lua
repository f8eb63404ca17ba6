-- Drop results that were read, up to and with a cursor, a few at a time. Deleting comes first: this
-- is what helps when memory is short, and a script that has begun to write is not refused any more.
-- KEYS job results   ARGV through count   → {released entries, rows, cursor} | {NONE}
if redis.call('EXISTS', KEYS[1]) == 0 then return {'NONE'} end
local entries = redis.call('XRANGE', KEYS[2], '-', ARGV[1], 'COUNT', ARGV[2])
local bytes, rows, last = 0, 0, false
for _, entry in ipairs(entries) do
  local fields = entry[2]
  for at = 1, #fields, 2 do
    local value = fields[at + 1]
    if fields[at] == 'lines' then bytes = bytes + #value end
    if fields[at] == 'rows' and string.match(value, '^%d%d?%d?%d?%d?%d?%d?%d?%d?$') then
      rows = rows + tonumber(value)
    end
  end
  last = entry[1]
end
if last then
  for _, entry in ipairs(entries) do redis.call('XDEL', KEYS[2], entry[1]) end
  redis.call('HSET', KEYS[1], 'released', last)
  redis.call('HINCRBY', KEYS[1], 'released_rows', rows)
  redis.call('HINCRBY', KEYS[1], 'result_bytes', -bytes)
end
return {tostring(#entries), tostring(rows), last or ''}
