// Every order in which the calls of up to three contributors of a fan-in can reach the store.
//
// Each contributor is a coroutine that stops before each of its calls; the test tries all sequences
// of "which one goes on". Contributors share a store object (one process) or have one each
// (processes).
#include <functional>
#include <memory>

#include "conformance/fan_in_names.hpp"
#include "support/sanitized.hpp"
#include "support/store_decorators.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/forwarding_store.hpp"
#include "unum/scan_and_claim.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using unum::test::Names;
using Status = FanInState::Status;

namespace {

/// Where contributors stop, and how many stand there.
class Gate {
 public:
  explicit Gate(Reactor& reactor) : reactor_(reactor) {}
  Task<void> pass(std::size_t who) {
    waiting_[who] = true;
    co_await lists_[who].wait(reactor_, {});
  }
  std::vector<std::size_t> standing() const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      if (waiting_[i]) all.push_back(i);
    }
    return all;
  }
  void let(std::size_t who) {
    waiting_[who] = false;
    lists_[who].wake_all();
  }

 private:
  Reactor& reactor_;
  std::array<bool, 3> waiting_{};
  std::array<detail::WaitList, 3> lists_;
};

/// A store that stops at the gate before each call it passes on. Which contributor calls is told by
/// the context's instance.
class GatedStore final : public ForwardingStore {
 public:
  GatedStore(Store& inner, Gate& gate) : ForwardingStore(inner), gate_(gate) {}

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    co_await gate_.pass(who(context));
    co_return co_await inner().get(context, item, wait);
  }
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override {
    co_await gate_.pass(who(context));
    co_return co_await inner().create(context, item, value, wait);
  }
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override {
    co_await gate_.pass(who(context));
    co_return co_await inner().all_exist(context, pointers, wait);
  }
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return write_then_join(*this, context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return fan_in_.join(context, fan_ins, wait);
  }

 private:
  static std::size_t who(const SessionContext& context) {
    return static_cast<std::size_t>(context.instance().back() - '0');
  }
  Gate& gate_;
  ScanAndClaim fan_in_{*this};
};

struct Outcome {
  std::size_t claimed = 0;
  std::size_t mismatch = 0;
};

/// Runs one order: at each step `choose(n)` says which of n standing contributors goes on.
Outcome run_order(Reactor& reactor, Store& inner, const std::vector<FanInRole>& roles, bool shared,
                  const std::function<std::size_t(std::size_t)>& choose) {
  Gate gate(reactor);
  std::vector<std::unique_ptr<GatedStore>> stores;
  for (std::size_t i = 0; i < (shared ? 1 : roles.size()); ++i) {
    stores.push_back(std::make_unique<GatedStore>(inner, gate));
  }
  const Names names("F", roles.size());
  const SessionContext session = create_session_context(inner);
  Outcome outcome;
  TaskGroup group;
  const auto contributor = [&](std::size_t place) -> Task<void> {
    Store& store = *stores[shared ? 0 : place];
    const SessionContext context = session.bound_to(names.name(place));
    const FanIn fan_in = test::fan_in_of(names, place, roles[place]);
    const CommitResult result = co_await store.commit(context, "1", std::span(&fan_in, 1));
    outcome.claimed += result.fan_ins.at(0).status == Status::claimed;
    outcome.mismatch += result.fan_ins.at(0).status == Status::mismatch;
  };
  for (std::size_t i = 0; i < roles.size(); ++i) group.spawn(contributor(i));
  while (group.running() > 0) {
    const std::vector<std::size_t> standing = gate.standing();
    gate.let(standing.at(choose(standing.size())));
    reactor.run_once(kAlreadyPassed);
  }
  const auto finish = [&]() -> Task<void> {
    co_await group.drain();
    std::vector<ItemId> items;
    const std::vector<ListedItem> listed = co_await inner.list(session);
    for (const ListedItem& item : listed) items.push_back(item.id);
    co_await inner.remove(session, items);
  };
  reactor.run(finish());
  return outcome;
}

/// Tries every order; how many there were.
std::size_t try_all_orders(Reactor& reactor, Store& inner, const std::vector<FanInRole>& roles,
                           bool shared, std::size_t expected_claims) {
  struct Step {
    std::size_t chosen;
    std::size_t of;
  };
  std::vector<Step> path;
  std::size_t orders = 0;
  std::size_t wrong = 0;
  while (true) {
    std::size_t depth = 0;
    const Outcome outcome = run_order(reactor, inner, roles, shared, [&](std::size_t of) {
      if (depth == path.size()) path.push_back({0, of});
      return path[depth++].chosen;
    });
    path.resize(depth);
    ++orders;
    if (outcome.claimed != expected_claims || outcome.mismatch != 0) ++wrong;
    while (!path.empty() && path.back().chosen + 1 == path.back().of) path.pop_back();
    if (path.empty()) break;
    ++path.back().chosen;
  }
  CHECK(wrong == 0);
  return orders;
}

}  // namespace

TEST_CASE("case 20: in every order of up to three contributors' calls the fan-in is claimed once") {
  using enum FanInRole;
  struct Setting {
    std::vector<FanInRole> roles;
    std::size_t claims;
    std::size_t orders_min;  // fewer, and the test would not be trying them
    bool also_apart = true;  // as processes too, which walk more
  };
  const std::vector<Setting> settings = {
      {{contributor}, 1, 1},
      {{contributor, contributor}, 1, 10},
      {{requester, observer}, 1, 30},
      {{requester, requester}, 1, 30},
      {{observer, observer}, 0, 6},
      {{contributor, contributor, contributor}, 1, 1'500},
      {{requester, observer, observer}, 1, 40'000},
      {{observer, requester, requester}, 1, 50'000, false},
  };
  Reactor reactor;
  reactor.run(create_store(reactor, "memory", "orders"));
  const std::unique_ptr<Store> inner = reactor.run(open_store(reactor, "memory", "orders"));
  for (const Setting& setting : settings) {
    if (test::kSanitized && setting.orders_min > 10'000) continue;  // minutes
    for (const bool shared : {true, false}) {
      if (!shared && (!setting.also_apart || (test::kSanitized && setting.orders_min > 1'000))) {
        continue;
      }
      CHECK(try_all_orders(reactor, *inner, setting.roles, shared, setting.claims) >=
            setting.orders_min);
    }
  }
}

TEST_CASE("a claim that stale reads do not see yet is made once all the same, in every order") {
  using enum FanInRole;
  const std::vector<std::vector<FanInRole>> settings = {
      {contributor, contributor}, {requester, observer}, {contributor, contributor, contributor}};
  const auto claims = [](std::string_view, ItemKind kind) { return kind == ItemKind::claim; };
  Reactor reactor;
  reactor.run(create_store(reactor, "memory", "stale orders"));
  const std::unique_ptr<Store> inner = reactor.run(open_store(reactor, "memory", "stale orders"));
  for (const std::vector<FanInRole>& roles : settings) {
    if (test::kSanitized && roles.size() > 2) continue;  // a minute
    for (const bool shared : {true, false}) {
      test::StaleReadStore stale(*inner, 2, claims);
      CHECK(try_all_orders(reactor, stale, roles, shared, 1) >= 10);
    }
  }
}
