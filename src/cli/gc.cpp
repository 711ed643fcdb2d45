// `unum gc`: removes whole sessions that nobody has used for a while.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>

#include "application/application.hpp"
#include "base/wall_time.hpp"
#include "cli/cli.hpp"
#include "hosts/store_choice.hpp"
#include "unum/task_group.hpp"

namespace unum::cli {
namespace {

constexpr std::size_t kSessionsAtOnce = 8;
constexpr std::int64_t kAgeSecondsMax = 100LL * 366 * 24 * 3600;

/// A number and its unit. There is no default for either: what is removed is gone.
std::chrono::seconds parse_age(const std::string& text) {
  std::int64_t number = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [rest, error] = std::from_chars(begin, end, number);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  std::int64_t seconds = 0;
  if (unit == "s") seconds = 1;
  if (unit == "m") seconds = 60;
  if (unit == "h") seconds = 3600;
  if (unit == "d") seconds = 24 * 3600;
  if (error != std::errc() || seconds == 0 || number <= 0 || number > kAgeSecondsMax / seconds) {
    throw Error(ErrorKind::invalid, "cli", "older-than",
                fmt::format("--older-than is \"{}\"; it must be a number above 0 and its unit, "
                            "at most 100 years: 3600s, 90m, 12h or 30d",
                            text));
  }
  return std::chrono::seconds(number * seconds);
}

struct Counts {
  std::size_t sessions = 0;
  std::size_t removed = 0;
  std::size_t items = 0;
  std::uint64_t bytes = 0;
};

/// The newest item says when a session was last used: one that runs is young.
Task<void> remove_if_old(Store& store, const std::string& id, std::int64_t newest_allowed_ns,
                         bool dry_run, Counts& counts) {
  const SessionContext context = session_context(id);
  const std::vector<ListedItem> listed = co_await store.list(context);
  std::vector<ItemId> items;
  std::uint64_t bytes = 0;
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
  for (const ListedItem& item : listed) {
    items.push_back(item.id);
    bytes += item.bytes;
    newest = std::max(newest, item.modified_unix_ns);
  }
  if (items.empty() || newest >= newest_allowed_ns) co_return;
  // The input goes last: a session that is removed in part can still be resumed, or removed again.
  const auto is_input = [](const ItemId& item) { return item.kind == ItemKind::input; };
  const auto inputs = std::stable_partition(items.begin(), items.end(), std::not_fn(is_input));
  const auto others = static_cast<std::size_t>(inputs - items.begin());
  if (!dry_run) {
    const std::span<const ItemId> all(items);
    co_await store.remove(context, all.first(others));
    co_await store.remove(context, all.subspan(others));
  }
  ++counts.removed;
  counts.items += items.size();
  counts.bytes += bytes;
  fmt::print("{} {}: {} items, {}\n", dry_run ? "would remove" : "removed", id, items.size(),
             readable_bytes(bytes));
}

Task<int> remove_sessions(Reactor& reactor, const GcArguments& arguments, const StoreChoice& choice,
                          std::chrono::seconds age) {
  StoreOptions options;
  options.patience = patience_of(arguments.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  const std::unique_ptr<Store> store =
      co_await open_store(reactor, choice.type, choice.name, options);
  const std::int64_t newest_allowed =
      unix_ns(reactor.wall_time()) - std::chrono::nanoseconds(age).count();
  std::vector<std::string> sessions = co_await store->list_sessions();
  std::sort(sessions.begin(), sessions.end());
  Counts counts;
  counts.sessions = sessions.size();
  const auto remove_one = [&](std::size_t i) {
    return remove_if_old(*store, sessions[i], newest_allowed, arguments.dry_run, counts);
  };
  co_await for_each_bounded(sessions.size(), kSessionsAtOnce, remove_one);
  co_await store->close();
  say("unum: {} {} of {} sessions, {} items, {}\n", arguments.dry_run ? "would remove" : "removed",
      counts.removed, counts.sessions, counts.items, readable_bytes(counts.bytes));
  co_return kDone;
}

}  // namespace

int gc(const GcArguments& arguments) {
  const std::chrono::seconds age = parse_age(arguments.older_than);
  StoreChoice choice;
  if (arguments.store.empty()) {
    const CheckedApplication checked = load_checked(arguments.directory, true);
    choice = choose_store(details_of(checked), "");
  } else {
    choice = parse_store(arguments.store);
  }
  Reactor reactor;
  return reactor.run(remove_sessions(reactor, arguments, choice, age));
}

}  // namespace unum::cli
