// Long values: in parts, appended to a key of the writer's own, which the script that commits
// renames to the value's name. So no command is long: hiredis moves what is unsent of one after
// each partial send, and a script holds copies of its arguments.
#include <algorithm>
#include <exception>

#include "base/limits.hpp"
#include "stores/redis/keys.hpp"
#include "stores/redis/redis_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::redis {
namespace {

// Parts on their way at once: they bound the memory that a long value takes besides itself.
constexpr std::size_t kPartsAtOnce = 8;
// Times that a writer begins again because the server lost what it had of the value.
constexpr unsigned kRoundsMax = 16;
// What a script answers when the parts are not whole.
constexpr std::int64_t kPartsMissing = 3;
// An upload that failed is removed within this time, or else expires.
constexpr auto kDiscardTime = std::chrono::seconds(1);

bool tells_missing(const Reply& reply) noexcept {
  const Reply& first = reply.elements.empty() ? reply : reply.elements.front();
  return first.type == Reply::Type::integer && first.integer == kPartsMissing;
}

}  // namespace

/// Appends the value to the key. The script takes a part only where it belongs, and takes none
/// twice, so that parts may be sent again, and in any order, after a lost connection.
Task<void> RedisStore::write_parts(std::string_view key, const SessionContext& context,
                                   std::string_view name, std::string_view value, Wait wait) {
  std::size_t written = 0;
  for (unsigned round = 0; written < value.size(); ++round) {
    if (round == kRoundsMax) throw_parts_vanish(context, name);
    const std::size_t begin = written;
    std::size_t there = value.size();
    const auto write_one = [&](std::size_t i) -> Task<void> {
      if (there < value.size()) co_return;
      const std::size_t at = begin + i * kPartBytes;
      const std::string_view part = value.substr(at, kPartBytes);
      Arguments arguments;
      arguments.keys.push_back(key);
      arguments.value(std::to_string(at));
      arguments.view(part);
      const Reply reply = co_await run(part_, arguments, context, name, wait);
      const auto length = static_cast<std::size_t>(reply.integer);
      if (length < at + part.size()) there = std::min(there, length);
    };
    const std::size_t parts = (value.size() - begin + kPartBytes - 1) / kPartBytes;
    co_await for_each_bounded(parts, kPartsAtOnce, write_one);
    written = there;
  }
}

/// Runs the script, whose last key is that of the parts, when all of them are there. What fails
/// leaves no parts behind, or such as expire.
Task<Reply> RedisStore::run_with_parts(const Script& script, Arguments& arguments,
                                       const SessionContext& context, std::string_view name,
                                       std::string_view value, Wait wait) {
  if (value.size() > kRedisValueBytesMax) {
    throw Error(ErrorKind::exhausted, "stores", "Unum.ValueTooLarge",
                std::string(name) + ": its value has " + std::to_string(value.size()) +
                    " bytes; at most " + std::to_string(kRedisValueBytesMax) +
                    " are possible on Redis");
  }
  const std::string key = parts_key(index_key(context.session()), writer_, ++long_values_);
  arguments.keys.push_back(key);
  std::exception_ptr failure;
  try {
    for (unsigned round = 0; round < kRoundsMax; ++round) {
      co_await write_parts(key, context, name, value, wait);
      Reply reply = co_await run(script, arguments, context, name, wait);
      if (!tells_missing(reply)) co_return reply;
    }
    throw_parts_vanish(context, name);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await discard(key);
  std::rethrow_exception(failure);
}

/// Removes the parts, if the server is there.
Task<void> RedisStore::discard(std::string_view key) {
  const std::array<std::string_view, 2> unlink{"UNLINK", key};
  const Wait soon{reactor().now() + kDiscardTime, {}};
  try {
    co_await client_.call(key, unlink, soon);
  } catch (const Error&) {
    // They expire.
  }
}

void RedisStore::throw_parts_vanish(const SessionContext& context, std::string_view name) const {
  throw Error(ErrorKind::exhausted, "redis", "Unum.PartsVanish",
              std::string(name) + " in session " + context.session() + " of redis:" + name_ +
                  ": its parts vanish while they are written, " + std::to_string(kRoundsMax) +
                  " times in a row; keys that expire must not be evicted (maxmemory, "
                  "maxmemory-policy)");
}

}  // namespace unum::redis
