-- Uploads named in the intake, some entries at a time. Only the names go out.
-- KEYS intake   ARGV from_id count   → {next_from_id | '', name, …}
local answer, bytes = {''}, 0
for _ = 1, tonumber(ARGV[2]) do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 1)[1]
  if not entry then return answer end
  for at = 1, #entry[2], 2 do
    if entry[2][at] == 'upload' then answer[#answer + 1] = entry[2][at + 1] end
  end
  ARGV[1] = '(' .. entry[1]
  bytes = bytes + size_of(entry[2])
  if bytes >= ENOUGH then break end
end
answer[1] = ARGV[1]
return answer
