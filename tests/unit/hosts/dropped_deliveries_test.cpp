// Platforms that may drop a delivery that died, because another one of the same message was
// acknowledged: of each instance only one delivery is sure to run to its end. Deliveries run beside
// each other, stop before each call of the store and the platform, and go on in the order that a
// seed says; each but one of an instance dies somewhere. No aggregator is lost. What is known to
// lose it is tried, too: the same test must see it.
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/sanitized.hpp"
#include "support/store_decorators.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/task_group.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// What a host or a runtime could do wrong.
enum class Defect : std::uint8_t {
  none,
  ends_at_anothers_claim,
  ends_at_its_own_outcome,
  confirms_before_it_invokes,
  takes_unclear_for_accepted,
  owner_ends_at_a_confirmation,
  confirms_what_is_handed_over_later,
};

struct Died {};

/// One delivery under way: where it stops, and where it dies.
class Delivering {
 public:
  Delivering(Reactor& reactor, std::size_t calls_before_death)
      : reactor_(reactor), calls_left_(calls_before_death) {}

  /// Before a call is after the one before it.
  Task<void> stop() {
    if (calls_left_-- == 0) throw Died{};
    stands_ = true;
    co_await list_.wait(reactor_, {});
  }
  bool stands() const noexcept { return stands_; }
  void let() {
    stands_ = false;
    list_.wake_all();
  }

 private:
  Reactor& reactor_;
  std::size_t calls_left_;
  bool stands_ = false;
  detail::WaitList list_;
};

class StoppingStore final : public InterposedStore {
 public:
  StoppingStore(Store& inner, Delivering& delivering)
      : InterposedStore(inner), delivering_(delivering) {}

 protected:
  Task<void> before(std::string_view, Wait) override { return delivering_.stop(); }
  void after(std::string_view) override {}

 private:
  Delivering& delivering_;
};

/// The platform as one delivery sees it.
class Platform final : public Invoker {
 public:
  Platform(Store& store, Delivering& delivering, Defect defect, bool hands_over_later,
           std::vector<Invocation>& accepted)
      : store_(store),
        delivering_(delivering),
        defect_(defect),
        hands_over_later_(hands_over_later),
        accepted_(accepted) {}

  Task<void> invoke(Invocation invocation, Wait wait) override {
    const SessionContext context = session_context("s");
    const ItemId said{invocation.instance, ItemKind::invoked};
    if (defect_ == Defect::confirms_before_it_invokes) {
      co_await store_.put(context, said, "1", wait);
    }
    if (defect_ == Defect::owner_ends_at_a_confirmation) {
      // As in a platform that lost what it had accepted: whoever is delivered again asks first.
      const std::optional<std::string> is_said = co_await store_.get(context, said, wait);
      if (is_said) co_return;
    }
    co_await delivering_.stop();
    if (defect_ == Defect::takes_unclear_for_accepted && ++unclear_ == 1) co_return;
    (hands_over_later_ ? kept_ : accepted_).push_back(std::move(invocation));
  }
  /// When the step has ended.
  Task<void> hand_over() {
    co_await delivering_.stop();
    for (Invocation& invocation : kept_) accepted_.push_back(std::move(invocation));
  }
  bool accepts_at_once() const noexcept override {
    return !hands_over_later_ || defect_ == Defect::confirms_what_is_handed_over_later;
  }
  bool keeps_every_delivery() const noexcept override {
    return defect_ == Defect::ends_at_anothers_claim;
  }

 private:
  Store& store_;
  Delivering& delivering_;
  const Defect defect_;
  const bool hands_over_later_;
  std::vector<Invocation>& accepted_;
  std::vector<Invocation> kept_;
  int unclear_ = 0;
};

struct Shape {
  const char* name;
  NativeApp app;
  std::string input;
  bool hands_over_later = false;  ///< A step's invocations, when it has ended.
  bool forgets =
      false;  ///< What the platform has accepted first, it loses; all is delivered again.
};

/// Runs a workflow's contributors; how often its aggregator was invoked.
class Trial {
 public:
  Trial(Shape& shape, bool in_one_step, Defect defect, std::uint32_t seed)
      : shape_(shape), in_one_step_(in_one_step), defect_(defect), random_(seed) {
    std::vector<Function> functions;
    for (const std::string& name : shape.app.function_names()) {
      functions.push_back(shape.app.function(name));
    }
    functions_ = link_functions(std::move(functions));
    options_.confirmation_patience = std::chrono::milliseconds(0);
  }

  std::size_t run() {
    const Function& entry = functions_.front();
    const Invocation first{entry.name(), entry.name(), "", entry_payload(shape_.input, "s")};
    const std::vector<Invocation> contributors = run_together({&first, 1}, false);
    std::vector<Invocation> aggregators = run_together(contributors, true);
    if (shape_.forgets) aggregators = run_together(contributors, false);
    return aggregators.size();
  }

 private:
  static constexpr std::size_t kCallsMax = 9;  ///< Of one contributor's delivery.

  std::vector<Invocation> run_together(std::span<const Invocation> invocations, bool with_deaths) {
    std::vector<Invocation> accepted;
    std::vector<std::unique_ptr<Delivering>> deliveries;
    TaskGroup group;
    const auto start = [&](const Invocation& invocation, std::size_t dies_at) {
      deliveries.push_back(std::make_unique<Delivering>(reactor_, dies_at));
      group.spawn(deliver(*deliveries.back(), invocation, accepted));
    };
    for (const Invocation& invocation : invocations) {
      start(invocation, SIZE_MAX);
      if (with_deaths && random_() % 4 != 0) start(invocation, random_() % kCallsMax);
    }
    std::shuffle(deliveries.begin(), deliveries.end(), random_);
    while (group.running() > 0) {
      std::vector<Delivering*> standing;
      for (const auto& delivering : deliveries) {
        if (delivering->stands()) standing.push_back(delivering.get());
      }
      if (!standing.empty()) {
        // Some are slow for a while: a delivery that goes far ahead is what a seed seldom gives.
        const std::size_t among = random_() % 2 == 0 ? 1 : standing.size();
        standing[random_() % among]->let();
      }
      reactor_.run_once(kAlreadyPassed);
    }
    reactor_.run(group.drain());
    return accepted;
  }

  Task<void> deliver(Delivering& delivering, const Invocation& invocation,
                     std::vector<Invocation>& accepted) {
    StoppingStore stopping(*store_, delivering);
    SteppingStore stepping(stopping);
    Store& store = in_one_step_ ? static_cast<Store&>(stopping) : stepping;
    Platform platform(stopping, delivering, defect_, shape_.hands_over_later, accepted);
    Runtime runtime(store, platform, options_);
    try {
      if (defect_ == Defect::ends_at_its_own_outcome) {
        const ItemId own{invocation.instance, ItemKind::outcome};
        const std::optional<std::string> outcome = co_await store.get(session_context("s"), own);
        if (outcome) co_return;
      }
      const json::View payload = validate_payload(invocation.payload.text());
      co_await runtime.step(function(invocation.function), payload, shape_.app);
      if (shape_.hands_over_later) co_await platform.hand_over();
    } catch (const Died&) {
    }
  }

  const Function& function(std::string_view name) const {
    for (const Function& function : functions_) {
      if (function.name() == name) return function;
    }
    throw std::out_of_range("no such function");
  }

  Shape& shape_;
  const bool in_one_step_;
  const Defect defect_;
  std::mt19937 random_;
  Reactor reactor_;
  FreshStore store_{reactor_, "memory"};
  std::vector<Function> functions_;
  RuntimeOptions options_;
};

Shape contributors() { return {"contributors of a map", map_and_fan_in(), "[1,2]"}; }

/// The first branch asks for the fan-in, as its own result says; the second cannot know.
Shape requested() {
  Shape shape{"a requested fan-in", {}, "[1,0]"};
  shape.app.add(map_to("M", "F", R"("Start": true, )"));
  shape.app.add(fan_in("F", "A", R"("F-unumIndex-*")",
                       R"(, "Conditional": "$ret > 0", "Payload Modifiers": ["Pop"])"));
  shape.app.add(terminal("A"));
  return shape;
}

Shape forgotten() {
  Shape shape = contributors();
  shape.name = "a platform that loses what it accepted, and a resume";
  shape.forgets = true;
  return shape;
}

Shape handed_over() {
  Shape shape = contributors();
  shape.name = "a platform that is handed invocations when a step has ended";
  shape.hands_over_later = true;
  return shape;
}

/// Seeds without an invocation of the aggregator.
std::size_t lost(Shape (*make)(), bool in_one_step, Defect defect, std::uint32_t seeds) {
  std::size_t lost = 0;
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    Shape shape = make();
    if (Trial(shape, in_one_step, defect, seed).run() > 0) continue;
    ++lost;
    if (defect != Defect::none) break;  // that it is seen is enough
    UNSCOPED_INFO(shape.name << ", seed " << seed);
  }
  return lost;
}

constexpr std::uint32_t kSeeds = kSanitized ? 50 : 1000;
constexpr std::uint32_t kSeedsOfDefects = 1000;

}  // namespace

TEST_CASE("no fan-in is lost where a delivery that dies may be dropped") {
  for (const bool in_one_step : {false, true}) {
    CHECK(lost(&contributors, in_one_step, Defect::none, kSeeds) == 0);
    CHECK(lost(&requested, in_one_step, Defect::none, kSeeds) == 0);
    CHECK(lost(&forgotten, in_one_step, Defect::none, kSeeds) == 0);
    CHECK(lost(&handed_over, in_one_step, Defect::none, kSeeds) == 0);
  }
}

TEST_CASE("what is known to lose a fan-in is seen to lose it") {
  using enum Defect;
  for (const Defect defect : {ends_at_its_own_outcome, takes_unclear_for_accepted}) {
    CHECK(lost(&contributors, false, defect, kSeedsOfDefects) > 0);
    CHECK(lost(&contributors, true, defect, kSeedsOfDefects) > 0);
  }
  // Where checkpoint and claim are one step, the claim's owner is the one that came last, so that
  // its own next delivery invokes. These lose where they are two.
  CHECK(lost(&contributors, false, ends_at_anothers_claim, kSeedsOfDefects) > 0);
  CHECK(lost(&contributors, false, confirms_before_it_invokes, kSeedsOfDefects) > 0);
  CHECK(lost(&handed_over, false, confirms_what_is_handed_over_later, kSeedsOfDefects) > 0);
  CHECK(lost(&forgotten, false, owner_ends_at_a_confirmation, kSeedsOfDefects) > 0);
}
