// Reading, writing, listing and removing items of a session.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>

#include "base/padded.hpp"
#include "stores/redis/keys.hpp"
#include "stores/redis/redis_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::redis {
namespace {

// Values of one MGET: the server answers it at once, so that more keep others waiting; from here on
// larger ones gain nothing (docs/decisions/0012-redis.md).
constexpr std::size_t kChunk = 100;
// Bytes that one MGET should ask for: chunks shrink where values are large, since the server holds
// a whole reply in memory.
constexpr std::size_t kChunkBytes = 4u * 1024 * 1024;
// EXISTS begins with one name, which nearly always is the one that is missing, and grows.
constexpr std::size_t kChecksGrowth = 16;
constexpr std::size_t kChecksMax = 1'000;
// Items of one removal and of one page of a listing: a script keeps everybody else waiting.
constexpr std::size_t kPage = 500;

/// A score of the index: microseconds since 1970. Whoever may write to the server may put anything
/// there, infinity included.
std::int64_t modified_unix_ns(std::string_view score) {
  constexpr double kMicrosecondsMax = 9.2e15;  // 2261
  double microseconds = 0;
  std::from_chars(score.data(), score.data() + score.size(), microseconds);
  if (std::isnan(microseconds)) return 0;
  if (microseconds > kMicrosecondsMax) return std::numeric_limits<std::int64_t>::max();
  if (microseconds < -kMicrosecondsMax) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(microseconds) * 1'000;
}

}  // namespace

StoreCounters RedisStore::counters() const noexcept {
  const ClientCounters counted = client_.counters();
  StoreCounters counters;
  counters.requests = counted.requests;
  counters.connections = counted.connections;
  return counters;
}

void RedisStore::throw_garbled(std::string_view what) const {
  throw Error(ErrorKind::corrupt, "redis", "Unum.RedisProtocol",
              "redis:" + name_ + " gave a reply that makes no sense to " + std::string(what));
}

Task<Reply> RedisStore::run(const Script& script, const Arguments& arguments,
                            const SessionContext& context, std::string_view doing, Wait wait) {
  try {
    co_return co_await client_.run(script, arguments.keys, arguments.values, wait);
  } catch (const Error& error) {
    throw Error(error.kind(), "redis", error.code(),
                std::string(doing) + " in session " + context.session() + " of redis:" + name_ +
                    ": " + error.message());
  }
}

Task<Reply> RedisStore::call(std::span<const std::string_view> command,
                             const SessionContext& context, Wait wait) {
  const auto explained = [&](const Error& error) {
    return std::string(command[0]) + " of " + std::string(command[1].substr(0, 200)) +
           " in session " + context.session() + " of redis:" + name_ + ": " + error.message();
  };
  try {
    co_return co_await client_.call(command[1], command, wait);
  } catch (const ReplyTooLarge& error) {
    throw ReplyTooLarge(explained(error));
  } catch (const Error& error) {
    throw Error(error.kind(), "redis", error.code(), explained(error));
  }
}

Task<std::optional<std::string>> RedisStore::get(const SessionContext& context, const ItemId& item,
                                                 Wait wait) {
  const std::string key = item_key(index_key(context.session()), item.name, item.kind);
  const std::array<std::string_view, 2> command{"GET", key};
  Reply reply = co_await call(command, context, wait);
  if (reply.is_nil()) co_return std::nullopt;
  co_return std::move(reply.text);
}

Task<std::optional<std::string>> RedisStore::get_range(const SessionContext& context,
                                                       const ItemId& item, ByteRange range,
                                                       Wait wait) {
  const std::string key = item_key(index_key(context.session()), item.name, item.kind);
  if (range.bytes == 0) {
    const std::array<std::string_view, 2> exists{"EXISTS", key};
    const Reply reply = co_await call(exists, context, wait);
    co_return reply.integer != 0 ? std::optional<std::string>("") : std::nullopt;
  }
  const std::string first = std::to_string(range.offset);
  const std::string last = std::to_string(range.offset + range.bytes - 1);
  const std::array<std::string_view, 4> command{"GETRANGE", key, first, last};
  Reply reply = co_await call(command, context, wait);
  if (!reply.text.empty()) co_return std::move(reply.text);
  // Redis answers so for a key that is absent, too.
  range.bytes = 0;
  co_return co_await get_range(context, item, range, wait);
}

Task<void> RedisStore::put(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) {
  const std::string index = index_key(context.session());
  Arguments arguments;
  arguments.key(item_key(index, item.name, item.kind));
  arguments.keys.push_back(index);
  const std::string name = item_name(item.name, item.kind);
  const std::string doing = "put " + name;
  if (value.size() > kPartBytes) {
    arguments.value(std::to_string(value.size()));
    arguments.view(name);
    co_await run_with_parts(put_, arguments, context, doing, value, wait);
  } else {
    arguments.view(value);
    arguments.view(name);
    co_await run(put_, arguments, context, doing, wait);
  }
}

Task<void> RedisStore::remove(const SessionContext& context, std::span<const ItemId> items,
                              Wait wait) {
  requested_.forget(items);
  const std::string index = index_key(context.session());
  for (std::size_t begin = 0; begin < items.size(); begin += kPage) {
    Arguments arguments;
    arguments.keys.push_back(index);
    arguments.key(index + ":-under-way");
    arguments.view(index);
    for (const ItemId& item : items.subspan(begin, std::min(kPage, items.size() - begin))) {
      arguments.key(item_key(index, item.name, item.kind));
      arguments.value(item_name(item.name, item.kind));
    }
    co_await run(remove_, arguments, context, "remove", wait);
  }
}

Task<void> RedisStore::collect(const SessionContext& context,
                               std::span<const std::string> instances,
                               std::span<const ItemId> items, Wait wait) {
  const std::string index = index_key(context.session());
  // Tombstones first, a page at a time, each with what stands beside its outcome.
  std::size_t next = 0;
  do {
    const auto page = instances.subspan(next, std::min(kPage / 2, instances.size() - next));
    next += page.size();
    const bool last = next == instances.size();
    Arguments arguments;
    arguments.keys.push_back(index);
    arguments.key(index + ":-under-way");
    arguments.view(index);
    arguments.value(std::to_string(page.size()));
    const auto add = [&](const std::string& name, ItemKind kind) {
      arguments.key(item_key(index, name, kind));
      arguments.value(item_name(name, kind));
    };
    for (const std::string& instance : page) add(instance, ItemKind::outcome);
    for (const std::string& instance : page) add(instance, ItemKind::garbage);
    if (last && items.size() <= kPage) {
      for (const ItemId& item : items) add(item.name, item.kind);
    }
    co_await run(collect_, arguments, context, "collect", wait);
  } while (next < instances.size());
  if (items.size() > kPage) co_await remove(context, items, wait);
}

Task<std::vector<ListedItem>> RedisStore::list(const SessionContext& context, Wait wait) {
  const std::string index = index_key(context.session());
  std::vector<ListedItem> listed;
  for (std::size_t begin = 0;; begin += kPage) {
    Arguments arguments;
    arguments.keys.push_back(index);
    arguments.view(index);
    arguments.value(std::to_string(begin));
    arguments.value(std::to_string(begin + kPage - 1));
    const Reply reply = co_await run(list_, arguments, context, "list", wait);
    for (std::size_t i = 0; i + 2 < reply.elements.size(); i += 3) {
      const std::optional<ItemId> id = parse_item_name(reply.elements[i].text);
      const std::int64_t bytes = reply.elements[i + 2].integer;
      if (!id || bytes < 0) continue;  // noted, but never written
      listed.push_back(
          {*id, static_cast<std::uint64_t>(bytes), modified_unix_ns(reply.elements[i + 1].text)});
    }
    if (reply.elements.size() < 3 * kPage) co_return listed;
  }
}

Task<std::vector<std::string>> RedisStore::list_sessions(Wait wait) {
  std::vector<std::string> keys = co_await client_.scan(std::string(kSessionsPattern), wait);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<std::string> sessions;
  for (const std::string& key : keys) {
    if (std::optional<std::string> session = session_of_index(key))
      sessions.push_back(std::move(*session));
  }
  co_return sessions;
}

Task<void> RedisStore::close() {
  client_.close();
  co_return;
}

// --- Many at once -------------------------------------------------------------------------------

Task<std::vector<Reply>> RedisStore::get_now(std::span<const std::string_view> command,
                                             const SessionContext& context, Wait wait) {
  try {
    Reply reply = co_await call(command, context, wait);
    if (reply.elements.size() != command.size() - 1) throw_garbled("MGET");
    co_return std::move(reply.elements);
  } catch (const ReplyTooLarge&) {
    if (command.size() <= 2) throw;
  }
  // Together they are more than a reply may be: by halves, one behind the other.
  const std::size_t half = (command.size() - 1) / 2;
  std::vector<std::string_view> part(command.begin(), command.begin() + 1 + half);
  std::vector<Reply> found = co_await get_now(part, context, wait);
  part.resize(1);
  part.insert(part.end(), command.begin() + 1 + half, command.end());
  std::vector<Reply> others = co_await get_now(part, context, wait);
  std::move(others.begin(), others.end(), std::back_inserter(found));
  co_return found;
}

/// From a replica, if there is one. Values never change, so what it has is right; what it has not
/// may be there all the same, and only the primary says that it is not.
Task<std::vector<Reply>> RedisStore::get_eventually(std::span<const std::string_view> command,
                                                    const SessionContext& context, Wait wait) {
  std::optional<Reply> seen = co_await client_.call_replica(command[1], command, wait);
  if (!seen || seen->elements.size() != command.size() - 1) {
    co_return co_await get_now(command, context, wait);
  }
  std::vector<Reply> found = std::move(seen->elements);
  std::vector<std::size_t> places;
  std::vector<std::string_view> missing{command[0]};
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].is_nil()) continue;
    places.push_back(i);
    missing.push_back(command[i + 1]);
  }
  if (places.empty()) co_return found;
  std::vector<Reply> now = co_await get_now(missing, context, wait);
  for (std::size_t i = 0; i < places.size(); ++i) found[places[i]] = std::move(now[i]);
  co_return found;
}

Task<std::vector<std::optional<std::string>>> RedisStore::get_many(
    const SessionContext& context, std::span<const Pointer> pointers, Wait wait) {
  std::vector<std::optional<std::string>> values(pointers.size());
  const std::string index = index_key(context.session());
  std::size_t next = 0;
  std::size_t chunk = kChunk;
  // Each of a few lines takes the next chunk when its last one has come.
  const auto line = [&](std::size_t) -> Task<void> {
    while (next < pointers.size()) {
      const std::size_t begin = next;
      const std::size_t count = std::min(chunk, pointers.size() - begin);
      next += count;
      const OutcomeKeys keys(index, pointers.subspan(begin, count));
      std::vector<std::string_view> command;
      command.reserve(count + 1);
      command.push_back("MGET");
      keys.append_to(command);
      std::vector<Reply> found;
      if (eventual_) {
        found = co_await get_eventually(command, context, wait);
      } else {
        found = co_await get_now(command, context, wait);
      }
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < count; ++i) {
        if (found[i].is_nil()) continue;
        bytes += found[i].text.size();
        values[begin + i] = std::move(found[i].text);
      }
      chunk = std::clamp(kChunkBytes * count / (bytes + 1), std::size_t{1}, kChunk);
    }
  };
  const std::size_t lines = (pointers.size() + kChunk - 1) / kChunk;
  co_await for_each_bounded(std::min(lines, chunks_in_flight_), chunks_in_flight_, line);
  co_return values;
}

Task<bool> RedisStore::all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                                 Wait wait) {
  const std::string index = index_key(context.session());
  std::size_t at_once = 1;
  while (!pointers.empty()) {
    const std::size_t count = std::min(at_once, pointers.size());
    const OutcomeKeys keys(index, pointers.first(count));
    std::vector<std::string_view> command;
    command.reserve(count + 1);
    command.push_back("EXISTS");
    keys.append_to(command);
    const Reply reply = co_await call(command, context, wait);
    if (reply.type != Reply::Type::integer) throw_garbled("EXISTS");
    if (reply.integer != static_cast<std::int64_t>(count)) co_return false;
    pointers = pointers.subspan(count);
    at_once = std::min(at_once * kChecksGrowth, kChecksMax);
  }
  co_return true;
}

}  // namespace unum::redis
