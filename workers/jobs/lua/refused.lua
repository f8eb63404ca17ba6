-- Why an entry of the intake is among the dead letters, of which the newest are looked at. Reads only.
-- KEYS dead   ARGV source entry most   → reason, cut where it is long | false
local LONGEST = 1000
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return false end
local last, left, bytes = '+', tonumber(ARGV[3]), 0
while left > 0 and bytes < ENOUGH do
  local found = redis.call('XREVRANGE', KEYS[1], last, '-', 'COUNT', math.min(left, 10))
  if #found == 0 then break end
  for _, letter in ipairs(found) do
    local told = {}
    for at = 1, #letter[2], 2 do told[letter[2][at]] = letter[2][at + 1] end
    if told.id == ARGV[2] and told.source == ARGV[1] then
      return string.sub(told.reason or '', 1, LONGEST)
    end
    bytes = bytes + size_of(letter[2])
    last = '(' .. letter[1]
  end
  left = left - #found
end
return false
