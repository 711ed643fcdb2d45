// Long values in a Redis server: written in parts, whole or not at all, with bounded memory, and
// nothing left behind by writers that end in the middle.
#include <sys/resource.h>

#include <algorithm>
#include <functional>

#include "base/limits.hpp"
#include "conformance/fan_in_names.hpp"
#include "conformance/stores_under_test.hpp"
#include "support/redis_server.hpp"
#include "support/sanitized.hpp"

using namespace unum;
using unum::test::error_of;
using unum::test::id;
using unum::test::RedisServer;

#define ON_EACH_PORT_WITH_REDIS(reactor)                                  \
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing()); \
  ON_EACH_PORT(reactor)

namespace {

constexpr std::size_t kMegabyte = 1024u * 1024;

/// Different everywhere, so that no part can stand in another's place.
std::string long_value(std::size_t bytes) {
  std::string value(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<char>((i >> 10) * 31 + i);
  return value;
}

/// The key that parts are being written to; empty if there is none.
std::string parts_in(RedisServer& server) {
  return server.command({"EVAL", "return redis.call('KEYS', '*-parts')[1] or ''", "0"});
}

/// A write under way.
struct Writing {
  Writing(Reactor& of, Store& store, const SessionContext& context, std::string_view value)
      : reactor(of) {
    group.spawn(write(store, context, value));
  }
  Task<void> write(Store& store, SessionContext context, std::string_view value) {
    try {
      const ItemId item = id("F", ItemKind::outcome);
      const Wait wait{kNoDeadline, stop.token()};
      const WriteResult result = co_await store.create(context, item, value, wait);
      status = result.status;
    } catch (const Error& error) {
      failure = error;
    }
    ended = true;
  }
  void until_it_has_begun(RedisServer& server) {
    while (!ended && parts_in(server).empty()) reactor.run_once(test::soon(1));
    REQUIRE_FALSE(ended);
  }
  void until_it_has_ended() { reactor.run(group.drain()); }

  Reactor& reactor;
  StopSource stop;
  TaskGroup group;
  bool ended = false;
  std::optional<WriteResult::Status> status;
  std::optional<Error> failure;
};

std::size_t peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss);
}

std::unique_ptr<Store> open(Reactor& reactor, RedisServer& server) {
  return reactor.run(open_store(reactor, "redis", server.address()));
}

}  // namespace

TEST_CASE("a value of 64 MB is written and read back, in little memory beside itself", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server);
  const SessionContext context = create_session_context(*store).bound_to("F");
  const std::string value = long_value((test::kSanitized ? 16 : 64) * kMegabyte);
  const std::size_t before = peak_kib();
  CHECK(reactor.run(write_return_value(*store, context, value)).status ==
        WriteResult::Status::written);
  // The address sanitizer keeps what was freed.
  if (!test::kSanitized) CHECK(peak_kib() - before < 16u * 1024);
  CHECK(parts_in(server).empty());
  const ItemId item = id("F", ItemKind::outcome);
  CHECK((reactor.run(store->get(context, item)) == value));
  CHECK(server.command({"PTTL", "unum:{" + context.session() + "}:F-output"}) == "-1");
  const WriteResult again = reactor.run(write_return_value(*store, context, value));
  CHECK(again.status == WriteResult::Status::already_there);
  CHECK((again.stored == value));
  CHECK(parts_in(server).empty());
}

TEST_CASE("a value that is longer than a string of Redis' may be is refused by name", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server);
  const SessionContext context = create_session_context(*store).bound_to("F");
  // A view of more bytes than there are: nobody may look at them.
  const std::string_view value("1", kRedisValueBytesMax + 1);
  const ItemId item = id("F", ItemKind::outcome);
  const Error errors[] = {error_of(reactor, store->commit(context, value, {})),
                          error_of(reactor, store->create(context, item, value)),
                          error_of(reactor, store->put(context, item, value))};
  for (const Error& error : errors) {
    CHECK(error.kind() == ErrorKind::exhausted);
    CHECK(error.code() == "Unum.ValueTooLarge");
    CHECK(error.message().find(": its value has 536870913 bytes; at most 536870912 ") !=
          std::string::npos);
  }
  CHECK(parts_in(server).empty());
}

TEST_CASE("a report is replaced by a long one, and that by a short one", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server);
  const SessionContext context = create_session_context(*store);
  const ItemId report = id("F", ItemKind::report);
  for (const std::string& value : {std::string("1"), long_value(3 * kMegabyte + 5),
                                   long_value(2 * kMegabyte), std::string("2")}) {
    reactor.run(store->put(context, report, value));
    CHECK((reactor.run(store->get(context, report)) == value));
    CHECK(reactor.run(store->list(context)).size() == 1);
  }
  CHECK(parts_in(server).empty());
}

TEST_CASE("a long value and its fan-ins are one step", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server);
  const SessionContext context = create_session_context(*store);
  const test::Names names("F", 2);
  const std::string value = long_value(kMegabyte);
  const auto commit = [&](std::size_t place) {
    const FanIn fan_in{"Sink", &names, place, FanInRole::contributor};
    const std::uint64_t before = store->counters().requests;
    const CommitResult result = reactor.run(
        store->commit(context.bound_to(names.name(place)), value, std::span(&fan_in, 1)));
    CHECK(store->counters().requests - before == 4 + (result.write.stored.empty() ? 1 : 3));
    return result.fan_ins.at(0).status;
  };
  CHECK(commit(0) == FanInState::Status::incomplete);
  CHECK(commit(1) == FanInState::Status::claimed);
  CHECK(commit(1) == FanInState::Status::claimed);  // delivered again, with the same result
}

TEST_CASE("a server that is stopped in the middle of a long value gets the rest when it goes on",
          "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server);
  const SessionContext context = create_session_context(*store).bound_to("F");
  const std::string value = long_value(32 * kMegabyte);
  Writing writing(reactor, *store, context, value);
  writing.until_it_has_begun(server);
  server.stop();
  // It goes on to send until the kernel takes no more.
  for (int tick = 0; tick < 20; ++tick) reactor.run_once(test::soon(5));
  CHECK_FALSE(writing.ended);
  server.go_on();
  writing.until_it_has_ended();
  CHECK(writing.status == WriteResult::Status::written);
  CHECK((reactor.run(store->get(context, id("F", ItemKind::outcome))) == value));
  CHECK(store->counters().connections == 1);
}

TEST_CASE("a long value is whole although its server was killed, or lost parts, in the middle",
          "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::unique_ptr<Store> store = open(reactor, server);
  const std::string value = long_value(24 * kMegabyte);
  const std::function<void()> kill = [&] {
    server.kill();
    server.start();
  };
  const std::function<void()> lose = [&] { server.command({"FLUSHALL"}); };
  for (const auto& harm : {kill, lose}) {
    const SessionContext context = create_session_context(*store).bound_to("F");
    Writing writing(reactor, *store, context, value);
    writing.until_it_has_begun(server);
    harm();
    writing.until_it_has_ended();
    CHECK(writing.status == WriteResult::Status::written);
    CHECK((reactor.run(store->get(context, id("F", ItemKind::outcome))) == value));
    CHECK(parts_in(server).empty());
  }
}

TEST_CASE("a writer that is killed leaves parts that expire, one that gives up leaves none",
          "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server);
  const SessionContext context = create_session_context(*store).bound_to("F");
  const std::string value = long_value(64 * kMegabyte);
  {
    Writing writing(reactor, *store, context, value);
    writing.until_it_has_begun(server);
    writing.stop.request("enough");
    writing.until_it_has_ended();
    REQUIRE(writing.failure);
    CHECK(writing.failure->kind() == ErrorKind::cancelled);
    CHECK(parts_in(server).empty());
  }
  {
    const std::unique_ptr<Store> killed = open(reactor, server);
    Writing writing(reactor, *killed, context, value);
    writing.until_it_has_begun(server);
    reactor.run(killed->close());  // what the server sees of a kill
    writing.until_it_has_ended();
    CHECK(writing.failure);
    const std::string parts = parts_in(server);
    REQUIRE_FALSE(parts.empty());
    const long lives = std::stol(server.command({"PTTL", parts}));
    CHECK(lives > 0);
    CHECK(lives <= 3'600'000);
  }
  CHECK_FALSE(reactor.run(store->get(context, id("F", ItemKind::outcome))).has_value());
  CHECK(reactor.run(store->list(context)).empty());
}

TEST_CASE("commands that wait for room in the send buffer keep their order and their deadlines",
          "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server);
  const SessionContext context = create_session_context(*store);
  const std::string value = long_value(16 * kMegabyte);
  server.stop();
  Writing writing(reactor, *store, context, value);
  const Wait soon{test::soon(50), {}};
  const ItemId other = id("G", ItemKind::outcome);
  CHECK(error_of(reactor, store->get(context, other, soon)).kind() == ErrorKind::timeout);
  CHECK(error_of(reactor, store->create(context, other, value, soon)).kind() == ErrorKind::timeout);
  server.go_on();
  writing.until_it_has_ended();
  CHECK(writing.status == WriteResult::Status::written);
  CHECK_FALSE(reactor.run(store->get(context, other)).has_value());
  CHECK(store->counters().connections == 1);
}
