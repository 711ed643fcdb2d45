// Every order in which the deliveries of small workflows can come to the runtime, with one of them
// coming twice or one dying at any of its calls of the store, or the whole process with it: none
// is lost, and all that is left in the end are results and tombstones.
//
// Deliveries run one behind the other here. What their calls do in between each other is tried by
// reference/fan_in_random_test.py.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "support/sanitized.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

namespace {

struct Delivery {
  std::string function;
  std::string payload;
};

/// A platform that holds what was invoked until somebody delivers it.
struct Platform final : Invoker {
  Task<void> invoke(Invocation invocation, Wait) override {
    pending.push_back({std::string(invocation.function), invocation.payload.text()});
    co_return;
  }
  std::vector<Delivery> pending;
};

/// One path through the choices; `choose(n)` is below n.
class Path {
 public:
  std::size_t choose(std::size_t of) {
    if (depth_ == steps_.size()) steps_.push_back({0, of});
    return steps_[depth_++].chosen;
  }
  /// Whether there is another path.
  bool next() {
    steps_.resize(depth_);
    depth_ = 0;
    while (!steps_.empty() && steps_.back().chosen + 1 == steps_.back().of) steps_.pop_back();
    if (steps_.empty()) return false;
    ++steps_.back().chosen;
    return true;
  }

 private:
  struct Step {
    std::size_t chosen;
    std::size_t of;
  };
  std::vector<Step> steps_;
  std::size_t depth_ = 0;
};

struct Workflow {
  NativeApp app;
  std::string input;
  std::set<std::string> instances;
  std::set<std::string> results;
};

class Orders {
 public:
  /// `both`: one delivery comes twice and one dies, instead of either.
  explicit Orders(Workflow workflow, bool both = false)
      : workflow_(std::move(workflow)), both_(both) {
    std::vector<Function> functions;
    for (const std::string& name : workflow_.app.function_names()) {
      functions.push_back(workflow_.app.function(name));
    }
    functions_ = link_functions(std::move(functions));
    options_.collects_garbage = true;
  }

  std::size_t try_all() {
    std::size_t paths = 0;
    do {
      ++paths;
      run_one();
    } while (path_.next() && wrong_ == 0);
    return paths;
  }

 private:
  static constexpr std::size_t kCallsMax = 10;  ///< Of the store, in one delivery.
  enum class How : std::uint8_t { to_its_end, twice, dies, process_dies };

  void run_one() {
    store_ = std::make_unique<FreshStore>(reactor_, "memory");
    Platform platform;
    platform.pending.push_back({functions_[entry()].name(), entry_text()});
    bool may_repeat = true;
    bool may_die = true;
    began_again_ = false;
    while (!platform.pending.empty()) {
      // A host that found the session delivers what it lists as it lists it.
      const std::size_t place = began_again_ ? 0 : path_.choose(platform.pending.size());
      const Delivery delivery = platform.pending[place];
      std::vector<How> ways{How::to_its_end};
      if (may_repeat) ways.push_back(How::twice);
      if (may_die) ways.insert(ways.end(), {How::dies, How::process_dies});
      const How how = ways[path_.choose(ways.size())];
      if (how == How::to_its_end || how == How::twice) {
        platform.pending.erase(platform.pending.begin() + static_cast<std::ptrdiff_t>(place));
        // The second comes at any time from here on.
        if (how == How::twice) platform.pending.push_back(delivery);
        may_repeat &= how != How::twice;
        may_die &= how != How::twice || both_;
        deliver(**store_, platform, delivery);
        continue;
      }
      may_die = false;
      may_repeat &= both_;
      if (!deliver_and_die(platform, delivery)) return;  // it has fewer calls: another path's
      if (how != How::process_dies) continue;
      begin_again(platform);
      began_again_ = true;
    }
    judge();
  }

  bool deliver_and_die(Platform& platform, const Delivery& delivery) {
    const auto calls = static_cast<int>(path_.choose(kCallsMax));
    // Before a call is after the one before it.
    const auto when = FailingStore::How::dies_after_effect;
    FailingStore dying(**store_, calls, when);
    try {
      deliver(dying, platform, delivery);
    } catch (const StoreDied&) {
    }
    return dying.has_failed();
  }

  void deliver(Store& store, Platform& platform, const Delivery& delivery) {
    Runtime runtime(store, platform, options_);
    for (const Function& function : functions_) {
      if (function.name() != delivery.function) continue;
      const json::View payload = validate_payload(delivery.payload);
      reactor_.run(runtime.step(function, payload, workflow_.app));
    }
  }

  /// What a host does that finds the session: the entry, and whatever is not collected.
  void begin_again(Platform& platform) {
    platform.pending.clear();
    platform.pending.push_back({functions_[entry()].name(), entry_text()});
    const SessionContext context = session_context("s");
    for (const ListedItem& item : reactor_.run((**store_).list(context))) {
      if (item.id.kind != ItemKind::outcome) continue;
      const auto kept = reactor_.run((**store_).redelivery_of(context, item.id.name));
      if (!kept) continue;
      const std::string function = item.id.name.substr(0, item.id.name.find("-unumIndex-"));
      if (function == functions_[entry()].name()) continue;
      platform.pending.push_back(
          {function, redelivery_payload(*kept, "memory", "s", item.id.name).text()});
    }
  }

  void judge() {
    const SessionContext context = session_context("s");
    std::set<std::string> instances;
    std::set<std::string> left;
    for (const ListedItem& item : reactor_.run((**store_).list(context))) {
      const auto value = reactor_.run((**store_).get(context, item.id));
      if (item.id.kind == ItemKind::outcome) {
        instances.insert(item.id.name);
        if (*value != kTombstone) left.insert(item.id.name);
      } else if (item.id.kind == ItemKind::claim || item.id.kind == ItemKind::wanted ||
                 item.id.kind == ItemKind::invoked) {
        left.insert(item_name(item.id.name, item.id.kind));
      }
    }
    CHECK(instances == workflow_.instances);
    // What is left when the process dies goes at the run's end, which is the host's.
    const bool all = began_again_
                         ? std::includes(left.begin(), left.end(), workflow_.results.begin(),
                                         workflow_.results.end())
                         : left == workflow_.results;
    CHECK(all);
    if (instances != workflow_.instances || !all) ++wrong_;
  }

  std::size_t entry() const {
    std::size_t place = 0;
    while (!functions_[place].is_entry()) ++place;
    return place;
  }
  std::string entry_text() const { return entry_payload(workflow_.input, "s").text(); }

  Reactor reactor_;
  Workflow workflow_;
  const bool both_;
  std::vector<Function> functions_;
  RuntimeOptions options_;
  std::unique_ptr<FreshStore> store_;
  Path path_;
  std::size_t wrong_ = 0;
  bool began_again_ = false;  ///< The process died; another one found the session.
};

}  // namespace

TEST_CASE("a chain is collected whatever comes twice or dies") {
  Workflow chain{{}, "1", {"A", "B", "C"}, {"C"}};
  chain.app.add(scalar("A", "B", R"("Start": true, )"));
  chain.app.add(scalar("B", "C"));
  chain.app.add(terminal("C"));
  Orders orders(std::move(chain), true);
  CHECK(orders.try_all() > 100);
}

TEST_CASE("a map and its fan-in are collected whatever comes twice or dies") {
  Workflow map{map_and_fan_in(), "[1,2]", {"M", "F-unumIndex-0", "F-unumIndex-1", "A"}, {"A"}};
  Orders orders(std::move(map));
  CHECK(orders.try_all() > 100);
}

TEST_CASE("children that go two ways are collected whatever comes twice or dies") {
  Workflow two{{}, "1", {"S", "B-unumIndex-0", "C-unumIndex-1", "D-unumIndex-0"}, {}};
  two.results = {"C-unumIndex-1", "D-unumIndex-0"};
  two.app.add(one_of(
      "S", R"({"Name": "B", "InputType": "Scalar"}, {"Name": "C", "InputType": "Scalar"})", true));
  two.app.add(scalar("B", "D"));
  two.app.add(terminal("C"));
  two.app.add(terminal("D"));
  Orders orders(std::move(two));
  CHECK(orders.try_all() > 100);
}
