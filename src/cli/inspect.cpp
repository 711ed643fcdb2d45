// `unum inspect`: a table of a session's instances.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "application/application.hpp"
#include "base/json.hpp"
#include "cli/cli.hpp"
#include "hosts/store_choice.hpp"
#include "unum/task_group.hpp"
#include "workflow/frames.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum::cli {
namespace {

constexpr std::string_view kStateDone = "done";

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

// An outcome of another size is no caught failure: a cause has at most 64 KiB, of which each byte
// takes six when all of them are escaped.
constexpr std::uint64_t kFailureBytesMin = 3;  // its mark and an empty object
constexpr std::uint64_t kFailureBytesMax = 512u * 1024;
// Values read at once.
constexpr std::size_t kReadsInFlightMax = 64;

/// The functions whose outcomes may be caught failures; nothing: any may.
using Catching = std::optional<std::set<std::string, std::less<>>>;

Catching catching_functions(const Application& application) {
  std::set<std::string, std::less<>> names;
  for (const FunctionSettings& function : application.functions) {
    const bool catches =
        std::any_of(function.ir.edges.begin(), function.ir.edges.end(),
                    [](const Edge& edge) { return edge.input_type == InputType::error; });
    if (catches) names.insert(function.name());
  }
  return names;
}

bool may_be_caught(const Instance& instance, const Catching& catching) {
  if (instance.bytes < kFailureBytesMin || instance.bytes > kFailureBytesMax) return false;
  const auto name = parse_instance_name(instance.name);
  return !catching || (name && catching->contains(name->function));
}

std::string first_line_of(const Failure& failure) {
  return failure.error + ": " + failure.cause.substr(0, failure.cause.find('\n'));
}

/// Only its value tells a caught failure from a result.
Task<void> find_caught(Store& store, const SessionContext& context, std::span<Instance> instances,
                       const Catching& catching) {
  std::vector<Instance*> read;
  for (Instance& instance : instances) {
    if (instance.state == kStateDone && may_be_caught(instance, catching))
      read.push_back(&instance);
  }
  const auto read_one = [&](std::size_t i) -> Task<void> {
    const ItemId outcome{read[i]->name, ItemKind::outcome};
    const std::optional<std::string> value = co_await store.get(context, outcome);
    const std::optional<Failure> failure = value ? caught_failure(*value) : std::nullopt;
    if (!failure) co_return;
    read[i]->state = "caught";
    read[i]->detail = first_line_of(*failure);
  };
  co_await for_each_bounded(read.size(), kReadsInFlightMax, read_one);
}

Task<std::vector<Instance>> collect(Store& store, const SessionContext& context,
                                    const Catching& catching) {
  std::map<std::string, Instance> found;
  const std::vector<ListedItem> items = co_await store.list(context);
  for (const ListedItem& item : items) {
    Instance& instance = found[item.id.name];
    instance.name = item.id.name;
    if (item.id.kind == ItemKind::outcome) {
      instance.state = kStateDone;
      instance.bytes = item.bytes;
      instance.modified_unix_ns = item.modified_unix_ns;
      instance.detail.clear();
    } else if (instance.state.empty()) {
      instance.modified_unix_ns = item.modified_unix_ns;
      switch (item.id.kind) {
        case ItemKind::report: {
          const std::optional<std::string> report = co_await store.get(context, item.id);
          instance.state = "failed";
          if (report) instance.detail = first_line_of(read_report(*report));
          break;
        }
        case ItemKind::claim: instance.detail = "claimed"; break;
        case ItemKind::wanted: instance.detail = "wanted"; break;
        default: break;
      }
    }
  }
  std::vector<Instance> instances;
  for (auto& [name, instance] : found) {
    if (instance.state.empty()) instance.state = "waiting";
    instances.push_back(std::move(instance));
  }
  std::sort(instances.begin(), instances.end(), comes_before);
  co_await find_caught(store, context, instances, catching);
  co_return instances;
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

void print_table(const std::vector<Instance>& instances) {
  std::size_t width = 8;
  for (const Instance& instance : instances) width = std::max(width, instance.name.size());
  fmt::print("{:<{}}  {:<7}  {:>8}  {}\n", "instance", width, "state", "size", "time");
  for (const Instance& instance : instances) {
    fmt::print("{:<{}}  {:<7}  {:>8}  {}{}{}\n", instance.name, width, instance.state,
               readable_bytes(instance.bytes), clock_time(instance.modified_unix_ns),
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
                          const StoreChoice& choice, const Catching& catching) {
  StoreOptions options;
  options.patience = patience_of(arguments.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  const std::unique_ptr<Store> store =
      co_await open_for_session(reactor, choice, arguments.session, options);
  const SessionContext context = session_context(arguments.session);
  const std::vector<Instance> instances = co_await collect(*store, context, catching);
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
  if (arguments.store.empty()) {
    const CheckedApplication checked = load_checked(arguments.directory, true);
    const Application& application = details_of(checked);
    choice = choose_store(application, "");
    catching = catching_functions(application);
  } else {
    choice = parse_store(arguments.store);
  }
  Reactor reactor;
  return reactor.run(inspect_session(reactor, arguments, choice, catching));
}

}  // namespace unum::cli
