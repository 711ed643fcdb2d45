// The scripts' texts. Redis 5 and later: what a script changed is replicated, not the script.
#include "stores/redis/scripts.hpp"

namespace unum::redis {
namespace {

/// Lua: `keep(key)` lets a key that was written expire.
std::string keep(Expiry expiry) {
  if (!expiry) return "local function keep() end\n";
  return "local function keep(key) redis.call('EXPIRE', key, " + std::to_string(expiry->count()) +
         ") end\n";
}

// A long value takes its name. It expires no more, unless all values do.
constexpr const char* kRename = R"lua(
local function rename(parts, key, length)
  if redis.call('STRLEN', parts) ~= tonumber(length) then return false end
  redis.call('RENAMENX', parts, key)
  redis.call('PERSIST', key)
  return true
end
)lua";

constexpr const char* kCommit = R"lua(
local now
local function note(name, always)
  if not now then
    local t = redis.call('TIME')
    now = t[1] .. string.format('%06d', t[2])
  end
  if always then redis.call('ZADD', KEYS[2], now, name)
  else redis.call('ZADD', KEYS[2], 'NX', now, name) end
  keep(KEYS[2])
end

local state = 0
if ARGV[1] == 'commit' then
  if redis.call('SET', KEYS[1], ARGV[2], 'NX') then
    state = 1
    keep(KEYS[1])
  else
    local stored = redis.call('GET', KEYS[1])
    if stored ~= ARGV[2] then return {stored} end
  end
  -- one that has expired is noted still
  note(ARGV[3], state == 1)
elseif ARGV[1] == 'rename' then
  local parts = KEYS[#KEYS]
  if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('UNLINK', parts)
    return {2}
  end
  if not rename(parts, KEYS[1], ARGV[2]) then return {3} end
  state = 1
  keep(KEYS[1])
  note(ARGV[3], true)
end
local beside = ARGV[#ARGV]
if state == 1 and beside ~= '' then
  local key = string.sub(KEYS[1], 1, -8) .. '-gc'
  redis.call('SET', key, beside)
  keep(key)
  note(string.sub(ARGV[3], 1, -8) .. '-gc', true)
end
local reply = {state}
local fan_ins = tonumber(ARGV[4])
if fan_ins == 0 then return reply end
local own_exists = ARGV[1] ~= 'join' or redis.call('EXISTS', KEYS[1]) == 1

-- nil for an absent or torn record: that is nobody's
local function record(text)
  if not text then return nil end
  local ok, r = pcall(cjson.decode, text)
  if ok and type(r) == 'table' and type(r.Owner) == 'string' and type(r.Digest) == 'string'
      and type(r.Values) == 'string' then return r end
end

-- up to `most` places whose outcomes are not known to exist, the first ones
local function unknown(marks, size, most)
  local places = {}
  local first = redis.call('BITPOS', marks, 0)
  if first < 0 then first = 0 end
  local from = math.floor(first / 8)
  local window = redis.call('GETRANGE', marks, from, from + 1023)
  for byte = 0, 1023 do
    local bits = string.byte(window, byte + 1) or 0
    if bits ~= 255 then
      for bit = 0, 7 do
        local place = (from + byte) * 8 + bit
        if place >= size or #places == most then return places end
        if bits < 128 then places[#places + 1] = place end
        bits = (bits * 2) % 256
      end
    end
  end
  return places
end

local function check(f)
  local claim = redis.call('GET', f.claim)
  if record(claim) then return {'stands', claim} end

  local known = redis.call('HMGET', f.checks, 'digest', 'key', 'place')
  if known[1] ~= f.digest then
    -- a mark is only knowledge: another list begins anew
    redis.call('DEL', f.marks, f.checks)
    redis.call('HSET', f.checks, 'digest', f.digest)
    redis.call('SADD', KEYS[3], f.aggregator)
    known = {}
  end
  if own_exists then redis.call('SETBIT', f.marks, f.place, 1) end
  if known[2] then
    if redis.call('EXISTS', known[2]) == 0 then return {'incomplete'} end
    redis.call('SETBIT', f.marks, known[3], 1)
  end
  for i, place in ipairs(f.places) do
    if redis.call('GETBIT', f.marks, place) == 0 then
      if redis.call('EXISTS', f.keys[i]) == 0 then
        redis.call('HSET', f.checks, 'key', f.keys[i], 'place', place)
        return {'incomplete'}
      end
      redis.call('SETBIT', f.marks, place, 1)
    end
  end
  if redis.call('BITCOUNT', f.marks) < f.size then
    redis.call('HDEL', f.checks, 'key', 'place')
    return {'check', unpack(unknown(f.marks, f.size, f.most))}
  end
  redis.call('SET', f.claim, f.record)
  keep(f.claim)
  note(f.aggregator .. '-fanin', true)
  redis.call('DEL', f.marks, f.checks)
  redis.call('SREM', KEYS[3], f.aggregator)
  return {'claimed'}
end

local key, arg = 4, 5
for i = 1, fan_ins do
  local f = {claim = KEYS[key], marks = KEYS[key + 1], checks = KEYS[key + 2],
    size = tonumber(ARGV[arg]), place = ARGV[arg + 1], digest = ARGV[arg + 2],
    record = ARGV[arg + 3], aggregator = ARGV[arg + 4], most = tonumber(ARGV[arg + 5]),
    keys = {}, places = {}}
  local named = tonumber(ARGV[arg + 6])
  for n = 1, named do
    f.keys[n] = KEYS[key + 2 + n]
    f.places[n] = ARGV[arg + 6 + n]
  end
  key = key + 3 + named
  arg = arg + 7 + named
  reply[#reply + 1] = check(f)
  keep(f.marks)
  keep(f.checks)
  keep(KEYS[3])
end
return reply
)lua";

}  // namespace

std::string commit_script(Expiry expiry) { return keep(expiry) + kRename + kCommit; }

std::string put_script(Expiry expiry) {
  return keep(expiry) + kRename + R"lua(
if KEYS[3] then
  if redis.call('STRLEN', KEYS[3]) ~= tonumber(ARGV[1]) then return 3 end
  redis.call('UNLINK', KEYS[1])
  rename(KEYS[3], KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1])
end
local t = redis.call('TIME')
keep(KEYS[1])
redis.call('ZADD', KEYS[2], t[1] .. string.format('%06d', t[2]), ARGV[2])
keep(KEYS[2])
return 1
)lua";
}

std::string part_script() {
  return R"lua(
local length = redis.call('STRLEN', KEYS[1])
local at = tonumber(ARGV[1])
if length ~= at then return length end
if at == 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', 3600)
else
  redis.call('APPEND', KEYS[1], ARGV[2])
end
return at + #ARGV[2]
)lua";
}

std::string check_parts_script() {
  return R"lua(
redis.call('APPEND', KEYS[1], '')
redis.call('PERSIST', KEYS[1])
redis.call('UNLINK', KEYS[1])
local renamed = redis.pcall('RENAMENX', KEYS[1], KEYS[1])
if string.find(renamed.err, 'no such key', 1, true) then return 1 end
return renamed
)lua";
}

std::string remove_script(Expiry expiry) {
  return keep(expiry) + R"lua(
for i = 3, #KEYS do
  redis.call('UNLINK', KEYS[i])
  redis.call('ZREM', KEYS[1], ARGV[i - 1])
end
for _, aggregator in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local under_way = ARGV[1] .. ':' .. aggregator
  redis.call('DEL', under_way .. '-marks', under_way .. '-looks')  -- see keys.hpp
end
redis.call('DEL', KEYS[2])
keep(KEYS[1])
return 1
)lua";
}

std::string collect_script(Expiry expiry) {
  return keep(expiry) + R"lua(
local t = redis.call('TIME')
local now = t[1] .. string.format('%06d', t[2])
local tombstones = tonumber(ARGV[2])
for i = 1, tombstones do
  redis.call('SET', KEYS[2 + i], '~')
  keep(KEYS[2 + i])
  redis.call('ZADD', KEYS[1], now, ARGV[2 + i])
end
for i = tombstones + 1, #KEYS - 2 do
  redis.call('UNLINK', KEYS[2 + i])
  redis.call('ZREM', KEYS[1], ARGV[2 + i])
  if string.sub(ARGV[2 + i], -6) == '-fanin' then
    local aggregator = string.sub(ARGV[2 + i], 1, -7)
    local under_way = ARGV[1] .. ':' .. aggregator
    redis.call('UNLINK', under_way .. '-marks', under_way .. '-looks')
    redis.call('SREM', KEYS[2], aggregator)
  end
end
keep(KEYS[1])
return 1
)lua";
}

std::string list_script() {
  return R"lua(
local page = redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3], 'WITHSCORES')
local reply = {}
for i = 1, #page, 2 do
  local key = ARGV[1] .. ':' .. page[i]
  local bytes = redis.call('STRLEN', key)
  if bytes == 0 and redis.call('EXISTS', key) == 0 then bytes = -1 end
  reply[#reply + 1] = page[i]
  reply[#reply + 1] = page[i + 1]
  reply[#reply + 1] = bytes
end
return reply
)lua";
}

}  // namespace unum::redis
