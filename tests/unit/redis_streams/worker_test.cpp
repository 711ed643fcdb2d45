// Workers on a real queue: every moment of a crash, servers that go back in time, and mistakes that
// are known to lose workflows, which these tests must see.
#include <fmt/format.h>

#include <functional>
#include <set>

#include "base/json.hpp"
#include "hosts/redis_streams/stream_worker.hpp"
#include "support/redis_server.hpp"
#include "unit/hosts/workflow_testing.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/event.hpp"
#include "unum/forwarding_store.hpp"

using namespace unum;
using namespace unum::streams;
using namespace unum::test;
using namespace std::chrono_literals;

namespace {

/// Mistakes that lose workflows.
enum class Mistake : std::uint8_t {
  none,
  acknowledges_first,  ///< Before what follows is in the queue.
  goes_on_elsewhere,   ///< After a lost connection, by another one, as if nothing had been lost.
};

/// Ends one worker at its n-th call to queue or store, before or behind the call's effect.
struct Crash {
  int at = 0;  ///< From 1; 0: never.
  bool after = false;
  bool happened = false;
  int calls = 0;
  StopSource* drain = nullptr;

  void check() const {
    if (happened) throw Error(ErrorKind::cancelled, "test", "Crash", "the process is gone");
  }
  int before_call() {
    check();
    ++calls;
    if (calls == at && !after) happen();
    return calls;
  }
  void after_call(int call) {
    check();
    if (call == at && after) happen();
  }
  void happen() {
    happened = true;
    drain->request("the process is gone");
    check();
  }
};

/// A queue whose worker may crash, or be mistaken. Its worker ends when nothing is left.
class QueueUnderTest final : public Queue {
 public:
  QueueUnderTest(Reactor& reactor, std::string_view name)
      : Queue(reactor, name, "app"), nothing_to_read(reactor) {}

  Task<std::vector<Entry>> read(std::string_view consumer, std::size_t count,
                                std::chrono::milliseconds, Wait wait) override {
    crash.check();
    if (reads_left == 0) {
      co_await nothing_to_read.wait(wait);
      co_return std::vector<Entry>();
    }
    count = std::min(count, reads_left);
    std::vector<Entry> entries = co_await Queue::read(consumer, count, 5ms, wait);
    reads_left -= entries.size();
    for (const Entry& entry : entries) held.emplace(entry.id, consumer);
    if (entries.empty() && ends_when_empty) {
      const QueueStatus now = co_await status(wait);
      if (now.length == 0 && now.delayed == delayed_left) drain->request("nothing is left");
    }
    co_return entries;
  }
  Task<std::vector<Entry>> take(std::string_view consumer, std::chrono::milliseconds lease,
                                std::string& cursor, std::size_t count, Wait wait) override {
    crash.check();
    return Queue::take(consumer, lease, cursor, count, wait);
  }
  Task<std::vector<std::string>> beat(std::string_view consumer,
                                      std::span<const std::string> entries, Wait wait) override {
    crash.check();
    return Queue::beat(consumer, entries, wait);
  }
  Task<std::optional<std::chrono::milliseconds>> move_due(Wait wait) override {
    crash.check();
    return Queue::move_due(wait);
  }
  Task<bool> deliver_again(const Link& link, std::string_view consumer, std::string_view entry,
                           const Message& message, WallTime not_before, Wait wait) override {
    crash.check();
    return Queue::deliver_again(link, consumer, entry, message, not_before, wait);
  }
  Task<bool> bury(const Link& link, std::string_view consumer, std::string_view entry,
                  const Message& message, Wait wait) override {
    crash.check();
    return Queue::bury(link, consumer, entry, message, wait);
  }
  Task<void> leave(std::string_view consumer, Wait wait) override {
    crash.check();
    return Queue::leave(consumer, wait);
  }
  Task<void> send(const Link& link, const Message& message, WallTime not_before,
                  Wait wait) override {
    const int number = crash.before_call();
    sent_bytes.push_back(message.payload.size());
    if (refusals > 0) {
      --refusals;
      throw Error(ErrorKind::exhausted, "redis", "OOM", "used memory > 'maxmemory'");
    }
    if (mistake == Mistake::acknowledges_first) {
      const std::map<std::string, std::string> all = held;  // which others change meanwhile
      for (const auto& [id, owner] : all) co_await Queue::acknowledge(link, owner, id, wait);
    }
    co_await Queue::send(link, message, not_before, wait);
    crash.after_call(number);
  }
  Task<bool> acknowledge(const Link& link, std::string_view consumer, std::string_view entry,
                         Wait wait) override {
    const int number = crash.before_call();
    if (before_acknowledge) co_await before_acknowledge(entry);
    bool mine = false;
    if (mistake == Mistake::goes_on_elsewhere) {
      const Link now = co_await Queue::link(wait);
      mine = co_await Queue::acknowledge(now, consumer, entry, wait);
    } else {
      mine = co_await Queue::acknowledge(link, consumer, entry, wait);
    }
    held.erase(std::string(entry));
    crash.after_call(number);
    co_return mine || mistake == Mistake::acknowledges_first;
  }

  Crash crash;
  Mistake mistake = Mistake::none;
  StopSource* drain = nullptr;
  bool ends_when_empty = true;
  std::size_t delayed_left = 0;
  int refusals = 0;
  std::function<Task<void>(std::string_view)> before_acknowledge;
  std::size_t reads_left = SIZE_MAX;
  Event nothing_to_read;
  std::map<std::string, std::string> held;
  std::vector<std::size_t> sent_bytes;
};

class CrashingStore final : public ForwardingStore {
 public:
  CrashingStore(Store& inner, Crash& crash) : ForwardingStore(inner), crash_(crash) {}
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    const int number = crash_.before_call();
    CommitResult result = co_await ForwardingStore::commit(context, value, fan_ins, wait);
    crash_.after_call(number);
    co_return result;
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    const int number = crash_.before_call();
    std::vector<FanInState> states = co_await ForwardingStore::join(context, fan_ins, wait);
    crash_.after_call(number);
    co_return states;
  }

 private:
  Crash& crash_;
};

/// One worker of its own: queue, store, code.
struct Worker : WorkerObserver {
  Worker(Reactor& reactor_in, const std::string& address, Store& inner, std::string name)
      : reactor(reactor_in), queue(reactor_in, address), store(inner, queue.crash) {
    queue.drain = queue.crash.drain = &drain;
    options.consumer = std::move(name);
    options.workers = 4;
    options.lease = 60ms;
    options.observer = this;
    reactor.run(queue.open());
  }
  ~Worker() { queue.close(); }

  void ended(std::string_view function, const StepReport& report) override {
    ends.push_back(std::string(function));
    if (report.result) results[report.session] = std::string(report.result->text());
  }
  void told(std::string_view why) override { lines.emplace_back(why); }

  Task<void> run(NativeApp& app) {
    worker.emplace(reactor, queue, store, options);
    std::vector<Function> functions;
    for (const std::string& name : app.function_names()) functions.push_back(app.function(name));
    for (Function& function : link_functions(std::move(functions))) {
      worker->add(std::move(function), app);
    }
    co_await worker->run(drain.token(), stop.token());
  }

  Reactor& reactor;
  QueueUnderTest queue;
  CrashingStore store;
  StopSource drain;
  StopSource stop;
  StreamWorkerOptions options;
  std::optional<StreamWorker> worker;
  std::vector<std::string> ends;
  std::vector<std::string> lines;
  std::map<std::string, std::string> results;
};

struct Cluster {
  explicit Cluster(Reactor& reactor_in) : reactor(reactor_in), server(reactor_in) {
    store = reactor.run(open_store(reactor, "redis", server.address()));
  }
  void begin(Worker& by, const std::string& function, const std::string& session,
             const std::string& input) {
    Message message;
    message.function = function;
    message.payload = entry_payload(input, session).text();
    REQUIRE(reactor.run(by.queue.submit(message, 100'000)));
  }
  std::optional<std::string> outcome(const std::string& session, const std::string& instance) {
    const SessionContext context = session_context(session);
    const ItemId item{instance, ItemKind::outcome};
    return reactor.run(store->get(context, item, {}));
  }

  Reactor& reactor;
  RedisServer server;
  std::unique_ptr<Store> store;
};

NativeApp summing() {
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop));
  app.add(terminal("A"));
  return app;
}

/// How many of the crashes, at each call in turn, the workflow does not survive.
int lost_by_crashes(Reactor& reactor, Mistake mistake, bool after) {
  Cluster cluster(reactor);
  int lost = 0;
  for (int calls = 1;; ++calls) {
    const std::string session = fmt::format("s{}", calls);
    NativeApp app = summing();
    Worker first(reactor, cluster.server.address(), *cluster.store, fmt::format("first-{}", calls));
    first.queue.crash.at = calls;
    first.queue.crash.after = after;
    first.queue.mistake = mistake;
    cluster.begin(first, "M", session, "[1,2,3]");
    reactor.run(first.run(app));
    if (!first.queue.crash.happened) return lost;
    Worker second(reactor, cluster.server.address(), *cluster.store,
                  fmt::format("second-{}", calls));
    reactor.run(second.run(app));
    if (!cluster.outcome(session, "A")) ++lost;
    // Where the first one sent a child twice, three deliveries may have run at once.
    for (const auto& [instance, runs] : app.runs) CHECK(runs <= 3);
    REQUIRE(calls < 100);
  }
}

#define WITH_CLUSTER(cluster)                                             \
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing()); \
  ON_EACH_PORT(reactor);                                                  \
  Cluster cluster(reactor)

}  // namespace

TEST_CASE("a workflow survives a worker that dies at any call, before its effect and behind it",
          "[redis_streams]") {
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing());
  ON_EACH_PORT(reactor);
  CHECK(lost_by_crashes(reactor, Mistake::none, backend == Backend::uring) == 0);
}

TEST_CASE("that test sees a worker that acknowledges before what follows is in the queue",
          "[redis_streams]") {
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing());
  Reactor reactor;
  CHECK(lost_by_crashes(reactor, Mistake::acknowledges_first, false) > 0);
}

namespace {

/// What a failover to a replica that was behind does: the entry is known, what was sent after it is
/// not, and connections end.
Task<void> go_back_in_time(Reactor& reactor, std::string address, std::string stream,
                           std::string entry) {
  redis::Client client(reactor, redis::parse_address(address));
  const std::string script =
      "for _, e in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do "
      "if e[1] ~= ARGV[1] then redis.call('XDEL', KEYS[1], e[1]) end end";
  const std::array<std::string_view, 5> forget{"EVAL", script, "1", stream, entry};
  const std::array<std::string_view, 4> cut{"CLIENT", "KILL", "TYPE", "normal"};
  co_await client.call(stream, forget);
  co_await client.call(stream, cut);
  client.close();
}

}  // namespace

TEST_CASE("a delivery whose server went back in time begins again, and one that goes on loses",
          "[redis_streams]") {
  WITH_CLUSTER(cluster);
  const auto mistake = GENERATE(Mistake::none, Mistake::goes_on_elsewhere);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  worker.queue.mistake = mistake;
  worker.queue.reads_left = 1;
  bool is_back = false;
  worker.queue.before_acknowledge = [&](std::string_view entry) -> Task<void> {
    if (std::exchange(is_back, true)) co_return;
    const std::string address = "unix:" + cluster.server.unix_path();
    const std::string stream = worker.queue.keys().stream;
    co_await go_back_in_time(reactor, address, stream, std::string(entry));
    worker.queue.reads_left = SIZE_MAX;
    worker.queue.nothing_to_read.set();
  };
  NativeApp app = summing();
  cluster.begin(worker, "M", "s", "[1,2,3]");
  reactor.run(worker.run(app));
  CHECK(is_back);
  const bool is_done = cluster.outcome("s", "A").has_value();
  CHECK(is_done == (mistake == Mistake::none));
  CHECK(app.runs["M"] == 1);
}

TEST_CASE("case 47: a message is acknowledged only when what follows was accepted",
          "[redis_streams]") {
  WITH_CLUSTER(cluster);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  worker.queue.refusals = 2;
  NativeApp app = summing();
  cluster.begin(worker, "M", "s", "[1,2,3]");
  reactor.run(worker.run(app));
  CHECK(cluster.outcome("s", "A").has_value());
  CHECK(app.runs["M"] == 1);
  REQUIRE_FALSE(worker.lines.empty());
  CHECK_THAT(worker.lines[0],
             ContainsSubstring("M: delivered again in") && ContainsSubstring("maxmemory"));
}

TEST_CASE("case 6: a message that brings no session has one, however often it is delivered",
          "[redis_streams]") {
  WITH_CLUSTER(cluster);
  Worker first(reactor, cluster.server.address(), *cluster.store, "first");
  first.queue.crash.at = 2;  // behind the outcome
  NativeApp app = summing();
  Message message;
  message.function = "M";
  message.payload = "[1,2,3]";
  REQUIRE(reactor.run(first.queue.submit(message, 10)));
  reactor.run(first.run(app));
  REQUIRE(first.queue.crash.happened);
  Worker second(reactor, cluster.server.address(), *cluster.store, "second");
  reactor.run(second.run(app));
  const std::vector<std::string> sessions = reactor.run(cluster.store->list_sessions({}));
  REQUIRE(sessions.size() == 1);
  CHECK(cluster.outcome(sessions[0], "A").has_value());
  CHECK(app.runs["M"] == 1);
}

TEST_CASE("case 44: attempts of an entry's Retry are of the session of the first one",
          "[redis_streams]") {
  WITH_CLUSTER(cluster);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  NativeApp app;
  int failures = 2;
  app.add(R"({"Name": "M", "Start": true, "Retry": [{"ErrorEquals": ["States.ALL"],
              "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 3}]})",
          [&failures](const UserCall& call) -> std::string {
            if (failures-- > 0) throw CodeFailure{"Flaky", "not yet"};
            return std::string(call.input);
          });
  Message message;
  message.function = "M";
  message.payload = "7";
  REQUIRE(reactor.run(worker.queue.submit(message, 10)));
  reactor.run(worker.run(app));
  const std::vector<std::string> sessions = reactor.run(cluster.store->list_sessions({}));
  REQUIRE(sessions.size() == 1);
  CHECK(cluster.outcome(sessions[0], "M").has_value());
  CHECK(app.runs["M"] == 3);
}

TEST_CASE("case 7: 1,000 interleaved invocations in one process do not see each other",
          "[redis_streams]") {
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing());
  Reactor reactor;
  Cluster cluster(reactor);
  constexpr int kSessions = 20;
  constexpr int kWidth = 50;
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  worker.options.workers = 64;
  worker.options.lease = 30s;
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"), [](const UserCall& call) {
    std::string list = "[";
    for (int i = 0; i < kWidth; ++i) {
      list += fmt::format("{}{}", i > 0 ? "," : "", std::stoi(std::string(call.input)) + i);
    }
    return list + "]";
  });
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop), [](const UserCall& call) {
    return fmt::format("[\"{}\",{}]", call.session, call.input);
  });
  app.add(terminal("A"));
  for (int i = 0; i < kSessions; ++i) {
    cluster.begin(worker, "M", fmt::format("s{}", i), std::to_string(1000 * i));
  }
  reactor.run(worker.run(app));
  REQUIRE(worker.results.size() == kSessions);
  for (int i = 0; i < kSessions; ++i) {
    std::string expected = "[";
    for (int k = 0; k < kWidth; ++k) {
      expected += fmt::format("{}[\"s{}\",{}]", k > 0 ? "," : "", i, 1000 * i + k);
    }
    CHECK(worker.results[fmt::format("s{}", i)] == expected + "]");
  }
}

TEST_CASE(
    "cases 40 and 46: a message's size does not grow with the width of its map, nor with a "
    "result that is too large for the queue",
    "[redis_streams]") {
  WITH_CLUSTER(cluster);
  const auto largest = [&](const std::string& input, const std::string& session) {
    Worker worker(reactor, cluster.server.address(), *cluster.store, session);
    worker.options.lease = 30s;
    NativeApp app = summing();
    cluster.begin(worker, "M", session, input);
    reactor.run(worker.run(app));
    CHECK(cluster.outcome(session, "A").has_value());
    const std::vector<std::size_t>& sent = worker.queue.sent_bytes;
    return *std::max_element(sent.begin(), sent.end());
  };
  CHECK(largest(numbers(300), "wide") < largest(numbers(3), "slim") + 200);
  const std::string large = fmt::format("[\"{}\",2]", std::string(300'000, 'x'));
  CHECK(largest(large, "large") < 1'000);
}

TEST_CASE("a step that crashes in three deliveries has failed, and its message is a dead letter",
          "[redis_streams]") {
  WITH_CLUSTER(cluster);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  NativeApp app;
  app.add(R"({"Name": "M", "Start": true})", [](const UserCall&) -> std::string {
    throw Error(ErrorKind::disconnected, "worker", "Unum.WorkerCrashed", "signal 11");
  });
  cluster.begin(worker, "M", "s", "1");
  reactor.run(worker.run(app));
  CHECK(app.runs["M"] == 3);
  const SessionContext context = session_context("s");
  const ItemId report{"M", ItemKind::report};
  const std::optional<std::string> failure = reactor.run(cluster.store->get(context, report, {}));
  REQUIRE(failure.has_value());
  CHECK_THAT(*failure, ContainsSubstring("Unum.WorkerCrashed"));
  const std::string dead = worker.queue.keys().dead;
  CHECK(cluster.server.command({"XLEN", dead}) == "1");
}

TEST_CASE("machines that are lost count for nothing, until there are too many", "[redis_streams]") {
  WITH_CLUSTER(cluster);
  const auto deliveries = GENERATE(20, 200);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  NativeApp app = summing();
  cluster.begin(worker, "M", "s", "[1]");
  const std::vector<Entry> entries = reactor.run(worker.queue.Queue::read("gone", 1, 1ms, {}));
  const std::string stream = worker.queue.keys().stream;
  cluster.server.command({"XCLAIM", stream, "unum", "gone", "0", entries.at(0).id, "IDLE", "100000",
                          "RETRYCOUNT", std::to_string(deliveries), "JUSTID"});
  reactor.run(worker.run(app));
  CHECK(cluster.outcome("s", "A").has_value() == (deliveries == 20));
  CHECK(cluster.server.command({"XLEN", worker.queue.keys().dead}) ==
        (deliveries == 20 ? "0" : "1"));
}

TEST_CASE(
    "a message that is none is a dead letter; one for a function that is not known yet comes "
    "again",
    "[redis_streams]") {
  WITH_CLUSTER(cluster);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  NativeApp app = summing();
  const std::string stream = worker.queue.keys().stream;
  cluster.server.command({"XADD", stream, "*", "x", "y"});
  cluster.server.command({"XADD", stream, "*", "function", "M", "payload", "{"});
  cluster.server.command({"XADD", stream, "*", "function", "F", "payload", "1"});
  cluster.server.command(
      {"XADD", stream, "*", "function", "Newer", "payload", "{}", "tries", "99"});
  cluster.begin(worker, "M", "s", "[1]");
  worker.queue.delayed_left = 1;
  reactor.run(worker.run(app));
  for (const std::string& line : worker.lines) UNSCOPED_INFO(line);
  CHECK(cluster.server.command({"XLEN", worker.queue.keys().dead}) == "3");
  CHECK(cluster.outcome("s", "A").has_value());
  CHECK(cluster.server.command({"ZCARD", worker.queue.keys().delayed}) == "1");
}

namespace {

/// User code that runs until it is cancelled.
class EndlessCode final : public UserCode {
 public:
  explicit EndlessCode(Reactor& reactor) : reactor_(reactor), began_(reactor) {}
  Task<UserResult> call(const UserCall&, Wait wait) override {
    began_.set();
    co_await reactor_.sleep_until(kNoDeadline, wait.stop);
    reason = wait.stop.reason();
    throw Error(ErrorKind::cancelled, "worker", "Unum.Cancelled", "stopped");
  }
  Event& began() { return began_; }
  std::string reason;

 private:
  Reactor& reactor_;
  Event began_;
};

}  // namespace

TEST_CASE("a step whose message was taken over is cancelled, and leaves the message alone",
          "[redis_streams]") {
  WITH_CLUSTER(cluster);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  EndlessCode code(reactor);
  cluster.begin(worker, "M", "s", "1");
  const auto body = [&]() -> Task<void> {
    TaskGroup group;
    StreamWorker host(reactor, worker.queue, worker.store, worker.options);
    host.add(Function::parse(R"({"Name": "M", "Start": true})", "test"), code);
    group.spawn(host.run(worker.drain.token(), worker.stop.token()));
    co_await code.began().wait();
    worker.drain.request("no more");
    std::string cursor = "0-0";
    const Wait wait;
    const std::vector<Entry> taken =
        co_await worker.queue.Queue::take("other", 0ms, cursor, 10, wait);
    CHECK(taken.size() == 1);
    co_await group.drain();
    const Link link = co_await worker.queue.link();
    const bool is_others = co_await worker.queue.is_mine(link, "other", taken.at(0).id);
    CHECK(is_others);
  };
  reactor.run(body());
  CHECK_THAT(code.reason, ContainsSubstring("taken over"));
}

TEST_CASE(
    "a worker that ends finishes what runs, cancels it when its time is over, and hands the "
    "message on",
    "[redis_streams]") {
  WITH_CLUSTER(cluster);
  Worker worker(reactor, cluster.server.address(), *cluster.store, "w");
  worker.options.lease = 1h;
  EndlessCode code(reactor);
  cluster.begin(worker, "M", "s", "1");
  const auto body = [&]() -> Task<void> {
    TaskGroup group;
    StreamWorker host(reactor, worker.queue, worker.store, worker.options);
    host.add(Function::parse(R"({"Name": "M", "Start": true})", "test"), code);
    group.spawn(host.run(worker.drain.token(), worker.stop.token()));
    co_await code.began().wait();
    worker.drain.request("no more");
    CHECK(host.running() == 1);
    worker.stop.request("the time is over");
    co_await group.drain();
    std::string cursor = "0-0";
    const Wait wait;
    const std::vector<Entry> taken =
        co_await worker.queue.Queue::take("other", 1h, cursor, 10, wait);
    CHECK(taken.size() == 1);
  };
  reactor.run(body());
}
