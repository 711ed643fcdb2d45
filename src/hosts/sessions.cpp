// What sessions there are, and how far each one is: see unum/sessions.hpp.
#include "unum/sessions.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "application/application.hpp"
#include "hosts/delayed.hpp"
#include "hosts/session_items.hpp"
#include "hosts/session_walk.hpp"
#include "runtime/session_owner.hpp"
#include "unum/task_group.hpp"
#include "workflow/frames.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

constexpr std::size_t kSessionsAtOnce = 8;
// An outcome of another size is no caught failure without an input: a cause has at most 64 KiB, of
// which each byte takes six when all of them are escaped.
constexpr std::uint64_t kFailureBytesMin = 3;  // its mark and an empty object
constexpr std::uint64_t kFailureBytesMax = 512u * 1024;
// Values read at once.
constexpr std::size_t kReadsInFlightMax = 64;

using Instances = std::map<std::string, InstanceSummary>;

/// By function, then by index as numbers, outermost first.
bool comes_before(const InstanceSummary& a, const InstanceSummary& b) {
  const auto left = parse_instance_name(a.instance);
  const auto right = parse_instance_name(b.instance);
  if (!left || !right || left->function != right->function) return a.instance < b.instance;
  return std::lexicographical_compare(left->indexes.rbegin(), left->indexes.rend(),
                                      right->indexes.rbegin(), right->indexes.rend());
}

/// The functions whose outcomes may be caught failures, and whether the input may stand in these;
/// nothing: any may.
using Catching = std::optional<std::map<std::string, bool, std::less<>>>;

Catching catching_functions(const Application& application) {
  std::map<std::string, bool, std::less<>> functions;
  for (const FunctionSettings& function : application.functions) {
    if (!function.ir.catches()) continue;
    const bool with_input =
        std::any_of(function.ir.edges.begin(), function.ir.edges.end(), needs_input);
    functions.emplace(function.name(), with_input);
  }
  return functions;
}

bool may_be_caught(const InstanceSummary& instance, const Catching& catching) {
  if (instance.bytes < kFailureBytesMin) return false;
  if (!catching) return instance.bytes <= kFailureBytesMax;
  const auto name = parse_instance_name(instance.instance);
  const auto known = name ? catching->find(name->function) : catching->end();
  return known != catching->end() && (known->second || instance.bytes <= kFailureBytesMax);
}

std::string first_line_of(const StoredFailure& failure) {
  return failure.error + ": " + failure.cause.substr(0, failure.cause.find('\n'));
}

/// Only its value tells a caught failure, or a tombstone, from a result.
Task<void> find_caught(Store& store, const SessionContext& context, Instances& found,
                       const Catching& catching, Wait wait) {
  std::vector<InstanceSummary*> read;
  for (auto& [name, instance] : found) {
    const bool has_outcome = instance.state == InstanceState::done;
    const bool may_be_collected = instance.bytes == kTombstone.size();
    if (has_outcome && (may_be_collected || may_be_caught(instance, catching))) {
      read.push_back(&instance);
    }
  }
  const auto read_one = [&](std::size_t i) -> Task<void> {
    const ItemId outcome{read[i]->instance, ItemKind::outcome};
    const std::optional<std::string> value = co_await store.get(context, outcome, wait);
    if (value && *value == kTombstone) read[i]->state = InstanceState::collected;
    const std::optional<StoredFailure> failure = value ? caught_failure(*value) : std::nullopt;
    if (!failure) co_return;
    read[i]->state = InstanceState::caught;
    read[i]->detail = first_line_of(*failure);
  };
  co_await for_each_bounded(read.size(), kReadsInFlightMax, read_one);
}

void read_attempt(std::string_view stored, InstanceSummary& instance) {
  try {
    DelayedDelivery delayed = read_delay(stored);
    instance.attempt = delayed.attempt;
    instance.not_before = delayed.not_before;
    instance.error = std::move(delayed.error);
  } catch (const Error&) {
    instance.detail = "what is stored of its next attempt is damaged";
  }
}

/// What an item says of its instance; the one that says most comes last.
int weight_of(ItemKind kind) {
  switch (kind) {
    case ItemKind::outcome: return 3;
    case ItemKind::delayed: return 2;
    case ItemKind::report: return 1;
    default: return 0;
  }
}

/// Whether the item tells the instance's state.
Task<bool> show_item(Store& store, const SessionContext& context, const ListedItem& item,
                     InstanceSummary& instance, Wait wait) {
  instance.modified_unix_ns = item.modified_unix_ns;
  std::optional<std::string> stored;
  switch (item.id.kind) {
    case ItemKind::outcome:
      instance.state = InstanceState::done;
      instance.bytes = item.bytes;
      co_return true;
    case ItemKind::delayed:
      stored = co_await store.get(context, item.id, wait);
      instance.state = InstanceState::delayed;
      if (stored) read_attempt(*stored, instance);
      co_return true;
    case ItemKind::report:
      stored = co_await store.get(context, item.id, wait);
      instance.state = InstanceState::failed;
      if (stored) instance.detail = first_line_of(read_report(*stored));
      co_return true;
    case ItemKind::invoked: instance.detail = "invoked"; break;
    case ItemKind::claim:
    case ItemKind::wanted:
      if (instance.detail.empty()) {
        instance.detail = item.id.kind == ItemKind::claim ? "claimed" : "wanted";
      }
      break;
    default: break;
  }
  co_return false;
}

/// Adds what follows from the application's edges.
Task<void> add_what_should_follow(Store& store, const SessionContext& context,
                                  const Application& application,
                                  const std::vector<ListedItem>& items, Instances& found,
                                  Wait wait) {
  SessionItems by_kind = items_by_kind(items);
  for (const std::string& name : by_kind.outcomes) {
    if (found[name].state == InstanceState::collected) by_kind.collected.insert(name);
  }
  SessionWalk walk = co_await walk_session(store, context, application, by_kind, wait);
  for (const std::string& name : walk.stalled) {
    found[name].state = InstanceState::stalled;
  }
  for (auto& [aggregator, missing] : walk.blocked) {
    InstanceSummary& instance = found[aggregator];
    instance.instance = aggregator;
    instance.state = InstanceState::blocked;
    instance.detail = "waits for " + missing;
  }
}

Task<SessionSummary> summary_of(Store& store, std::string id, const SessionFilter& filter,
                                Wait wait) {
  const SessionContext context = session_context(id);
  SessionSummary summary;
  summary.id = std::move(id);
  const std::vector<ListedItem> items = co_await store.list(context, wait);
  bool has_owner = false;
  for (const ListedItem& item : items) {
    ++summary.items;
    summary.bytes += item.bytes;
    summary.modified_unix_ns = summary.items == 1
                                   ? item.modified_unix_ns
                                   : std::max(summary.modified_unix_ns, item.modified_unix_ns);
    if (item.id.kind == ItemKind::input) summary.input_bytes = item.bytes;
    has_owner |= item.id.kind == ItemKind::application;
    if (item.id.kind == ItemKind::input || item.id.kind == ItemKind::application) {
      summary.entry = item.id.name;
    }
  }
  if (has_owner) {
    const ItemId item{summary.entry, ItemKind::application};
    const std::optional<std::string> stored = co_await store.get(context, item, wait);
    std::optional<ApplicationIdentity> owner = stored ? parse_owner(*stored) : std::nullopt;
    if (owner) summary.application = std::move(owner->name);
  }
  if (summary.input_bytes > 0 && filter.input_bytes_max > 0) {
    const ItemId item{summary.entry, ItemKind::input};
    const ByteRange range{0, filter.input_bytes_max};
    std::optional<std::string> input = co_await store.get_range(context, item, range, wait);
    if (input) summary.input = std::move(*input);
  }
  co_return summary;
}

bool is_wanted(const SessionSummary& summary, const CheckedApplication* application) {
  if (summary.items == 0) return false;
  if (application == nullptr) return true;
  return summary.application.empty() ? summary.entry == application->entry()
                                     : summary.application == application->name();
}

}  // namespace

std::string_view to_string(InstanceState state) noexcept {
  switch (state) {
    case InstanceState::done: return "done";
    case InstanceState::caught: return "caught";
    case InstanceState::failed: return "failed";
    case InstanceState::delayed: return "delayed";
    case InstanceState::waiting: return "waiting";
    case InstanceState::collected: return "collected";
    case InstanceState::stalled: return "stalled";
    case InstanceState::blocked: return "blocked";
  }
  return "unknown";
}

SessionItems items_by_kind(const std::vector<ListedItem>& items) {
  SessionItems by_kind;
  for (const ListedItem& item : items) {
    if (item.id.kind == ItemKind::outcome) by_kind.outcomes.insert(item.id.name);
    if (item.id.kind == ItemKind::report) by_kind.reports.insert(item.id.name);
    if (item.id.kind == ItemKind::delayed) by_kind.delayed.insert(item.id.name);
    if (item.id.kind == ItemKind::wanted) by_kind.wanted.insert(item.id.name);
  }
  return by_kind;
}

void refuse_unknown_session(const Store& store, const SessionContext& context,
                            const std::vector<ListedItem>& items) {
  if (!items.empty()) return;
  throw Error(ErrorKind::invalid, "host", "Unum.UnknownSession",
              "there is no session " + context.session() + " in " +
                  shown_store(store.type(), store.name()));
}

Task<std::vector<SessionSummary>> list_sessions(Store& store, const SessionFilter& filter,
                                                Wait wait) {
  std::vector<std::string> ids = co_await store.list_sessions(wait);
  std::sort(ids.begin(), ids.end());
  std::vector<SessionSummary> summaries(ids.size());
  const auto read_one = [&](std::size_t i) -> Task<void> {
    summaries[i] = co_await summary_of(store, std::move(ids[i]), filter, wait);
  };
  co_await for_each_bounded(ids.size(), kSessionsAtOnce, read_one);
  std::erase_if(summaries, [&](const SessionSummary& summary) {
    return !is_wanted(summary, filter.application);
  });
  co_return summaries;
}

Task<std::vector<InstanceSummary>> inspect_session(Store& store, std::string_view session,
                                                   const CheckedApplication* application,
                                                   Wait wait) {
  const SessionContext context = session_context(session);
  std::vector<ListedItem> items = co_await store.list(context, wait);
  refuse_unknown_session(store, context, items);
  std::stable_sort(items.begin(), items.end(), [](const ListedItem& a, const ListedItem& b) {
    return weight_of(a.id.kind) > weight_of(b.id.kind);
  });
  Instances found;
  std::map<std::string, bool> is_told;
  for (const ListedItem& item : items) {
    if (item.id.kind == ItemKind::garbage) continue;  // it stands beside an outcome
    InstanceSummary& instance = found[item.id.name];
    instance.instance = item.id.name;
    bool& told = is_told[item.id.name];
    if (!told) told = co_await show_item(store, context, item, instance, wait);
  }
  const Application* const details = application ? &details_of(*application) : nullptr;
  const Catching catching = details ? catching_functions(*details) : std::nullopt;
  co_await find_caught(store, context, found, catching, wait);
  if (details != nullptr) {
    co_await add_what_should_follow(store, context, *details, items, found, wait);
  }
  std::vector<InstanceSummary> instances;
  for (auto& [name, instance] : found) instances.push_back(std::move(instance));
  std::sort(instances.begin(), instances.end(), comes_before);
  co_return instances;
}

}  // namespace unum
