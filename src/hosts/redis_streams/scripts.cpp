// The scripts' texts. Redis 6.2 and later.
#include "hosts/redis_streams/scripts.hpp"

namespace unum::streams {

const char* const kGroupScript = R"lua(
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
return 1
)lua";

const char* const kSettleScript = R"lua(
local group, consumer, id, what = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if #redis.call('XPENDING', KEYS[1], group, id, id, 1, consumer) == 0 then return 0 end
if what == 'later' then
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[6])
elseif what == 'dead' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', unpack(ARGV, 6))
end
redis.call('XACK', KEYS[1], group, id)
redis.call('XDEL', KEYS[1], id)
return 1
)lua";

const char* const kBeatScript = R"lua(
local group, consumer = ARGV[1], ARGV[2]
local lost = {}
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], group, ARGV[i], ARGV[i], 1, consumer) == 0 then
    lost[#lost + 1] = ARGV[i]
  else
    redis.call('XCLAIM', KEYS[1], group, consumer, 0, ARGV[i], 'JUSTID')
  end
end
return lost
)lua";

const char* const kTakeScript = R"lua(
local taken = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4],
  'COUNT', ARGV[5])
local entries = {}
for _, entry in ipairs(taken[2]) do
  if entry then
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
    entries[#entries + 1] = {entry[1], entry[2], pending[1] and pending[1][4] or 1}
  end
end
return {taken[1], entries, taken[3] or {}}
)lua";

const char* const kDueScript = R"lua(
local function unpacked(text)
  local fields, at = {}, 1
  while at <= #text do
    local colon = string.find(text, ':', at, true)
    local length = colon and tonumber(string.sub(text, at, colon - 1))
    if not length or length < 0 or colon + length > #text then return nil end
    fields[#fields + 1] = string.sub(text, colon + 1, colon + length)
    at = colon + length + 1
  end
  if #fields == 0 or #fields % 2 ~= 0 or #fields > 64 then return nil end
  return fields
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, text in ipairs(due) do
  local fields = unpacked(text)
  if fields then
    redis.call('XADD', KEYS[1], '*', unpack(fields))
  else
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'error', 'Unum.Message',
      'cause', 'a delayed message that is none', 'message', text)
  end
  redis.call('ZREM', KEYS[2], text)
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local wait = -1
if first[2] then wait = math.max(0, tonumber(first[2]) - now) end
return {#due, wait}
)lua";

const char* const kSubmitScript = R"lua(
if redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then
  return false
end
return redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
)lua";

const char* const kLengthsScript = R"lua(
return {redis.call('XLEN', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('XLEN', KEYS[3])}
)lua";

const char* const kLeaveScript = R"lua(
local group, consumer = ARGV[1], ARGV[2]
local pending = redis.call('XPENDING', KEYS[1], group, '-', '+', 1000, consumer)
for _, entry in ipairs(pending) do
  redis.call('XCLAIM', KEYS[1], group, consumer, 0, entry[1], 'IDLE', ARGV[3], 'JUSTID')
end
if #pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, consumer) end
return #pending
)lua";

const char* const kSweepScript = R"lua(
local removed = 0
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local of = {}
  for i = 1, #info, 2 do of[info[i]] = info[i + 1] end
  if of.pending == 0 and of.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of.name)
    removed = removed + 1
  end
end
return removed
)lua";

}  // namespace unum::streams
