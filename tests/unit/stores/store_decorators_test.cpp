// What stands around a store: the checks that open_store adds, and decorators of tests, which show
// that a fault or a stale read in any call of a fan-in neither loses it nor invokes it twice.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "conformance/fan_in_names.hpp"
#include "conformance/stores_under_test.hpp"
#include "support/store_decorators.hpp"

using namespace unum;
using namespace unum::test;

namespace {

std::unique_ptr<Store> fresh_store(Reactor& reactor) {
  static int count = 0;
  const std::string name = "decorated-" + std::to_string(count++);
  reactor.run(create_store(reactor, "memory", name));
  return reactor.run(open_store(reactor, "memory", name));
}

const Error kNoAnswer(ErrorKind::disconnected, "redis", "Unum.NoAnswer", "no answer");

/// The instances that were told to invoke the aggregator when each contributor in turn commits,
/// once more after an error, which must be the fault's. The last ones commit twice in any case.
std::set<std::string> claimants(Reactor& reactor, Store& store,
                                const std::vector<FanInRole>& roles) {
  const SessionContext session = create_session_context(store);
  const Names names("F", roles.size());
  std::set<std::string> claimed;
  const auto commit = [&](std::size_t place) {
    const SessionContext at = session.bound_to(names.name(place));
    const FanIn fan_in = fan_in_of(names, place, roles[place]);
    const CommitResult done = reactor.run(store.commit(at, "1", std::span(&fan_in, 1)));
    if (done.fan_ins.at(0).status == FanInState::Status::claimed) claimed.insert(at.instance());
  };
  for (std::size_t place = 0; place < roles.size(); ++place) {
    try {
      commit(place);
    } catch (const Error& error) {
      CHECK(error.code() == kNoAnswer.code());
      commit(place);
    }
  }
  return claimed;
}

}  // namespace

TEST_CASE("a fault in any call of a checkpoint comes through, and the same step again goes on") {
  using enum FanInRole;
  const auto roles = GENERATE(std::vector{contributor}, std::vector{contributor, contributor},
                              std::vector{requester, observer}, std::vector{observer, requester});
  const auto when = GENERATE(FaultyStore::When::before_effect, FaultyStore::When::after_effect);
  const bool stepping = GENERATE(false, true);
  Reactor reactor;
  std::size_t faults = 0;
  for (bool failed = true; failed; ++faults) {
    INFO("call " << faults);
    const std::unique_ptr<Store> inner = fresh_store(reactor);
    FaultyStore faulty(*inner, faults, when, kNoAnswer);
    SteppingStore in_steps(faulty);
    Store& store = stepping ? static_cast<Store&>(in_steps) : faulty;
    CHECK(claimants(reactor, store, roles).size() == 1);
    failed = faulty.failed();
  }
  CHECK(faults > (stepping ? 2 * roles.size() : roles.size()));
}

TEST_CASE("a stale read of many names what it misses, and a later one has it") {
  Reactor reactor;
  const std::unique_ptr<Store> inner = fresh_store(reactor);
  StaleReadStore stale(*inner, 1, [](std::string_view, ItemKind) { return true; });
  Store& store = stale;
  const SessionContext context = create_session_context(store);
  reactor.run(test::write(store, context, "F", "1"));
  const std::vector<Pointer> pointers{pointer(context, "F")};
  CHECK(reactor.run(check_values_exist(store, context, pointers)));
  CHECK(error_of(reactor, read_input(store, context, pointers)).code() == "Unum.MissingInput");
  CHECK(reactor.run(read_input(store, context, pointers)) == std::vector<std::string>{"1"});
}

TEST_CASE("a stale read of an instance's own outcome lets nothing be written twice") {
  Reactor reactor;
  const std::unique_ptr<Store> inner = fresh_store(reactor);
  StaleReadStore stale(*inner, 1, [](std::string_view, ItemKind) { return true; });
  Store& store = stale;
  const SessionContext context = create_session_context(store);
  const ItemId outcome = id("F", ItemKind::outcome);
  CHECK(reactor.run(test::write(store, context, "F", "1")));
  CHECK(!reactor.run(store.get(context, outcome)));
  CHECK(reactor.run(write_return_value(store, context.bound_to("F"), "2")).stored == "1");
  CHECK(reactor.run(store.get(context, outcome)) == "1");
}

TEST_CASE("a trace has each call of a commit in its order, and counts say how many") {
  Reactor reactor;
  const std::unique_ptr<Store> inner = fresh_store(reactor);
  TracedStore traced(*inner);
  CountingStore counted(traced);
  SteppingStore store(counted);
  claimants(reactor, store, {FanInRole::contributor, FanInRole::contributor});
  CHECK(traced.lines() ==
        std::vector<std::string>{"> create F-unumIndex-0-output", "< create F-unumIndex-0-output",
                                 "> all_exist", "< all_exist",  // the other one is missing
                                 "> create F-unumIndex-1-output", "< create F-unumIndex-1-output",
                                 "> all_exist", "< all_exist",  // the first one is there
                                 "> create Sink-fanin", "< create Sink-fanin"});
  CHECK(counted.count("create") == 3);
  CHECK(counted.count("all_exist") == 2);
  CHECK(counted.count("commit") == 0);
}

TEST_CASE("what the checks refuse is thrown by the task, and the store hears nothing of it") {
  Reactor reactor;
  const std::unique_ptr<Store> inner = fresh_store(reactor);
  auto counting = std::make_unique<CountingStore>(*inner);
  const CountingStore& counted = *counting;
  const std::unique_ptr<Store> store = checked(std::move(counting));
  const SessionContext context = create_session_context(*store);
  const SessionContext bound = context.bound_to("F");
  const Names names("F", 2);
  const auto code = [&](auto task) { return error_of(reactor, std::move(task)).code(); };

  const ItemId nameless = id("", ItemKind::outcome);
  const ItemId endless = id(std::string(kItemNameBytesMax + 1, 'n'), ItemKind::outcome);
  for (const ItemId& item : {nameless, endless}) {
    CHECK(code(store->get(context, item)) == "Unum.InvalidName");
    CHECK(code(store->create(context, item, "1")) == "Unum.InvalidName");
    CHECK(code(store->put(context, item, "1")) == "Unum.InvalidName");
    CHECK(code(store->remove(context, std::span(&item, 1))) == "Unum.InvalidName");
    FanIn fan_in = fan_in_of(names, 0);
    fan_in.aggregator = item.name;
    CHECK(code(store->commit(bound, "1", std::span(&fan_in, 1))) == "Unum.InvalidName");
    CHECK(code(store->join(bound, std::span(&fan_in, 1))) == "Unum.InvalidName");
  }
  const SessionContext long_bound = context.bound_to(endless.name);
  CHECK(code(store->commit(context, "1", {})) == "Unum.UnboundContext");
  CHECK(code(store->commit(long_bound, "1", {})) == "Unum.InvalidName");
  // A view of more bytes than there are: nobody may look at them.
  const std::string_view too_large("1", kValueBytesMax + 1);
  const ItemId item = id("F", ItemKind::outcome);
  CHECK(code(store->create(context, item, too_large)) == "Unum.ValueTooLarge");
  CHECK(code(store->put(context, item, too_large)) == "Unum.ValueTooLarge");
  CHECK(code(store->commit(bound, too_large, {})) == "Unum.ValueTooLarge");

  StopSource source;
  source.request("enough");
  Wait stopped;
  stopped.stop = source.token();
  CHECK(code(store->all_exist(context, {}, stopped)) == "ECANCELED");
  CHECK(code(store->join(bound, {}, stopped)) == "ECANCELED");
  for (const char* call : {"get", "create", "put", "remove", "commit", "join", "all_exist"}) {
    CHECK(counted.count(call) == 0);
  }
  reactor.run(store->close());
  reactor.run(store->close());
  CHECK(code(store->list_sessions()) == "Unum.StoreClosed");
  CHECK(code(store->join(bound, {})) == "Unum.StoreClosed");
}
