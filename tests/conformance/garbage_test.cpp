// Garbage over each store: tombstones, what stands beside an outcome, and whole sessions.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "conformance/stores_under_test.hpp"
#include "support/collected_shapes.hpp"
#include "support/sanitized.hpp"
#include "support/store_decorators.hpp"

using namespace unum;
using namespace unum::test;

TEST_CASE("a tombstone takes an outcome's place, and what stood beside it goes", "[values]") {
  ON_EACH_STORE();
  const std::string long_value(600 * 1024, 'v');
  const std::string beside = R"({"GC":{"Parent":"P","Readers":["F","G"]}})";
  const std::vector<std::string> names = {"F", "G-unumIndex-3", "H"};
  const std::vector<std::string> collected = {"F", "G-unumIndex-3"};
  const std::vector<ItemId> fan_in = {id("A", ItemKind::claim), id("A", ItemKind::wanted)};
  const auto body = [&]() -> Task<void> {
    for (const std::string& name : names) {
      const SessionContext bound = context.bound_to(name).with_redelivery(beside);
      const std::string_view value = name == "F" ? std::string_view(long_value) : "[1]";
      const CommitResult written = co_await store.commit(bound, value, {});
      CHECK(written.write.status == WriteResult::Status::written);
      CHECK_AWAITED(store.redelivery_of(context, name), it == beside);
    }
    CHECK_AWAITED(test::write(store, context, "I", "1"), it);
    CHECK_AWAITED(store.redelivery_of(context, "I"), !it.has_value());
    CHECK_AWAITED(store.redelivery_of(context, "J"), !it.has_value());
    for (const ItemId& item : fan_in) co_await store.put(context, item, "{}");
    for (int times = 0; times < 2; ++times) {
      co_await store.collect(context, collected, fan_in);
      for (const std::string& name : collected) {
        CHECK_AWAITED(store.get(context, id(name, ItemKind::outcome)), it == kTombstone);
        CHECK_AWAITED(store.redelivery_of(context, name), !it.has_value());
        const SessionContext late = context.bound_to(name).with_redelivery(beside);
        const CommitResult again = co_await store.commit(late, "[2]", {});
        CHECK(again.write.status == WriteResult::Status::already_there);
        CHECK(again.write.stored == kTombstone);
      }
      for (const ItemId& item : fan_in) CHECK_AWAITED(store.get(context, item), !it.has_value());
    }
    CHECK_AWAITED(store.redelivery_of(context, "H"), it == beside);
    co_await store.collect(context, {}, fan_in);
    std::vector<std::string> left;
    const std::vector<ListedItem> listed = co_await store.list(context);
    for (const ListedItem& item : listed) {
      if (item.id.kind == ItemKind::garbage) {
        CHECK(item.id.name == "H");
      } else {
        left.push_back(item_name(item.id.name, item.id.kind));
      }
    }
    std::sort(left.begin(), left.end());
    CHECK(left ==
          std::vector<std::string>{"F-output", "G-unumIndex-3-output", "H-output", "I-output"});
  };
  reactor.run(body());
}

namespace {

/// Refuses whatever is to be collected.
struct KeepingStore final : ForwardingStore {
  using ForwardingStore::ForwardingStore;
  Task<void> collect(const SessionContext&, std::span<const std::string>, std::span<const ItemId>,
                     Wait) override {
    ++refused;
    throw Error(ErrorKind::denied, "test", "AccessDenied", "nothing may be removed");
    co_return;
  }
  int refused = 0;
};

struct RecordingInvoker final : Invoker {
  Task<void> invoke(Invocation invocation, Wait) override {
    functions.emplace_back(invocation.function);
    payloads.push_back(invocation.payload.text());
    co_return;
  }
  std::vector<std::string> functions;
  std::vector<std::string> payloads;
};

}  // namespace

TEST_CASE("what stands beside an outcome is found and goes, however long it is", "[values]") {
  ON_EACH_STORE();
  const std::string beside = R"({"Fan-out":[],"Readers":[")" + std::string(5'000, 'r') + "\"]}";
  const std::vector<std::string> both = {"F", "G"};
  const auto body = [&]() -> Task<void> {
    for (const std::string& name : both) {
      const SessionContext bound = context.bound_to(name).with_redelivery(beside);
      const CommitResult written = co_await store.commit(bound, "5", {});
      CHECK(written.write.status == WriteResult::Status::written);
      CHECK_AWAITED(store.redelivery_of(context, name), it == beside);
      CHECK_AWAITED(store.get(context, id(name, ItemKind::outcome)), it == "5");
    }
    // Who collects a single instance with so much beside it is told to remove it.
    const std::vector<ItemId> items = {id("F", ItemKind::garbage)};
    co_await store.collect(context, std::span(both).first(1), items);
    CHECK_AWAITED(store.redelivery_of(context, "F"), !it.has_value());
    CHECK_AWAITED(store.redelivery_of(context, "G"), it == beside);
    co_await store.collect(context, both, {});
    CHECK_AWAITED(store.redelivery_of(context, "G"), !it.has_value());
    const std::vector<ListedItem> listed = co_await store.list(context);
    CHECK(listed.size() == 2);
  };
  reactor.run(body());
}

TEST_CASE("many outcomes with values in parts are collected at once", "[values]") {
  ON_EACH_STORE();
  constexpr int kCount = 130;
  std::vector<std::string> names;
  for (int i = 0; i < kCount; ++i) names.push_back("F-unumIndex-" + std::to_string(i));
  const std::string long_value(600 * 1024, 'v');
  const auto body = [&]() -> Task<void> {
    for (int i = 0; i < kCount; ++i) {
      const std::string value = i % 50 == 0 ? long_value : std::to_string(i);
      CHECK_AWAITED(test::write(store, context, names[static_cast<std::size_t>(i)], value), it);
    }
    co_await store.collect(context, names, {});
    const std::vector<ListedItem> listed = co_await store.list(context);
    CHECK(listed.size() == kCount);
    for (const ListedItem& item : listed) CHECK(item.bytes == kTombstone.size());
  };
  reactor.run(body());
}

namespace {

/// What a step could not collect is collected when the run ends, which would hide it.
struct EachStepCollects final : RunObserver {
  void ended(std::string_view, const StepReport& report) override {
    CHECK(report.collection_error == "");
  }
};

}  // namespace

TEST_CASE("case 37: of a finished session its input, its results and tombstones are left") {
  ON_EACH_STORE();
  for (const MakeShape make : kShapes) {
    Shape shape = make();
    INFO(shape.name);
    const std::string session = create_session_context(store).session();
    EachStepCollects observer;
    LocalHostTuning options = collecting();
    options.observer = &observer;
    require_result(reactor.run(shape.app.run(reactor, store, session, shape.input, options)),
                   shape.result);
    require_only_finals(reactor, store, shape, session);
    const std::string input = shape.app.function_names().front() + "-input " + shape.input;
    CHECK(left_in(reactor, store, session).contains(input));
  }
}

TEST_CASE("cases 36 and 41: what cannot be collected fails no step, and the next run collects it") {
  ON_EACH_STORE();
  for (const MakeShape make : kShapes) {
    Shape shape = make();
    INFO(shape.name);
    const std::string session = create_session_context(store).session();
    KeepingStore keeping(store);
    require_result(run(reactor, keeping, shape, session), shape.result);
    CHECK(keeping.refused > 0);
    const auto runs = shape.app.runs;
    require_result(run(reactor, store, shape, session), shape.result);
    if (make != &chain_without_checkpoints) CHECK(shape.app.runs == runs);
    require_only_finals(reactor, store, shape, session);
  }
}

TEST_CASE("a chain of large values holds a few of them, on each store") {
  ON_EACH_STORE();
  constexpr std::size_t kValueBytes = 1'000'000;
  MeasuringStore measuring(store);
  Shape shape = long_chain(12, kValueBytes);
  require_result(run(reactor, measuring, shape, context.session()), shape.result);
  CHECK(measuring.peak < 5 * kValueBytes);
  CHECK(uncollected(reactor, store, context.session()).contains("E"));
}

TEST_CASE("an outcome with many readers leaves nothing beside it, on each store") {
  ON_EACH_STORE();
  // Their names are longer than S3 keeps with an object.
  constexpr int kReaders = 60;
  NativeApp app;
  std::string edges;
  for (int i = 0; i < kReaders; ++i) {
    const std::string name = fmt::format("ReaderWithALongNameNumber{}Of{}", i, kReaders);
    edges += fmt::format(R"({{"Name": "{}", "InputType": "Scalar"}}, )", name);
    app.add(terminal(name.c_str()));
  }
  edges += R"({"Name": "A", "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}},
               "Payload Modifiers": ["Pop"]})";
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(one_of("F", edges.c_str()));
  app.add(terminal("A"));
  std::vector<Function> functions;
  for (const std::string& name : app.function_names()) functions.push_back(app.function(name));
  functions = link_functions(std::move(functions));

  RecordingInvoker invoker;
  RuntimeOptions options;
  options.collects_garbage = true;
  Runtime runtime(store, invoker, options);
  const auto deliver = [&](const std::string& name, const std::string& payload) {
    const json::View valid = validate_payload(payload);
    for (const Function& function : functions) {
      if (function.name() == name) return reactor.run(runtime.step(function, valid, app));
    }
    throw std::out_of_range(name);
  };
  deliver("M", entry_payload("[1]", context.session()).text());
  deliver("F", invoker.payloads.at(0));
  REQUIRE(invoker.functions.size() == kReaders + 2);
  // The aggregator first: the last of the others then collects F, and has nothing else to remove.
  for (std::size_t i = invoker.functions.size(); i-- > 1;) {
    const StepReport report = deliver(invoker.functions[i], invoker.payloads[i]);
    CHECK(report.collection_error.empty());
    CHECK(report.collected ==
          (i > 1 ? std::vector<std::string>{} : std::vector<std::string>{"F-unumIndex-0"}));
  }
  for (const ListedItem& item : reactor.run(store.list(context))) {
    CHECK(item_name(item.id.name, item.id.kind) != "F-unumIndex-0-gc");
  }
}

TEST_CASE("case 39: an entry that invokes itself is collected, and so is any loop") {
  ON_EACH_STORE();
  for (const MakeShape make : {&entry_that_loops, &loop}) {
    Shape shape = make();
    INFO(shape.name);
    const std::string session = create_session_context(store).session();
    require_result(run(reactor, store, shape, session), shape.result);
    CHECK(shape.app.runs.size() >= 3);
    require_only_finals(reactor, store, shape, session);
  }
}

TEST_CASE("cases 5 and 38: a late duplicate runs no code and no edge, and collects its parent") {
  ON_EACH_STORE();
  NativeApp app;
  app.add(scalar("A", "B", R"("Start": true, )"));
  app.add(scalar("B", "C"));
  app.add(terminal("C"));
  std::vector<Function> functions =
      link_functions({app.function("A"), app.function("B"), app.function("C")});
  RecordingInvoker invoker;
  RuntimeOptions options;
  options.collects_garbage = true;
  Runtime runtime(store, invoker, options);
  const std::string first = entry_payload("1", context.session()).text();
  const auto deliver = [&](const Function& function, const std::string& payload) {
    const json::View valid = validate_payload(payload);
    return reactor.run(runtime.step(function, valid, app));
  };
  deliver(functions[0], first);
  const StepReport middle = deliver(functions[1], invoker.payloads.at(0));
  CHECK(middle.collected == std::vector<std::string>{"A"});
  deliver(functions[2], invoker.payloads.at(1));
  const std::size_t invocations = invoker.payloads.size();
  for (int times = 0; times < 2; ++times) {
    const StepReport late = deliver(functions[1], invoker.payloads.at(0));
    CHECK(late.was_collected);
    CHECK_FALSE(late.user_code_ran);
    CHECK(late.collected == std::vector<std::string>{"A"});
    CHECK(deliver(functions[0], first).was_collected);
  }
  CHECK(invoker.payloads.size() == invocations);
  CHECK(app.runs == std::map<std::string, int>{{"A", 1}, {"B", 1}, {"C", 1}});
}

TEST_CASE("case 40: what a payload says of siblings does not grow with their number") {
  ON_EACH_STORE();
  NativeApp app = map_and_fan_in();
  std::vector<Function> functions =
      link_functions({app.function("M"), app.function("F"), app.function("A")});
  RuntimeOptions options;
  options.collects_garbage = true;
  std::size_t longest = 0;
  for (const std::size_t width : {10u, 1000u}) {
    RecordingInvoker invoker;
    Runtime runtime(store, invoker, options);
    const std::string session = create_session_context(store).session();
    const std::string payload = entry_payload(numbers(width), session).text();
    const json::View valid = validate_payload(payload);
    const StepReport report = reactor.run(runtime.step(functions[0], valid, app));
    CHECK(report.invocations == width);
    std::size_t most = 0;
    for (const std::string& child : invoker.payloads) most = std::max(most, child.size());
    if (longest != 0) CHECK(most < longest + 20);
    longest = most;
  }
}

TEST_CASE("case 42: a payload without GC collects nothing") {
  ON_EACH_STORE();
  const std::string& session = context.session();
  Shape shape = chain();
  require_result(reactor.run(shape.app.run(reactor, store, session, shape.input)), shape.result);
  CHECK(uncollected(reactor, store, session) == std::set<std::string>{"A", "B", "C"});
  // Nor does a session that began so when it goes on where others are collected.
  require_result(run(reactor, store, shape, session), shape.result);
  CHECK(uncollected(reactor, store, session) == std::set<std::string>{"A", "B", "C"});
}

TEST_CASE(
    "case 59: functions without a checkpoint keep modifiers, conditions and the peers' list") {
  ON_EACH_STORE();
  for (const bool checkpoint : {true, false}) {
    for (const bool collects : {true, false}) {
      INFO("checkpoint " << checkpoint << ", collected " << collects);
      const char* const kept = checkpoint ? "" : R"("Checkpoint": false, )";
      NativeApp app;
      app.add(map_to("M", "F", R"("Start": true, )"));
      app.add(scalar("F", "G", kept));
      // Two exclusive edges, each with a condition and a modifier that the list relies on.
      app.add(fmt::format(R"({{"Name": "G", {}"Next": [
          {{"Name": "H", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret < 2",
            "Payload Modifiers": ["$0 = $0 + 10"]}},
          {{"Name": "H", "InputType": "Scalar", "Exclusive": true, 
            "Payload Modifiers": ["$0 = $0 + 10"]}}]}})",
                          kept),
              [](const UserCall& call) {
                return std::to_string(std::stoi(std::string(call.input)) + 1);
              });
      app.add(fan_in("H", "A", R"("H-unumIndex-10", "H-unumIndex-11", "H-unumIndex-12")", kPop));
      app.add(terminal("A"));
      const std::string session = create_session_context(store).session();
      const LocalHostTuning options = collects ? collecting() : LocalHostTuning{};
      require_result(reactor.run(app.run(reactor, store, session, "[0,1,2]", options)), "[1,2,3]");
      CHECK(app.runs.size() == 11);
    }
  }
}

TEST_CASE("a session that dies at any call of its store is collected when it is run again") {
  ON_EACH_STORE();
  using How = FailingStore::How;
  for (const How how : {How::dies_before_effect, How::dies_after_effect}) {
    bool died = true;
    // With a sanitizer every other one, since before a call is after the one before it.
    const int step = kSanitized ? 2 : 1;
    for (int operation = 0; died; operation += step) {
      INFO("operation " << operation);
      Shape shape = map_then_fan_in();
      const std::string session = create_session_context(store).session();
      FailingStore dying(store, operation, how);
      try {
        run(reactor, dying, shape, session);
      } catch (const StoreDied&) {
      }
      died = dying.has_failed();
      require_result(run(reactor, store, shape, session), shape.result);
      require_only_finals(reactor, store, shape, session);
    }
  }
}

namespace {

/// Counts the requests of `collect`. Right where nothing else is under way then.
struct CollectRequests final : ForwardingStore {
  using ForwardingStore::ForwardingStore;
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override {
    const std::uint64_t before = inner().counters().requests;
    co_await inner().collect(context, instances, items, wait);
    requests += inner().counters().requests - before;
    ++calls;
  }
  std::uint64_t requests = 0;
  int calls = 0;
};

}  // namespace

TEST_CASE("collecting costs at most one request an instance on a network store") {
  ON_EACH_STORE();
  if (store.type() == "fs" || store.type() == "memory") return;
  const auto requests_of_chain = [&](bool collects) {
    Shape shape = chain();
    const std::string session = create_session_context(store).session();
    LocalHostTuning options = collects ? collecting() : LocalHostTuning{};
    options.session_is_new = true;
    const std::uint64_t before = store.counters().requests;
    require_result(reactor.run(shape.app.run(reactor, store, session, shape.input, options)),
                   shape.result);
    return store.counters().requests - before;
  };
  // The least of several: a node of a cluster is given its scripts with its first session.
  std::uint64_t without = UINT64_MAX;
  std::uint64_t with = UINT64_MAX;
  for (int i = 0; i < 12; ++i) {
    without = std::min(without, requests_of_chain(false));
    with = std::min(with, requests_of_chain(true));
  }
  CHECK(with <= without + 2);

  // A map's fan-in collects all of it at once, at the end. Redis takes them in one script, DynamoDB
  // in batches; the state of a fan-in is removed in a few.
  constexpr std::size_t kWidth = 50;
  const std::string input = numbers(kWidth);
  std::uint64_t least = UINT64_MAX;
  // The least of several: a request that a slow server has not answered in time is sent again.
  for (int i = 0; i < 3; ++i) {
    CollectRequests counting(store);
    NativeApp app = map_and_fan_in();
    const std::string session = create_session_context(store).session();
    require_result(reactor.run(app.run(reactor, counting, session, input, collecting())), input);
    CHECK(counting.calls == 1);
    least = std::min(least, counting.requests);
  }
  const std::size_t most = store.type() == "redis" ? 1 : store.type() == "s3" ? kWidth + 2 : 10;
  CHECK(least <= most);
}
