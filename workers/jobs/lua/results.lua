-- The next results behind a cursor: so many, or fewer where they are larger than so many bytes
-- together, but one. Whoever reads holds what is returned, and nobody knows before how much it is.
-- KEYS results   ARGV after count most_bytes   → {{id, fields}, …}
local GREATEST = '18446744073709551615-18446744073709551615'
local found, size, last = {}, 0, ARGV[1]
for _ = 1, tonumber(ARGV[2]) do
  if last == GREATEST then break end
  local entry = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)[1]
  if not entry then break end
  for _, part in ipairs(entry[2]) do size = size + #part end
  if #found > 0 and size > tonumber(ARGV[3]) then break end
  found[#found + 1] = entry
  last = entry[1]
end
return found
