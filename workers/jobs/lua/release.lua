-- Drop results that were read, up to and with a cursor, a few at a time.
-- KEYS job results   ARGV through count   → {released entries, rows, cursor} | {NONE}
if redis.call('EXISTS', KEYS[1]) == 0 then return {'NONE'} end
local entries = redis.call('XRANGE', KEYS[2], '-', ARGV[1], 'COUNT', ARGV[2])
local bytes, rows, last = 0, 0, false
for _, entry in ipairs(entries) do
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == 'lines' then bytes = bytes + #fields[at + 1] end
    if fields[at] == 'rows' then rows = rows + (tonumber(fields[at + 1]) or 0) end
  end
  last = entry[1]
end
if last then
  redis.call('HINCRBY', KEYS[1], 'released_rows', rows)
  redis.call('HSET', KEYS[1], 'released', last)
  redis.call('HINCRBY', KEYS[1], 'result_bytes', -bytes)
  for _, entry in ipairs(entries) do redis.call('XDEL', KEYS[2], entry[1]) end
end
return {tostring(#entries), tostring(rows), last or ''}
