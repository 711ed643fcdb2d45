// Aggregators whose inputs are too large to be held all at once.
#include <algorithm>

#include "support/sanitized.hpp"
#include "support/store_decorators.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// Streams whatever an aggregator has more than a kilobyte of.
LocalHostTuning streaming() {
  LocalHostTuning options;
  options.runtime.input_bytes_held_max = 1024;
  return options;
}

/// Strings of `bytes(i)` bytes.
template <class Bytes>
std::string strings(std::size_t count, Bytes bytes) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ',';
    text += '"' + std::string(bytes(i), static_cast<char>('a' + i % 26)) + '"';
  }
  return text + "]";
}

std::string strings(std::size_t count) {
  return strings(count, [](std::size_t) { return 100u; });
}

NativeApp streaming_app() {
  NativeApp app = map_and_fan_in();
  app.streams = true;
  return app;
}

/// A call of the store that is not made as it was asked for.
class ChangedReads final : public ForwardingStore {
 public:
  using Change =
      std::function<Task<void>(std::size_t read, std::vector<std::optional<std::string>>& values)>;
  ChangedReads(Store& inner, Change change) : ForwardingStore(inner), change_(std::move(change)) {}

  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override {
    auto values = co_await inner().get_many(context, pointers, wait);
    largest = std::max(largest, pointers.size());
    const std::size_t read = reads++;
    co_await change_(read, values);
    co_return values;
  }

  std::size_t reads = 0;
  std::size_t largest = 0;  ///< Values of one read.

 private:
  Change change_;
};

Task<void> no_change(std::size_t, std::vector<std::optional<std::string>>&) { co_return; }

/// The aggregator catches its failure and keeps its input beside it.
NativeApp app_that_keeps_its_input() {
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop));
  app.add(R"({"Name": "A", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C",
              "ResultPath": null}]})",
          [](const UserCall&) -> std::string {
            throw CodeFailure{"Full", "no room"};
          });
  app.add(terminal("C"));
  return app;
}

}  // namespace

TEST_CASE("inputs above the bound are streamed, and make the same event") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto count = GENERATE(3u, 64u, 65u, 300u);
  World world(type);
  NativeApp app = streaming_app();
  const auto bytes = [](std::size_t i) { return i % 7 == 0 ? 70'000 + i : i * 3 % 2000; };
  const std::string input = strings(count, bytes);
  const RunResult result =
      world.reactor.run(app.run(world.reactor, *world.store, "s", input, streaming()));
  require_result(result, input);
  CHECK(app.pieces.at("A") > 2);
  CHECK(app.pieces.size() == 1);  // of nobody else's input
}

TEST_CASE("what is read of streamed inputs at once is bounded in bytes") {
  World world("memory");
  ChangedReads store(*world.store, &no_change);
  NativeApp app = streaming_app();
  const std::string input = strings(500);
  require_result(world.reactor.run(app.run(world.reactor, store, "s", input, streaming())), input);
  CHECK(store.largest == 64);  // before their size is known
  CHECK(store.reads >= 1 + (500 - 64) / 10);
}

TEST_CASE("one value is read at a time if each is above the bound") {
  World world("memory");
  ChangedReads store(*world.store, &no_change);
  NativeApp app = streaming_app();
  const std::string input = strings(70, [](std::size_t) { return 5000u; });
  require_result(world.reactor.run(app.run(world.reactor, store, "s", input, streaming())), input);
  CHECK(store.reads == 1 + 6);
}

TEST_CASE("a small fan-in makes the same calls to the store whether or not its code can stream") {
  const auto count = GENERATE(0u, 1u, 64u);
  const auto calls = [&](bool streams) {
    World world("memory");
    TracedStore store(*world.store);
    NativeApp app = map_and_fan_in();
    app.streams = streams;
    const std::string input = strings(count);
    require_result(world.reactor.run(app.run(world.reactor, store, "s", input)), input);
    CHECK(app.pieces.empty());
    return store.lines();
  };
  CHECK(calls(true) == calls(false));
}

TEST_CASE("a wide fan-in of small values takes a few reads more") {
  World world("memory");
  ChangedReads store(*world.store, &no_change);
  NativeApp app = streaming_app();
  require_result(world.reactor.run(app.run(world.reactor, store, "s", numbers(10'000))),
                 numbers(10'000));
  CHECK(app.pieces.empty());
  CHECK(store.reads == 5);
}

TEST_CASE("a fault in any call of a streamed step comes through, and the session goes on") {
  const auto when = GENERATE(FaultyStore::When::before_effect, FaultyStore::When::after_effect);
  const Error no_answer(ErrorKind::disconnected, "redis", "ECONNRESET", "no answer");
  World world("memory");
  const std::string input = strings(80);
  NativeApp whole = streaming_app();
  TracedStore traced(*world.store);
  require_result(world.reactor.run(whole.run(world.reactor, traced, "whole", input, streaming())),
                 input);
  std::size_t calls = 0;  // before the aggregator reads
  for (const std::string& line : traced.lines()) {
    if (line == "> get_many") break;
    calls += line.starts_with("> ") ? 1 : 0;
  }
  std::size_t faults = 0;
  for (bool failed = true; failed; ++faults) {
    INFO("call " << faults);
    const std::string session = "s" + std::to_string(faults);
    NativeApp app = streaming_app();
    FaultyStore faulty(*world.store, calls + faults, when, no_answer);
    try {
      require_result(world.reactor.run(app.run(world.reactor, faulty, session, input, streaming())),
                     input);
    } catch (const Error& error) {
      CHECK(error.code() == no_answer.code());
    }
    failed = faulty.failed();
    require_result(
        world.reactor.run(app.run(world.reactor, *world.store, session, input, streaming())),
        input);
  }
  CHECK(faults > 4);
}

TEST_CASE("the death of the store at each call of a streamed step comes to the same end") {
  const auto how =
      GENERATE(FailingStore::How::dies_before_effect, FailingStore::How::dies_after_effect);
  World world("memory");
  const std::string input = strings(67, [](std::size_t) { return 2000u; });
  int number = 0;
  int deaths_in_stream = 0;
  bool has_died = true;
  bool has_begun = false;
  // Of the first calls each twentieth, until the aggregator has begun to read.
  for (int calls = 0; has_died; calls += has_begun ? 1 : 20) {
    INFO("call " << calls);
    const std::string session = "s" + std::to_string(number++);
    NativeApp app = streaming_app();
    FailingStore failing(*world.store, calls, how);
    try {
      require_result(
          world.reactor.run(app.run(world.reactor, failing, session, input, streaming())), input);
    } catch (const StoreDied&) {
    }
    has_died = failing.has_failed();
    if (!has_begun && app.pieces.count("A") > 0) {
      has_begun = true;
      has_died = true;
      calls = std::max(calls - 21, -1);
    }
    deaths_in_stream += has_begun && failing.has_failed() && app.pieces.count("A") > 0 ? 1 : 0;
    require_result(
        world.reactor.run(app.run(world.reactor, *world.store, session, input, streaming())),
        input);
  }
  CHECK(deaths_in_stream > 2);
}

TEST_CASE("code need not take all of its input, and what is being read for it is given up") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  DelayedStore store(*world.store, 4711);
  NativeApp app = streaming_app();
  app.pieces_max = GENERATE(0, 1, 3);
  const std::string input = strings(200, [](std::size_t) { return 70'000u; });
  require_result(world.reactor.run(app.run(world.reactor, store, "s", input, streaming())), "null");
  CHECK(app.pieces.at("A") == app.pieces_max);
}

TEST_CASE("an input that is collected in the middle of a stream leaves the duplicate's outcome") {
  const bool has_outcome = GENERATE(true, false);
  World world("memory");
  NativeApp app = streaming_app();
  const std::string input = strings(200);
  const SessionContext context = session_context("s");
  ChangedReads store(*world.store, [&](std::size_t read, auto& values) -> Task<void> {
    if (read != 2) co_return;
    const ItemId own{"A", ItemKind::outcome};
    if (has_outcome) co_await world.store.store->put(context, own, "\"of the duplicate\"", Wait{});
    values.back() = std::string(kTombstone);
  });
  const RunResult result =
      world.reactor.run(app.run(world.reactor, store, "s", input, streaming()));
  if (has_outcome) {
    require_result(result, "\"of the duplicate\"");
  } else {
    REQUIRE(result.failures.size() == 1);
    CHECK(result.failures.front().error == "Unum.CollectedInput");
  }
  CHECK(app.runs.count("A") == 0);
}

TEST_CASE("a damaged or missing input in the middle of a stream is named") {
  const bool missing = GENERATE(true, false);
  World world("memory");
  NativeApp app = streaming_app();
  ChangedReads store(*world.store, [&](std::size_t, auto& values) -> Task<void> {
    if (values.size() == 64) co_return;
    values.back() = "{oops";
    if (missing) values.back().reset();
  });
  const RunResult result =
      world.reactor.run(app.run(world.reactor, store, "s", strings(200), streaming()));
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures.front().error == (missing ? "Unum.MissingInput" : "Unum.NoValue"));
  CHECK_THAT(result.failures.front().cause, ContainsSubstring("F-unumIndex-"));
  CHECK(app.runs.count("A") == 0);
}

TEST_CASE("a caught failure keeps a streamed input whole") {
  const std::string input = strings(200);
  for (const bool streams : {false, true}) {
    World world("memory");
    NativeApp app = app_that_keeps_its_input();
    app.streams = streams;
    require_result(world.reactor.run(app.run(world.reactor, *world.store, "s", input, streaming())),
                   input);
    CHECK(app.pieces.count("A") == (streams ? 1u : 0u));
    CHECK(app.runs.at("A") == 1);
  }
}

TEST_CASE("an input that no value can hold is not kept beside its failure, and that is said") {
  if (kSanitized) return;  // it takes 2 GB of memory
  NativeApp app;
  app.streams = true;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop));
  app.add(R"({"Name": "A", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E",
                                       "ResultPath": "$.error"}]})",
          [](const UserCall&) -> std::string {
            throw CodeFailure{"Refused", "not today"};
          });
  app.pieces_max = 0;
  app.add(terminal("E"));
  World world("memory");
  const std::string large = '"' + std::string(std::size_t{64} << 20, 'x') + '"';
  ChangedReads reads(*world.store, [&](std::size_t, auto& values) -> Task<void> {
    for (auto& value : values) value = large;
    co_return;
  });
  const RunResult result =
      world.reactor.run(app.run(world.reactor, reads, "s", numbers(17), streaming()));
  REQUIRE(result.status == RunResult::Status::failed);
  CHECK(result.failures[0].instance == "A");
  CHECK(result.failures[0].error == "Unum.InputTooLarge");
  CHECK_THAT(result.failures[0].cause,
             ContainsSubstring("the input of A cannot be kept beside its failure (ResultPath): it "
                               "has more than 1073741824 bytes"));
}
