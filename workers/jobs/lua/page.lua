-- Names of the newest jobs before a place: those known, and entries of the intake, taken or not.
-- An entry may hold megabytes: they are looked at one by one, and only their ids go out.
-- KEYS index intake   ARGV from_member from_id count   → {members, ids}
local MOST = '18446744073709551615'
local count = tonumber(ARGV[3])
local members, from = {}, ARGV[1]

local function is_ours(member)
  return #member == 41 and string.match(member, '^%d+%-%d+$')
    and string.sub(member, 1, 20) <= MOST and string.sub(member, 22) <= MOST
end

local step = math.max(100, count)
for _ = 1, 100 do  -- what a person wrote into the index is passed over
  local found = redis.call('ZREVRANGEBYLEX', KEYS[1], from, '-', 'LIMIT', 0, step)
  for _, member in ipairs(found) do
    if is_ours(member) then members[#members + 1] = member end
    from = '(' .. member
  end
  if #members >= count or #found < step then break end
end
local ids, last = {}, ARGV[2]
while #ids < count do
  local entry = redis.call('XREVRANGE', KEYS[2], last, '-', 'COUNT', 1)[1]
  if not entry then break end
  ids[#ids + 1] = entry[1]
  last = '(' .. entry[1]
end
return {members, ids}
