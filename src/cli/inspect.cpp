// `unum inspect`: a table of a session's instances.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <span>

#include "application/application.hpp"
#include "base/json.hpp"
#include "cli/cli.hpp"
#include "cli/session_walk.hpp"
#include "hosts/delayed.hpp"
#include "hosts/store_choice.hpp"
#include "unum/task_group.hpp"
#include "workflow/frames.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum::cli {
namespace {

constexpr std::string_view kStateDone = "done";
constexpr std::string_view kStateStalled = "stalled";
constexpr std::string_view kStateBlocked = "blocked";
constexpr std::string_view kStateCollected = "collected";

struct Instance {
  std::string name;
  std::string_view state;
  std::uint64_t bytes = 0;
  std::int64_t modified_unix_ns = 0;
  std::string detail;
};

/// By function, then by index as numbers, outermost first.
bool comes_before(const Instance& a, const Instance& b) {
  const auto left = parse_instance_name(a.name);
  const auto right = parse_instance_name(b.name);
  if (!left || !right || left->function != right->function) return a.name < b.name;
  return std::lexicographical_compare(left->indexes.rbegin(), left->indexes.rend(),
                                      right->indexes.rbegin(), right->indexes.rend());
}

// An outcome of another size is no caught failure without an input: a cause has at most 64 KiB, of
// which each byte takes six when all of them are escaped.
constexpr std::uint64_t kFailureBytesMin = 3;  // its mark and an empty object
constexpr std::uint64_t kFailureBytesMax = 512u * 1024;
// Values read at once.
constexpr std::size_t kReadsInFlightMax = 64;

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

bool may_be_caught(const Instance& instance, const Catching& catching) {
  if (instance.bytes < kFailureBytesMin) return false;
  if (!catching) return instance.bytes <= kFailureBytesMax;
  const auto name = parse_instance_name(instance.name);
  const auto known = name ? catching->find(name->function) : catching->end();
  return known != catching->end() && (known->second || instance.bytes <= kFailureBytesMax);
}

std::string first_line_of(const Failure& failure) {
  return failure.error + ": " + failure.cause.substr(0, failure.cause.find('\n'));
}

/// Only its value tells a caught failure, or a tombstone, from a result.
Task<void> find_caught(Store& store, const SessionContext& context,
                       std::map<std::string, Instance>& found, const Catching& catching) {
  std::vector<Instance*> read;
  for (auto& [name, instance] : found) {
    const bool has_outcome = instance.state == kStateDone;
    const bool may_be_collected = instance.bytes == kTombstone.size();
    if (has_outcome && (may_be_collected || may_be_caught(instance, catching))) {
      read.push_back(&instance);
    }
  }
  const auto read_one = [&](std::size_t i) -> Task<void> {
    const ItemId outcome{read[i]->name, ItemKind::outcome};
    const std::optional<std::string> value = co_await store.get(context, outcome);
    if (value && *value == kTombstone) read[i]->state = kStateCollected;
    const std::optional<Failure> failure = value ? caught_failure(*value) : std::nullopt;
    if (!failure) co_return;
    read[i]->state = "caught";
    read[i]->detail = first_line_of(*failure);
  };
  co_await for_each_bounded(read.size(), kReadsInFlightMax, read_one);
}

std::string clock_time(std::int64_t unix_ns) {
  // The ends of the range stand for all that lies beyond them.
  using Limits = std::numeric_limits<std::int64_t>;
  if (unix_ns == Limits::max()) return "after 2262-04-11";
  if (unix_ns < Limits::min() + 1'000'000'000) return "before 1677-09-22";
  const std::chrono::nanoseconds since_1970(unix_ns);
  const auto whole = std::chrono::floor<std::chrono::seconds>(since_1970);  // down, before 1970 too
  const std::time_t seconds = whole.count();
  const auto fraction = std::chrono::floor<std::chrono::milliseconds>(since_1970) - whole;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", local, fraction.count());
}

/// How an instance's next attempt is shown: "attempt 3 at 2026-05-01 10:00:00.000 after
/// ValueError".
std::string describe_delay(std::string_view stored) {
  try {
    const DelayedDelivery delayed = read_delay(stored);
    const auto since_1970 =
        std::chrono::duration_cast<std::chrono::nanoseconds>(delayed.not_before.time_since_epoch());
    return fmt::format("attempt {} at {} after {}", delayed.attempt, clock_time(since_1970.count()),
                       delayed.error);
  } catch (const Error&) {
    return "what is stored of its next attempt is damaged";
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

Task<void> show_item(Store& store, const SessionContext& context, const ListedItem& item,
                     Instance& instance) {
  instance.modified_unix_ns = item.modified_unix_ns;
  std::optional<std::string> stored;
  switch (item.id.kind) {
    case ItemKind::outcome:
      instance.state = kStateDone;
      instance.bytes = item.bytes;
      break;
    case ItemKind::delayed:
      stored = co_await store.get(context, item.id);
      instance.state = "delayed";
      if (stored) instance.detail = describe_delay(*stored);
      break;
    case ItemKind::report:
      stored = co_await store.get(context, item.id);
      instance.state = "failed";
      if (stored) instance.detail = first_line_of(read_report(*stored));
      break;
    case ItemKind::claim: instance.detail = "claimed"; break;
    case ItemKind::wanted: instance.detail = "wanted"; break;
    default: break;
  }
}

/// Adds what follows from the application's edges.
Task<void> add_what_should_follow(Store& store, const SessionContext& context,
                                  const Application& application,
                                  const std::vector<ListedItem>& items,
                                  std::map<std::string, Instance>& found) {
  SessionItems by_kind;
  for (const ListedItem& item : items) {
    if (item.id.kind == ItemKind::outcome) {
      by_kind.outcomes.insert(item.id.name);
      if (found[item.id.name].state == kStateCollected) by_kind.collected.insert(item.id.name);
    }
    if (item.id.kind == ItemKind::report) by_kind.reports.insert(item.id.name);
    if (item.id.kind == ItemKind::delayed) by_kind.delayed.insert(item.id.name);
  }
  SessionWalk walk = co_await walk_session(store, context, application, by_kind);
  for (const std::string& name : walk.stalled) {
    found[name].state = kStateStalled;
  }
  for (auto& [aggregator, missing] : walk.blocked) {
    Instance& instance = found[aggregator];
    instance.name = aggregator;
    instance.state = kStateBlocked;
    instance.detail = "waits for " + missing;
  }
}

Task<std::vector<Instance>> collect(Store& store, const SessionContext& context,
                                    const Catching& catching, const Application* application) {
  std::map<std::string, Instance> found;
  std::vector<ListedItem> items = co_await store.list(context);
  std::stable_sort(items.begin(), items.end(), [](const ListedItem& a, const ListedItem& b) {
    return weight_of(a.id.kind) > weight_of(b.id.kind);
  });
  for (const ListedItem& item : items) {
    if (item.id.kind == ItemKind::garbage) continue;  // it stands beside an outcome
    Instance& instance = found[item.id.name];
    instance.name = item.id.name;
    if (instance.state.empty()) co_await show_item(store, context, item, instance);
  }
  for (auto& [name, instance] : found) {
    if (instance.state.empty()) instance.state = "waiting";
  }
  co_await find_caught(store, context, found, catching);
  if (application != nullptr && !found.empty()) {
    co_await add_what_should_follow(store, context, *application, items, found);
  }
  std::vector<Instance> instances;
  for (auto& [name, instance] : found) instances.push_back(std::move(instance));
  std::sort(instances.begin(), instances.end(), comes_before);
  co_return instances;
}

void print_table(const std::vector<Instance>& instances) {
  std::size_t width = 8;
  for (const Instance& instance : instances) width = std::max(width, instance.name.size());
  fmt::print("{:<{}}  {:<9}  {:>8}  {}\n", "instance", width, "state", "size", "time");
  for (const Instance& instance : instances) {
    // An aggregator of which nothing is stored yet has no time.
    const bool stored = instance.state != kStateBlocked || instance.modified_unix_ns != 0;
    fmt::print("{:<{}}  {:<9}  {:>8}  {}{}{}\n", instance.name, width, instance.state,
               readable_bytes(instance.bytes),
               stored ? clock_time(instance.modified_unix_ns) : "never started",
               instance.detail.empty() ? "" : "  ", instance.detail);
  }
}

void print_json(const std::string& session, const std::vector<Instance>& instances) {
  std::string out = R"({"session":)";
  json::append_string(out, session);
  out += R"(,"instances":[)";
  for (const Instance& instance : instances) {
    out += &instance == instances.data() ? R"({"instance":)" : R"(,{"instance":)";
    json::append_string(out, instance.name);
    out += fmt::format(R"(,"state":"{}","bytes":{},"modified_unix_ns":{},"detail":)",
                       instance.state, instance.bytes, instance.modified_unix_ns);
    json::append_string(out, instance.detail);
    out += '}';
  }
  fmt::print("{}]}}\n", out);
}

Task<int> inspect_session(Reactor& reactor, const InspectArguments& arguments,
                          const StoreChoice& choice, const Catching& catching,
                          const Application* application) {
  StoreOptions options;
  options.patience = patience_of(arguments.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  const std::unique_ptr<Store> store =
      co_await open_for_session(reactor, choice, arguments.session, options);
  const SessionContext context = session_context(arguments.session);
  const std::vector<Instance> instances = co_await collect(*store, context, catching, application);
  co_await store->close();
  if (instances.empty()) {
    throw Error(ErrorKind::invalid, "cli", "session",
                fmt::format("there is no session {} in {}", arguments.session,
                            shown_store(choice.type, choice.name)));
  }
  if (arguments.json) {
    print_json(arguments.session, instances);
  } else {
    print_table(instances);
  }
  co_return kDone;
}

}  // namespace

int inspect(const InspectArguments& arguments) {
  StoreChoice choice;
  Catching catching;
  std::optional<CheckedApplication> checked;
  const Application* application = nullptr;
  if (arguments.store.empty()) {
    checked = load_checked(arguments.directory, true);
    application = &details_of(*checked);
    choice = choose_store(*application, "");
    catching = catching_functions(*application);
  } else {
    choice = parse_store(arguments.store);
  }
  Reactor reactor;
  return reactor.run(inspect_session(reactor, arguments, choice, catching, application));
}

}  // namespace unum::cli
