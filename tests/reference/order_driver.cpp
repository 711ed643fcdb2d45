// Runs small applications in many orders of completion: a case as a line of JSON on stdin, what
// came of it as a line on stdout.
//
// A case: {"functions": [IR, ...], "behaviours": {NAME: [BEHAVIOUR, ARGUMENT...]}, "input": ...,
// "store": [TYPE, NAME], "orders": MOST, "interleavings": COUNT, "together": COUNT, "deaths":
// COUNT, "seed": N}. The application is loaded, linked and checked as the command does. Each order
// is a session of its own. It runs a second time ("first" and "again" in its outcome), or two hosts
// run it at the same time ("one" and "other"), or a host dies and another one goes on ("resumed").
// The answer: {"errors": [...], "loads": BOOL, "outcomes": [{"first": ..., "again": ..., "count":
// N, "order": [...]}], "problems": [...], "orders": N, "all": BOOL}.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "application/application.hpp"
#include "application/check.hpp"
#include "base/json.hpp"
#include "hosts/local_host.hpp"
#include "reference/order_behaviours.hpp"
#include "reference/order_scheduler.hpp"
#include "reference/order_store.hpp"
#include "support/scratch.hpp"
#include "unum/task_group.hpp"

namespace unum::test {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? "," : "") + text;
  return out + "]";
}

std::string json_texts(std::vector<std::string> texts) {
  for (std::string& text : texts) text = json_text(text);
  return joined(texts);
}

std::size_t number_of(json::View object, std::string_view key) {
  const auto value = json::member(object, key);
  return value ? std::stoull(std::string(*value)) : 0;
}

/// The user's code: held until its turn.
class OrderCode final : public UserCode {
 public:
  OrderCode(const Behaviours& behaviours, const OrderStore& store)
      : behaviours_(behaviours), store_(store) {}

  void begin(Scheduler& scheduler) { scheduler_ = &scheduler; }
  Task<UserResult> call(const UserCall& call, Wait) override {
    const std::string instance(call.instance);
    if (store_.stored().contains(instance)) {
      problems.push_back("the code of " + instance + " ran although its result is stored");
    }
    Scheduler::Hold hold(*scheduler_, instance, "");
    co_await hold;
    co_return run_behaviour(behaviours_.at(std::string(call.function)), call.input);
  }

  std::vector<std::string> problems;

 private:
  const Behaviours& behaviours_;
  const OrderStore& store_;
  Scheduler* scheduler_ = nullptr;
};

std::string text_of(const RunResult& result) {
  if (result.status == RunResult::Status::succeeded) {
    return fmt::format(R"({{"result":{},"instances":{}}})", result.result, result.instances);
  }
  std::vector<std::string> failures;
  for (const RunFailure& failure : result.failures) {
    failures.push_back(fmt::format(R"({{"instance":{},"error":{},"cause":{}}})",
                                   json_text(failure.instance), json_text(failure.error),
                                   json_text(failure.cause)));
  }
  const bool failed = result.status == RunResult::Status::failed;
  return fmt::format(R"({{"status":"{}","failures":{}}})", failed ? "failed" : "broken off",
                     joined(failures));
}

/// The same in all sessions: outcomes of several orders are compared.
std::string without_session(std::string text, const std::string& session) {
  for (std::size_t at = 0; (at = text.find(session, at)) != std::string::npos;) {
    text.replace(at, session.size(), "S");
  }
  return text;
}

/// An application's directory, as `unum run` finds it.
void write_application(const std::filesystem::path& home, json::View functions) {
  std::string settings = "Functions:\n";
  for (const json::View ir : json::elements(functions)) {
    const std::string name = json::string_value(*json::member(ir, "Name"));
    std::filesystem::create_directories(home / name);
    std::ofstream(home / name / "unum_config.json") << ir.text();
    settings +=
        fmt::format("  {0}:\n    Properties: {{CodeUri: {0}/, Runtime: python3.11}}\n", name);
  }
  std::ofstream(home / "unum-template.yaml") << settings;
}

/// One case: its application, and the orders in which it was run.
class Case {
 public:
  Case(Reactor& reactor, Store& store, Store& other_store, json::View text)
      : reactor_(reactor), store_(store), other_store_(other_store), text_(text) {
    for (const json::Member& member : json::members(*json::member(text, "behaviours"))) {
      behaviours_.emplace(member.key, json::Text(member.value));
    }
    write_application(home_.path(), *json::member(text, "functions"));
    application_ = load_application(home_.path());
  }

  std::string run() {
    std::vector<std::string> errors;
    bool loads = !application_.entry.empty();
    for (const Finding& finding : application_.findings) {
      loads = loads && finding.severity != Severity::error;
    }
    for (const Finding& finding : check_application(application_)) {
      if (finding.severity != Severity::error) continue;
      errors.push_back(json_text(finding.rule + ": " + finding.message));
    }
    if (loads) {
      read_linked_texts();
      run_orders();
      run_interleavings();
    }
    std::vector<std::string> outcomes;
    for (const auto& [outcome, seen] : outcomes_) {
      outcomes.push_back(fmt::format(R"({{{},"count":{},"order":{}}})", outcome, seen.count,
                                     json_texts(seen.order)));
    }
    return fmt::format(
        R"({{"errors":{},"loads":{},"outcomes":{},"problems":{},"orders":{},"all":{}}})",
        joined(errors), loads, joined(outcomes), json_texts(problems_), orders_, all_);
  }

 private:
  /// What runs are functions as they are deployed: their linked texts, read again.
  void read_linked_texts() {
    for (FunctionSettings& function : application_.functions) {
      const Function linked(function.ir);
      const Function again = Function::parse(linked.text(), function.ir.source);
      if (again.digest() != linked.digest() || again.text() != linked.text()) {
        problems_.push_back("the linked text of " + function.name() + " is another function");
      }
      function.ir = again.ir();
    }
  }

  struct Seen {
    std::size_t count = 0;
    std::vector<std::string> order;
  };

  /// Depth first over all choices while they are few; the rest of the number by chance.
  void run_orders() {
    const std::size_t most = number_of(text_, "orders");
    std::vector<std::size_t> prefix;
    while (orders_ < (most + 1) / 2) {
      prefix = run_order(Choices(prefix, false, 0), false);
      all_ = prefix.empty();
      if (all_) return;
    }
    while (orders_ < most) run_order(Choices({}, true, next_seed()), false);
  }

  void run_interleavings() {
    const std::size_t count = number_of(text_, "interleavings");
    for (std::size_t i = 0; i < count; ++i) run_order(Choices({}, true, next_seed()), true);
    const std::size_t together = number_of(text_, "together");
    for (std::size_t i = 0; i < together; ++i) run_together(i % 2 == 1);
    const std::size_t deaths = number_of(text_, "deaths");
    for (std::size_t i = 0; i < deaths; ++i) run_with_death();
  }

  std::uint64_t next_seed() { return number_of(text_, "seed") * 1'000'003 + orders_; }

  std::string next_session() {
    static std::size_t sessions = 0;
    ++orders_;
    return fmt::format("order-{}-{}", ::getpid(), ++sessions);
  }

  /// A session, and the same session once more.
  std::vector<std::size_t> run_order(Choices choices, bool interleave) {
    const std::string session = next_session();
    OrderStore store(store_, interleave);
    OrderCode code(behaviours_, store);
    Scheduler first(reactor_, std::move(choices));
    Scheduler again(reactor_, Choices({}, true, next_seed()));
    std::string first_outcome;
    std::string again_outcome;
    // Hosts that never deliver again when they are idle come to the same.
    const bool looks_again = orders_ % 4 == 0;
    reactor_.run(drive(first, run_host(first, store, code, session, first_outcome, looks_again)));
    if (interleave) places_ = std::max(places_, store.places());
    reactor_.run(drive(again, run_host(again, store, code, session, again_outcome, looks_again)));
    std::vector<std::string> order = first.order();
    order.emplace_back("again");
    order.insert(order.end(), again.order().begin(), again.order().end());
    note("first", first_outcome, "again", again_outcome, session, std::move(order));
    note_problems(code);
    clear(session);
    return first.choices().next_prefix();
  }

  /// Two hosts run one session at the same time.
  void run_together(bool interleave) {
    const std::string session = next_session();
    Scheduler scheduler(reactor_, Choices({}, true, next_seed()));
    OrderStore store(store_, interleave);
    OrderStore other_store(other_store_, interleave, "'");
    OrderCode code(behaviours_, store);
    OrderCode other_code(behaviours_, other_store);
    std::string outcome;
    std::string other_outcome;
    std::vector<Task<void>> hosts;
    hosts.push_back(run_host(scheduler, store, code, session, outcome, true));
    hosts.push_back(run_host(scheduler, other_store, other_code, session, other_outcome, true));
    reactor_.run(drive(scheduler, when_all(std::move(hosts), 2)));
    note("one", outcome, "other", other_outcome, session, scheduler.order());
    note_problems(code);
    note_problems(other_code);
    clear(session);
  }

  /// A host dies anywhere, and another one goes on with its session.
  void run_with_death() {
    const std::string session = next_session();
    Choices choices({}, true, next_seed());
    const std::size_t place = choices.random() % std::max<std::size_t>(1, places_);
    Scheduler first(reactor_, std::move(choices));
    Scheduler second(reactor_, Choices({}, true, next_seed() + 1));
    OrderStore store(store_, true);
    OrderCode code(behaviours_, store);
    std::string outcome;
    store.die_at(place);
    reactor_.run(drive(first, run_host(first, store, code, session, outcome, true)));
    store.die_at(std::numeric_limits<std::size_t>::max());
    reactor_.run(drive(second, run_host(second, store, code, session, outcome, true)));
    std::vector<std::string> order = first.order();
    order.push_back(fmt::format("died at {} of {}, again", place, places_));
    order.insert(order.end(), second.order().begin(), second.order().end());
    note("resumed", outcome, "", "", session, std::move(order));
    note_problems(code);
    clear(session);
  }

  /// Every second session is collected, and comes to the same.
  bool collects() const noexcept { return orders_ % 2 == 0; }

  void note(std::string_view name, const std::string& outcome, std::string_view other_name,
            const std::string& other, const std::string& session, std::vector<std::string> order) {
    std::string both = fmt::format(R"("collected":{},"{}":{})", collects(), name, outcome);
    if (!other.empty()) both += fmt::format(R"(,"{}":{})", other_name, other);
    Seen& seen = outcomes_[without_session(std::move(both), session)];
    if (++seen.count == 1) seen.order = std::move(order);
  }

  void note_problems(OrderCode& code) {
    for (std::string& problem : code.problems) problems_.push_back(std::move(problem));
  }

  /// Lets what runs go on until all of it has ended.
  static Task<void> drive(Scheduler& scheduler, Task<void> running) {
    bool ended = false;
    TaskGroup driving;
    driving.spawn(scheduler.drive(ended));
    co_await std::move(running);
    ended = true;
    co_await driving.drain();
  }

  Task<void> run_host(Scheduler& scheduler, OrderStore& store, OrderCode& code,
                      const std::string& session, std::string& outcome, bool looks_again) {
    constexpr std::chrono::seconds kPatience{30};
    store.begin(scheduler);
    code.begin(scheduler);
    LocalHostTuning options;
    options.delivers_again_when_idle = looks_again;
    options.runtime.collects_garbage = collects();
    LocalHost host(reactor_, store, options);
    for (const FunctionSettings& settings : application_.functions) {
      host.add(Function(settings.ir), code);
    }
    const std::string input(*json::member(text_, "input"));
    const Wait wait{reactor_.now() + kPatience, {}};
    try {
      const RunResult result = co_await host.run(session, input, wait);
      outcome = text_of(result);
    } catch (const Error& error) {
      outcome = fmt::format(R"({{"status":"threw","error":{},"cause":{}}})",
                            json_text(error.code()), json_text(error.message()));
    } catch (const ProcessDied&) {
      outcome = R"({"status":"threw","error":"","cause":"the process died"})";
    }
  }

  void clear(const std::string& session) {
    const SessionContext context = session_context(session);
    std::vector<ItemId> items;
    for (const ListedItem& item : reactor_.run(store_.list(context))) items.push_back(item.id);
    reactor_.run(store_.remove(context, items));
  }

  Reactor& reactor_;
  Store& store_;
  Store& other_store_;  ///< Of a second process, as it were.
  json::Text text_;
  Scratch home_;
  Behaviours behaviours_;
  Application application_;
  std::map<std::string, Seen> outcomes_;
  std::vector<std::string> problems_;
  std::size_t orders_ = 0;
  std::size_t places_ = 0;  ///< Where a host can die: the most that were seen.
  bool all_ = false;
};

/// Stores stay open from case to case.
class Stores {
 public:
  explicit Stores(Reactor& reactor) : reactor_(reactor) {}
  ~Stores() {
    for (auto& [name, store] : open_) reactor_.run(store->close());
  }
  /// One of several on the same data; what is kept in memory has only one.
  Store& at(const std::string& type, const std::string& name, int number) {
    if (type == "memory") number = 0;
    std::unique_ptr<Store>& store = open_[fmt::format("{} {}:{}", number, type, name)];
    if (store == nullptr) {
      reactor_.run(create_store(reactor_, type, name));
      StoreOptions options;
      options.durable = false;
      store = reactor_.run(open_store(reactor_, type, name, options));
    }
    return *store;
  }

 private:
  Reactor& reactor_;
  std::map<std::string, std::unique_ptr<Store>> open_;
};

int run_all_cases() {
  Reactor reactor;
  Stores stores(reactor);
  std::string line;
  while (std::getline(std::cin, line)) {
    const json::View text = json::validate(line, "the case");
    const std::vector<json::View> place = json::elements(*json::member(text, "store"));
    const std::string type = json::string_value(place.at(0));
    const std::string name = json::string_value(place.at(1));
    Case one(reactor, stores.at(type, name, 0), stores.at(type, name, 1), text);
    fmt::print("{}\n", one.run());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace unum::test

int main() {
  try {
    return unum::test::run_all_cases();
  } catch (const std::exception& error) {
    std::cerr << "order-driver: " << error.what() << "\n";
    return 1;
  }
}
