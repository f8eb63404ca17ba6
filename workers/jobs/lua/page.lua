-- Names of the newest jobs before a place: those known, and entries of the intake, taken or not.
-- An entry may hold megabytes: they are looked at one by one, only their ids go out, and after some
-- the next call goes on (with '-' for the names, which are all told at once).
-- KEYS index intake   ARGV from_member from_id count   → {members, ids, next from_id | ''}
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
local ids, last, bytes = {}, ARGV[2], 0
while #ids < count do
  if bytes >= ENOUGH then return {members, ids, last} end
  local entry = redis.call('XREVRANGE', KEYS[2], last, '-', 'COUNT', 1)[1]
  if not entry then break end
  ids[#ids + 1] = entry[1]
  last = '(' .. entry[1]
  bytes = bytes + size_of(entry[2])
end
return {members, ids, ''}
