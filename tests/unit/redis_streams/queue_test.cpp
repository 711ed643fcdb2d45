// The queue on a real server: who may settle an entry, what is kept, what is put right.
#include <string>
#include <vector>

#include "hosts/redis_streams/queue.hpp"
#include "hosts/redis_streams/queue_invoker.hpp"
#include "hosts/redis_streams/replicated_store.hpp"
#include "support/redis_server.hpp"
#include "unit/reactor/ports.hpp"

using namespace unum;
using namespace unum::streams;
using unum::test::RedisServer;
using namespace std::chrono_literals;

namespace {

/// A server with the queue of an application, for one port of the reactor after the other.
struct World {
  explicit World(Reactor& reactor_in)
      : reactor(reactor_in), server(reactor_in, {"--repl-diskless-sync-delay", "0"}) {
    QueueOptions options;
    options.patience = 10s;
    options.warn = [this](std::string_view text) { warnings.emplace_back(text); };
    queue = std::make_unique<Queue>(reactor, server.address(), "app", options);
    reactor.run(queue->open());
    warnings.clear();
  }
  ~World() { queue->close(); }

  void send(const std::string& function, const std::string& payload = "{}") {
    Message message;
    message.function = function;
    message.payload = payload;
    REQUIRE(reactor.run(queue->submit(message, 1'000)));
  }
  std::vector<Entry> read(std::string_view consumer, std::size_t count = 10) {
    return reactor.run(queue->read(consumer, count, 1ms));
  }
  std::vector<Entry> take(std::string_view consumer, std::chrono::milliseconds lease = 0ms) {
    std::string cursor = "0-0";
    return reactor.run(queue->take(consumer, lease, cursor, 10));
  }
  Link link() { return reactor.run(queue->link()); }
  bool acknowledge(std::string_view consumer, const Entry& entry) {
    const Link by = link();
    return reactor.run(queue->acknowledge(by, consumer, entry.id));
  }
  std::string command(std::vector<std::string> words) { return server.command(std::move(words)); }
  QueueStatus status() { return reactor.run(queue->status()); }

  Reactor& reactor;
  RedisServer server;
  std::vector<std::string> warnings;
  std::unique_ptr<Queue> queue;
};

#define WITH_QUEUE(world)                                                 \
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing()); \
  ON_EACH_PORT(reactor);                                                  \
  World world(reactor)

}  // namespace

TEST_CASE("an entry is delivered once, and is gone when its owner has acknowledged it",
          "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F", R"({"Data": "\u00e9 : 5:"})");
  const std::vector<Entry> mine = world.read("a");
  REQUIRE(mine.size() == 1);
  CHECK(mine[0].message.function == "F");
  CHECK(mine[0].message.payload == R"({"Data": "\u00e9 : 5:"})");
  CHECK(world.read("b").empty());
  CHECK(world.acknowledge("a", mine[0]));
  const QueueStatus status = world.status();
  CHECK(status.length == 0);
  CHECK(status.pending == 0);
  CHECK_FALSE(world.acknowledge("a", mine[0]));
}

TEST_CASE("a worker that was taken for dead acknowledges nothing that another one works on",
          "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F");
  const std::vector<Entry> before = world.read("zombie");
  const std::vector<Entry> after = world.take("owner");
  REQUIRE(after.size() == 1);
  CHECK(after[0].id == before.at(0).id);
  CHECK(after[0].deliveries == 2);
  const Link link = world.link();
  const Message& message = before[0].message;
  CHECK_FALSE(world.acknowledge("zombie", before[0]));
  CHECK_FALSE(reactor.run(
      world.queue->deliver_again(link, "zombie", before[0].id, message, reactor.wall_time())));
  CHECK_FALSE(reactor.run(world.queue->bury(link, "zombie", before[0].id, message)));
  CHECK_FALSE(reactor.run(world.queue->is_mine(link, "zombie", before[0].id)));
  CHECK(reactor.run(world.queue->is_mine(link, "owner", before[0].id)));
  const QueueStatus status = world.status();
  CHECK(status.length == 1);
  CHECK(status.delayed == 0);
  CHECK(status.dead == 0);
  // Seeded: what the server's own command does, which asks for no owner. The owner that dies now is
  // followed by nobody.
  world.command({"XACK", world.queue->keys().stream, "unum", before[0].id});
  CHECK(world.take("third").empty());
}

TEST_CASE("a heartbeat keeps entries, takes none back, and tells which are lost",
          "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F");
  world.send("G");
  const std::vector<Entry> entries = world.read("zombie");
  REQUIRE(entries.size() == 2);
  const std::string& lost = entries[0].id;
  world.command({"XCLAIM", world.queue->keys().stream, "unum", "owner", "0", lost, "JUSTID"});
  world.command({"XCLAIM", world.queue->keys().stream, "unum", "zombie", "0", entries[1].id, "IDLE",
                 "50000", "JUSTID"});
  const std::vector<std::string> ids{entries[0].id, entries[1].id};
  CHECK(reactor.run(world.queue->beat("zombie", ids)) == std::vector<std::string>{lost});
  const Link link = world.link();
  CHECK(reactor.run(world.queue->is_mine(link, "owner", lost)));
  CHECK(world.take("third", 40s).empty());  // the other one was told of just now
  // Seeded: the server's own command takes it back from who works on it.
  world.command({"XCLAIM", world.queue->keys().stream, "unum", "zombie", "0", lost, "JUSTID"});
  CHECK_FALSE(reactor.run(world.queue->is_mine(link, "owner", lost)));
}

TEST_CASE("a message to be delivered again waits for its time, and comes as it was",
          "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F", "{\"a\": \"3:x\\n\"}");
  const std::vector<Entry> entries = world.read("a");
  REQUIRE(entries.size() == 1);
  Message again = entries[0].message;
  again.crashes = 2;
  again.tries = 1;
  again.error = "Unum.WorkerCrashed";
  again.cause = "signal 9: \xC3\xA9";
  const Link link = world.link();
  const WallTime later = reactor.wall_time() + 1h;
  CHECK(reactor.run(world.queue->deliver_again(link, "a", entries[0].id, again, later)));
  QueueStatus status = world.status();
  CHECK(status.length == 0);
  CHECK(status.delayed == 1);
  const auto wait = reactor.run(world.queue->move_due());
  REQUIRE(wait.has_value());
  CHECK(*wait > 59min);
  CHECK(world.read("a").empty());
  // Its time comes.
  const std::string delayed = world.queue->keys().delayed;
  world.command({"ZADD", delayed, "1", packed(again)});
  CHECK_FALSE(reactor.run(world.queue->move_due()).has_value());
  const std::vector<Entry> second = world.read("b");
  REQUIRE(second.size() == 1);
  CHECK(second[0].message.payload == entries[0].message.payload);
  CHECK(second[0].message.crashes == 2);
  CHECK(second[0].message.tries == 1);
  CHECK(second[0].message.error == "Unum.WorkerCrashed");
  CHECK(second[0].message.cause == again.cause);
}

TEST_CASE("a delayed message that somebody damaged is a dead letter, and holds up no other",
          "[redis_streams]") {
  WITH_QUEUE(world);
  const std::string delayed = world.queue->keys().delayed;
  for (const char* text : {"", "x", "5:abc", "3:abc", "-1:abc", "99999999999999999999:a"}) {
    world.command({"ZADD", delayed, "1", text});
  }
  Message whole;
  whole.function = "F";
  whole.payload = "{}";
  world.command({"ZADD", delayed, "1", packed(whole)});
  reactor.run(world.queue->move_due());
  const QueueStatus status = world.status();
  CHECK(status.delayed == 0);
  CHECK(status.dead == 6);
  CHECK(world.read("a").size() == 1);
}

TEST_CASE(
    "what was sent before there was a group is delivered, and a queue that was emptied is "
    "made again and said",
    "[redis_streams]") {
  WITH_QUEUE(world);
  world.command({"FLUSHALL"});
  world.command({"XADD", world.queue->keys().stream, "*", "function", "F", "payload", "{}"});
  CHECK(world.read("a").empty());
  REQUIRE(world.warnings.size() == 1);
  CHECK_THAT(world.warnings[0],
             ContainsSubstring("has lost its stream") && ContainsSubstring("unum resume"));
  CHECK(world.read("a").size() == 1);
  world.command({"FLUSHALL"});
  const Link link = world.link();
  CHECK_THROWS_AS(reactor.run(world.queue->is_mine(link, "a", "1-0")), LinkLost);
  CHECK(world.take("a").empty());
  CHECK(world.warnings.size() == 2);
}

TEST_CASE("scripts that the server has forgotten are sent again", "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F");
  const std::vector<Entry> entries = world.read("a");
  world.command({"SCRIPT", "FLUSH"});
  CHECK(world.acknowledge("a", entries.at(0)));
  CHECK(reactor.run(world.queue->beat("a", {})).empty());
}

TEST_CASE("a delivery's link fails with its server, and is not replaced under its hands",
          "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F");
  const std::vector<Entry> entries = world.read("a");
  const Link before = world.link();
  world.server.kill();
  CHECK_THROWS_AS(reactor.run(world.queue->acknowledge(before, "a", entries.at(0).id)), LinkLost);
  world.server.start();
  CHECK_THROWS_AS(reactor.run(world.queue->acknowledge(before, "a", entries[0].id)), LinkLost);
  const Link after = world.link();
  CHECK(reactor.run(world.queue->is_mine(after, "a", entries[0].id)));
  CHECK(reactor.run(world.queue->acknowledge(after, "a", entries[0].id)));
}

TEST_CASE(
    "a worker that leaves lets others have at once what it had, and none is removed with "
    "entries",
    "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F");
  const std::vector<Entry> entries = world.read("a");
  REQUIRE(entries.size() == 1);
  CHECK(world.take("b", 30s).empty());
  world.command({"XGROUP", "CREATECONSUMER", world.queue->keys().stream, "unum", "b"});
  reactor.run(world.queue->leave("a"));
  CHECK(reactor.run(world.queue->sweep(0ms)) == 1);  // b, which has none
  const std::vector<Entry> taken = world.take("c", 30s);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].id == entries[0].id);
  CHECK(world.acknowledge("c", taken[0]));
  reactor.run(world.queue->leave("c"));
  QueueStatus status = world.status();
  REQUIRE(status.consumers.size() == 1);
  CHECK(status.consumers[0].name == "a");
}

TEST_CASE("what is sent from outside is refused above a length; nothing is trimmed",
          "[redis_streams]") {
  WITH_QUEUE(world);
  for (int i = 0; i < 3; ++i) world.send("F");
  Message message;
  message.function = "F";
  message.payload = "{}";
  CHECK_FALSE(reactor.run(world.queue->submit(message, 3)));
  QueueInvokerOptions options;
  options.length_max = 3;
  options.room_wait = 0ms;
  QueueInvoker invoker(reactor, *world.queue, options);
  Invocation invocation;
  invocation.function = "F";
  invocation.payload = entry_payload("1", "s");
  const Error full = test::error_of(reactor, invoker.invoke(invocation, Wait{}));
  CHECK(full.kind() == ErrorKind::throttled);
  CHECK(full.code() == "Unum.QueueFull");
  // Steps that go on are not refused: a queue full of their own messages would stand still.
  const Link link = world.link();
  reactor.run(world.queue->send(link, message));
  CHECK(world.status().length == 4);
}

TEST_CASE("the queue tells who works on what, and how old the oldest message is",
          "[redis_streams]") {
  WITH_QUEUE(world);
  world.send("F");
  world.send("G");
  const std::vector<Entry> entries = world.read("a", 1);
  REQUIRE(entries.size() == 1);
  const Link link = world.link();
  Message delayed;
  delayed.function = "H";
  delayed.payload = "{}";
  reactor.run(world.queue->send(link, delayed, reactor.wall_time() + 1h));
  const QueueStatus status = world.status();
  CHECK(status.length == 2);
  CHECK(status.pending == 1);
  CHECK(status.delayed == 1);
  REQUIRE(status.running.size() == 1);
  CHECK(status.running[0].consumer == "a");
  CHECK(status.running[0].message.function == "F");
  CHECK(status.oldest < 60s);
}

TEST_CASE("a queue of a server that is not there, or of a replica, says so", "[redis_streams]") {
  WITH_QUEUE(world);
  Queue absent(reactor, "127.0.0.1:" + std::to_string(test::free_port()), "app");
  const Error missing = test::error_of(reactor, absent.open());
  CHECK(missing.kind() == ErrorKind::not_found);
  CHECK(missing.code() == "Unum.NoSuchQueue");
  RedisServer replica(reactor, {"--replicaof", "127.0.0.1", std::to_string(world.server.port())});
  Queue second(reactor, replica.address(), "app");
  const Error denied = test::error_of(reactor, second.open());
  CHECK(denied.kind() == ErrorKind::denied);
  CHECK_THAT(denied.message(), ContainsSubstring("name the primary"));
}

TEST_CASE("with replicas, an outcome counts when they have it, and nothing is missing before",
          "[redis_streams]") {
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing());
  Reactor reactor;
  World world(reactor);
  const std::unique_ptr<Store> inner =
      reactor.run(open_store(reactor, "redis", world.server.address()));
  ReplicatedStore store(*inner, world.server.address(), 1, 300ms);
  reactor.run(store.open());
  const SessionContext context = session_context("s").bound_to("F");
  const std::vector<Pointer> missing{pointer(context, "G")};
  // Nobody has it: it stands, and the delivery is to be made again.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Error error = test::error_of(reactor, store.commit(context, "1", {}, {}));
    CHECK(error.kind() == ErrorKind::timeout);
    CHECK(error.delivery() == Delivery::again);
  }
  CHECK(test::error_of(reactor, store.get(context, {"F", ItemKind::outcome}, {})).code() ==
        "Unum.Replicas");
  CHECK(test::error_of(reactor, store.get_many(context, missing, {})).code() == "Unum.Replicas");
  RedisServer replica(reactor, {"--replicaof", "127.0.0.1", std::to_string(world.server.port())});
  ReplicatedStore patient(*inner, world.server.address(), 1, 30s);
  reactor.run(patient.open());
  const auto commit = [&]() -> Task<CommitResult> {
    const Wait wait;
    const std::span<const FanIn> none;
    for (;;) {  // until the replica has connected
      try {
        co_return co_await patient.commit(context, "1", none, wait);
      } catch (const Error& error) {
        if (error.code() != "Unum.Replicas") throw;
      }
    }
  };
  const CommitResult result = reactor.run(commit());
  CHECK(result.write.status == WriteResult::Status::already_there);
  CHECK_FALSE(reactor.run(patient.get_many(context, missing, {})).at(0).has_value());
  CHECK(replica.command({"EXISTS", "unum:{s}:F-output"}) == "1");
}

TEST_CASE("an application's keys are in one slot of a cluster, whatever its name",
          "[redis_streams]") {
  const QueueKeys keys("a{b}%");
  CHECK(keys.stream == "unum-queue:{a%7Bb%7D%25}");
  CHECK(keys.delayed == keys.stream + ":delayed");
}
