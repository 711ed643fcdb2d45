// `unum inspect`: a table of a session's instances.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>

#include "application/application.hpp"
#include "base/json.hpp"
#include "base/wall_time.hpp"
#include "cli/cli.hpp"
#include "hosts/store_choice.hpp"
#include "unum/sessions.hpp"

namespace unum::cli {
namespace {

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
std::string detail_of(const InstanceSummary& instance) {
  if (instance.state != InstanceState::delayed || instance.attempt == 0) return instance.detail;
  return fmt::format("attempt {} at {} after {}", instance.attempt,
                     clock_time(unix_ns(instance.not_before)), instance.error);
}

void print_table(const std::vector<InstanceSummary>& instances) {
  std::size_t width = 8;
  for (const InstanceSummary& instance : instances)
    width = std::max(width, instance.instance.size());
  fmt::print("{:<{}}  {:<9}  {:>8}  {}\n", "instance", width, "state", "size", "time");
  for (const InstanceSummary& instance : instances) {
    // An aggregator of which nothing is stored yet has no time.
    const bool stored = instance.state != InstanceState::blocked || instance.modified_unix_ns != 0;
    const std::string detail = detail_of(instance);
    fmt::print("{:<{}}  {:<9}  {:>8}  {}{}{}\n", instance.instance, width,
               to_string(instance.state), readable_bytes(instance.bytes),
               stored ? clock_time(instance.modified_unix_ns) : "never started",
               detail.empty() ? "" : "  ", detail);
  }
}

void print_json(const std::string& session, const std::vector<InstanceSummary>& instances) {
  std::string out = R"({"session":)";
  json::append_string(out, session);
  out += R"(,"instances":[)";
  for (const InstanceSummary& instance : instances) {
    out += &instance == instances.data() ? R"({"instance":)" : R"(,{"instance":)";
    json::append_string(out, instance.instance);
    out += fmt::format(R"(,"state":"{}","bytes":{},"modified_unix_ns":{},"detail":)",
                       to_string(instance.state), instance.bytes, instance.modified_unix_ns);
    json::append_string(out, detail_of(instance));
    out += '}';
  }
  fmt::print("{}]}}\n", out);
}

Task<int> inspect_in(Reactor& reactor, const InspectArguments& arguments, const StoreChoice& choice,
                     const CheckedApplication* application) {
  StoreOptions options;
  options.patience = patience_of(arguments.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  const std::unique_ptr<Store> store =
      co_await open_for_session(reactor, choice, arguments.session, options);
  const std::vector<InstanceSummary> instances =
      co_await inspect_session(*store, arguments.session, application);
  co_await store->close();
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
  std::optional<CheckedApplication> application;
  if (arguments.store.empty()) {
    application = load_checked(arguments.directory, true);
    choice = choose_store(details_of(*application), "");
  } else {
    choice = parse_store(arguments.store);
  }
  Reactor reactor;
  return reactor.run(inspect_in(reactor, arguments, choice, application ? &*application : nullptr));
}

}  // namespace unum::cli
