// The Redis store itself: what it costs, what it checks at open, how it names its keys.
#include <algorithm>
#include <array>
#include <map>

#include "conformance/fan_in_names.hpp"
#include "conformance/stores_under_test.hpp"
#include "reactor/redis/client.hpp"
#include "stores/redis/keys.hpp"
#include "support/fixtures.hpp"
#include "support/redis_server.hpp"

using namespace unum;
using unum::test::error_of;
using unum::test::id;
using unum::test::RedisServer;

#define ON_EACH_PORT_WITH_REDIS(reactor)                                  \
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing()); \
  ON_EACH_PORT(reactor)

namespace {

std::unique_ptr<Store> open(Reactor& reactor, const std::string& name,
                            const StoreOptions& options = {}) {
  return reactor.run(open_store(reactor, "redis", name, options));
}

Error open_error(Reactor& reactor, const std::string& name) {
  const StoreOptions options;
  return error_of(reactor, open_store(reactor, "redis", name, options));
}

bool has(const Error& error, std::string_view text) {
  return error.message().find(text) != std::string::npos;
}

Task<void> write_many(Store& store, const SessionContext& context, std::size_t count) {
  const auto one = [&](std::size_t i) -> Task<void> {
    const SessionContext at = context.bound_to("F-unumIndex-" + std::to_string(i));
    co_await write_return_value(store, at, std::to_string(i));
  };
  co_await for_each_bounded(count, count, one);
}

std::vector<Pointer> pointers_to(const SessionContext& context, std::size_t count) {
  std::vector<Pointer> pointers;
  for (std::size_t i = 0; i < count; ++i)
    pointers.push_back(pointer(context, "F-unumIndex-" + std::to_string(i)));
  return pointers;
}

}  // namespace

TEST_CASE("a session's keys share one hash tag, whatever the session is", "[redis]") {
  CHECK(redis::index_key("s1") == "unum:{s1}");
  CHECK(redis::item_key(redis::index_key("s1"), "F-unumIndex-2", ItemKind::outcome) ==
        "unum:{s1}:F-unumIndex-2-output");
  for (const std::string session : {"s", "}", "{", "a}b{c", "%7D", "%", "a b", ":", "{}", "\n"}) {
    const std::string index = redis::index_key(session);
    CHECK(redis::session_of_index(index) == session);
    CHECK(index.find('}') == index.size() - 1);
    CHECK(index.find('{') == 5);
  }
  for (const char* key : {"", "unum:{}", "unum:{s}:F-output", "other:{s}", "unum:{s", "unum:{%}",
                          "unum:{%4}", "unum:{a}b}"})
    CHECK_FALSE(redis::session_of_index(key));
}

TEST_CASE("what each call costs in round trips, and that warm calls open nothing", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::unique_ptr<Store> store = open(reactor, server.address());
  const SessionContext context = create_session_context(*store);
  reactor.run(write_many(*store, context, 1'000));
  const StoreCounters warm = store->counters();
  CHECK(warm.connections == 1);
  const auto cost = [&](auto run) {
    const std::uint64_t before = store->counters().requests;
    run();
    return store->counters().requests - before;
  };
  const std::vector<Pointer> all = pointers_to(context, 1'000);
  std::vector<Pointer> first_missing = all;
  first_missing[0] = pointer(context, "missing");
  std::vector<Pointer> later_missing = all;
  later_missing[5] = pointer(context, "missing");
  const ItemId item = id("F-unumIndex-1", ItemKind::outcome);
  CHECK(cost([&] { reactor.run(store->get(context, item)); }) == 1);
  CHECK(cost([&] { reactor.run(store->create(context, item, "1")); }) == 1);
  CHECK(cost([&] { reactor.run(store->put(context, id("F", ItemKind::report), "1")); }) == 1);
  CHECK(cost([&] { reactor.run(read_input(*store, context, all)); }) == 10);
  CHECK(cost([&] { CHECK(reactor.run(check_values_exist(*store, context, all))); }) == 4);
  CHECK(cost([&] {
          CHECK_FALSE(reactor.run(check_values_exist(*store, context, first_missing)));
        }) == 1);
  CHECK(cost([&] {
          CHECK_FALSE(reactor.run(check_values_exist(*store, context, later_missing)));
        }) == 2);
  CHECK(cost([&] { CHECK(reactor.run(store->list(context)).size() == 1'001); }) == 3);
  CHECK(store->counters().connections == 1);
}

TEST_CASE("values longer than a script should hold are created once, too", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  const std::unique_ptr<Store> store = open(reactor, server.address());
  const SessionContext context = create_session_context(*store).bound_to("F");
  const std::string first(3u * 1024 * 1024, '1');
  const std::string second(2u * 1024 * 1024, '2');
  CHECK(reactor.run(write_return_value(*store, context, first)).status ==
        WriteResult::Status::written);
  const WriteResult lost = reactor.run(write_return_value(*store, context, second));
  CHECK(lost.status == WriteResult::Status::already_there);
  CHECK((lost.stored == first));
  const std::vector<ListedItem> listed = reactor.run(store->list(context));
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].bytes == first.size());
  // Large values make reads of many ask for fewer at once; all come.
  const std::vector<Pointer> pointers(30, pointer(context, "F"));
  const std::vector<std::string> values = reactor.run(read_input(*store, context, pointers));
  CHECK(std::all_of(values.begin(), values.end(),
                    [&](const std::string& value) { return value == first; }));
}

TEST_CASE("whatever number stands in a session's index, it can be listed (found 22)", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::unique_ptr<Store> store = open(reactor, server.address());
  const SessionContext context = session_context("s");
  reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
  const auto listed_with = [&](const char* score) {
    server.command({"ZADD", redis::index_key("s"), score, "F-output"});
    return reactor.run(store->list(context)).at(0).modified_unix_ns;
  };
  CHECK(listed_with("-1000") == -1'000'000);
  for (const char* score : {"inf", "1e300", "10413792000000000"}) {
    CHECK(listed_with(score) == INT64_MAX);
  }
  for (const char* score : {"-inf", "-1e300"}) CHECK(listed_with(score) == INT64_MIN);
}

TEST_CASE("a server that is not there is an error that names it", "[redis]") {
  ON_EACH_PORT(reactor);
  const std::string name = "127.0.0.1:" + std::to_string(test::free_port());
  const Error refused = open_error(reactor, name);
  CHECK(refused.kind() == ErrorKind::not_found);
  CHECK(refused.code() == "Unum.NoSuchStore");
  CHECK(has(refused, "redis:" + name + " does not exist"));
  CHECK(error_of(reactor, create_store(reactor, "redis", name)).kind() == ErrorKind::not_found);
  const Error secret = open_error(reactor, "redis://al:topsecret@" + name);
  CHECK(has(secret, "al:***@"));
  CHECK_FALSE(has(secret, "topsecret"));
  CHECK(open_error(reactor, "no-such-host.invalid").kind() == ErrorKind::not_found);
  CHECK(open_error(reactor, "http://x").kind() == ErrorKind::invalid);
}

TEST_CASE("a server that is there is a store: there is nothing to create", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  CHECK_FALSE(reactor.run(create_store(reactor, "redis", server.address())));
  CHECK(server.command({"DBSIZE"}) == "0");
  const std::unique_ptr<Store> store = open(reactor, server.address());
  CHECK(server.command({"DBSIZE"}) == "0");
  CHECK(reactor.run(store->list_sessions()).empty());
}

TEST_CASE("a replica is refused, with its primary's name", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer primary(reactor);
  RedisServer replica(reactor, {"--replicaof", "127.0.0.1", std::to_string(primary.port())});
  const Error error = open_error(reactor, replica.address());
  CHECK(error.kind() == ErrorKind::denied);
  CHECK(has(error, primary.address()));
}

TEST_CASE("the documented least permissions suffice, and less is told at open", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::vector<std::string> least = {
      "ACL",       "SETUSER", "unum",     "on",           ">secret", "~unum:*",     "+info",
      "+get",      "+set",    "+mget",    "+exists",      "+strlen", "+unlink",     "+del",
      "+zadd",     "+zrem",   "+zrange",  "+setbit",      "+getbit", "+bitpos",     "+bitcount",
      "+getrange", "+hset",   "+hmget",   "+hdel",        "+sadd",   "+srem",       "+smembers",
      "+time",     "+eval",   "+evalsha", "+script|load", "+scan",   "+config|get", "+append",
      "+renamenx", "+persist"};
  CHECK(server.command(least) == "OK");
  const std::string name = "redis://unum:secret@" + server.address();
  {
    const std::unique_ptr<Store> store = open(reactor, name);
    const SessionContext context = create_session_context(*store);
    reactor.run(write_many(*store, context, 3));
    const std::vector<Pointer> pointers = pointers_to(context, 3);
    CHECK(reactor.run(read_input(*store, context, pointers)).size() == 3);
    CHECK(reactor.run(store->list(context)).size() == 3);
    CHECK(reactor.run(store->list_sessions()).size() == 1);
    const std::string value(3u << 20, '1');
    CHECK(reactor.run(store->create(context, id("Long", ItemKind::outcome), value)).status ==
          WriteResult::Status::written);
    server.command({"ACL", "SETUSER", "unum", "-config|get"});
    CHECK(open(reactor, name) != nullptr);
  }
  server.command({"ACL", "SETUSER", "unum", "resetkeys", "~other:*"});
  const Error keys = open_error(reactor, name);
  CHECK(keys.kind() == ErrorKind::denied);
  CHECK(keys.code() == "NOPERM");
  server.command({"ACL", "SETUSER", "unum", "~unum:*"});
  for (const std::string needed : {"unlink", "append", "renamenx", "persist"}) {
    server.command({"ACL", "SETUSER", "unum", "-" + needed});
    CHECK(open_error(reactor, name).kind() == ErrorKind::denied);
    server.command({"ACL", "SETUSER", "unum", "+" + needed});
  }
  const Error wrong = open_error(reactor, "redis://unum:topsecret@" + server.address());
  CHECK(wrong.kind() == ErrorKind::denied);
  CHECK(wrong.code() == "WRONGPASS");
  CHECK_FALSE(has(wrong, "topsecret"));
}

TEST_CASE("UNUM_REDIS_TTL_SECONDS: every key of a session expires, at no round trip more",
          "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::string user = "redis://unum:secret@" + server.address();
  server.command({"ACL", "SETUSER", "unum", "on", ">secret", "~unum:*", "+@all", "-expire"});
  test::EnvironmentGuard environment;
  std::vector<std::string> told;
  StoreOptions options;
  options.warn = [&](std::string_view text) { told.emplace_back(text); };
  const test::Names names("F", 3);
  const auto fill = [&](Store& store, const std::string& session) {
    const SessionContext context = session_context(session);
    const std::uint64_t before = store.counters().requests;
    // A fan-in under way, one that is wanted, one that is claimed; a long value, a report.
    for (const std::size_t place : {0u, 1u}) {
      const FanIn fan_in{"Sink", &names, place, FanInRole::contributor};
      reactor.run(store.commit(context.bound_to(names.name(place)), "1", std::span(&fan_in, 1)));
    }
    const test::Names more("F", 4);
    const FanIn wanted{"Wanted", &more, 2, FanInRole::requester};
    reactor.run(store.commit(context.bound_to(names.name(2)), "1", std::span(&wanted, 1)));
    const test::Names one("G", 1);
    const FanIn claimed{"Claimed", &one, 0, FanInRole::contributor};
    reactor.run(store.commit(context.bound_to(one.name(0)), "1", std::span(&claimed, 1)));
    reactor.run(store.create(context, id("Long", ItemKind::outcome), std::string(2 << 20, '1')));
    reactor.run(store.put(context, id("F", ItemKind::report), "1"));
    return store.counters().requests - before;
  };
  // Milliseconds to live of every key of a session; -1: for ever.
  const auto lives = [&](const std::string& session) {
    std::map<std::string, long> found;
    redis::Client client(reactor, redis::parse_address(server.address()));
    const std::string pattern = "unum:{" + session + "}*";
    const std::vector<std::string_view> keys{"KEYS", pattern};
    for (const redis::Reply& key : reactor.run(Task<redis::Reply>(client.call({}, keys))).elements)
      found[key.text] = std::stol(server.command({"PTTL", key.text}));
    return found;
  };

  const std::unique_ptr<Store> plain = open(reactor, user, options);
  const std::uint64_t requests = fill(*plain, "stays");
  const std::map<std::string, long> staying = lives("stays");
  // Values, index, under-way; marks and looks of the one that is under way; wanted; claim.
  CHECK(staying.size() == 6 + 2 + 2 + 1 + 1);
  for (const auto& [key, milliseconds] : staying) {
    CAPTURE(key);
    CHECK(milliseconds == -1);
  }
  CHECK(told.empty());

  environment.set("UNUM_REDIS_TTL_SECONDS", "600");
  const Error denied = open_error(reactor, user);  // found out before anything is written
  CHECK(denied.kind() == ErrorKind::denied);
  CHECK(denied.code() == "NOPERM");
  server.command({"ACL", "SETUSER", "unum", "+expire"});
  const std::unique_ptr<Store> expiring = open(reactor, user, options);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("expire 600 s after they were written (UNUM_REDIS_TTL_SECONDS)") !=
        std::string::npos);
  CHECK(told[0].find("secret") == std::string::npos);
  CHECK(fill(*expiring, "goes") == requests);
  const std::map<std::string, long> going = lives("goes");
  CHECK(going.size() == staying.size());
  for (const auto& [key, milliseconds] : going) {
    CAPTURE(key);
    CHECK(milliseconds > 500'000);
    CHECK(milliseconds <= 600'000);
  }
  // What has expired was never there: it is written anew, and the session ends with its last key.
  const SessionContext context = session_context("goes");
  const std::string value = "unum:{goes}:" + names.name(0) + "-output";
  server.command({"PEXPIRE", value, "0"});
  CHECK_FALSE(reactor.run(check_value_exist(*expiring, context, pointer(context, names.name(0)))));
  CHECK(reactor.run(test::write(*expiring, context, names.name(0), "2")));
  for (const auto& [key, milliseconds] : going) server.command({"PEXPIRE", key, "0"});
  CHECK(reactor.run(expiring->list_sessions()) == std::vector<std::string>{"stays"});

  for (const char* bad : {"0", "-1", "1h", "99999999999999999999", "9999999999"}) {
    environment.set("UNUM_REDIS_TTL_SECONDS", bad);
    const Error error = open_error(reactor, user);
    CHECK(error.kind() == ErrorKind::invalid);
    CHECK(has(error, "UNUM_REDIS_TTL_SECONDS is \"" + std::string(bad) + "\""));
  }
}

namespace {

bool says(RedisServer& server, const std::vector<std::string>& command, std::string_view text) {
  return server.command(command).find(text) != std::string::npos;
}

template <class Holds>
void until(const char* what, const Holds& holds) {
  const Deadline deadline = test::far_away();
  while (!holds()) {
    if (Clock::now() >= deadline) FAIL("waited for too long until " << what);
  }
}

/// A cluster of one primary with all slots, and its replica.
struct ReplicatedCluster {
  explicit ReplicatedCluster(Reactor& reactor)
      : primary(reactor, settings(bus)), replica(reactor, settings(test::free_port())) {
    primary.command({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
    const std::string id_of_primary = primary.command({"CLUSTER", "MYID"});
    replica.command(
        {"CLUSTER", "MEET", "127.0.0.1", std::to_string(primary.port()), std::to_string(bus)});
    until("they met", [&] { return says(replica, {"CLUSTER", "NODES"}, id_of_primary); });
    replica.command({"CLUSTER", "REPLICATE", id_of_primary});
    until("the replica has a copy", [&] {
      return says(replica, {"INFO", "replication"}, "master_link_status:up");
    });
    // A primary tells of a replica once that has told how far it is, which is nowhere at first.
    primary.command({"SET", "something", "1"});
    primary.command({"DEL", "something"});
    until("the primary tells of the replica", [&] {
      redis::Client client(reactor, redis::parse_address(primary.address()));
      const std::vector<std::string_view> slots{"CLUSTER", "SLOTS"};
      const std::vector<redis::Reply> ranges =
          reactor.run(Task<redis::Reply>(client.call({}, slots))).elements;
      return ranges.size() == 1 && ranges[0].elements.size() == 4;
    });
    for (RedisServer* server : {&primary, &replica})
      until("all is well", [&] { return says(*server, {"CLUSTER", "INFO"}, "cluster_state:ok"); });
  }
  static std::vector<std::string> settings(unsigned bus_port) {
    return {"--cluster-enabled",          "yes", "--cluster-port", std::to_string(bus_port),
            "--repl-diskless-sync-delay", "0"};
  }

  const unsigned bus = test::free_port();
  RedisServer primary;
  RedisServer replica;
};

/// How many MGETs a server was sent.
int mgets(RedisServer& server) {
  const std::string stats = server.command({"INFO", "commandstats"});
  const std::size_t at = stats.find("cmdstat_mget:calls=");
  return at == std::string::npos ? 0 : std::stoi(stats.substr(at + 19));
}

}  // namespace

TEST_CASE("ReadConsistency: eventual reads inputs from a cluster's replicas, and nothing else",
          "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  ReplicatedCluster cluster(reactor);
  RedisServer& primary = cluster.primary;
  RedisServer& replica = cluster.replica;
  StoreOptions options;
  options.read_consistency = ReadConsistency::eventual;
  const std::unique_ptr<Store> store = open(reactor, primary.address(), options);
  const SessionContext context = create_session_context(*store);
  reactor.run(write_many(*store, context, 250));
  const std::vector<Pointer> all = pointers_to(context, 250);
  CHECK(primary.command({"WAIT", "1", "0"}) == "1");
  const auto read_all = [&] {
    const std::vector<std::string> values = reactor.run(read_input(*store, context, all));
    REQUIRE(values.size() == 250);
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == std::to_string(i));
  };
  read_all();
  CHECK(mgets(replica) == 3);
  CHECK(mgets(primary) == 0);
  const StoreCounters warm = store->counters();
  read_all();
  CHECK(store->counters().requests == warm.requests + 3);
  CHECK(store->counters().connections == warm.connections);

  // Looks and fan-ins are the primary's, and a replica that lags is no reason to fail.
  const test::Names names("G", 1);
  const FanIn fan_in{"Sink", &names, 0, FanInRole::contributor};
  CHECK(replica.command({"CONFIG", "SET", "replica-read-only", "no"}) == "OK");
  CHECK(replica.command({"FLUSHALL"}) == "OK");
  CHECK(reactor.run(check_values_exist(*store, context, all)));
  const CommitResult result =
      reactor.run(store->commit(context.bound_to("G-unumIndex-0"), "1", std::span(&fan_in, 1)));
  CHECK(result.fan_ins.at(0).status == FanInState::Status::claimed);
  read_all();
  CHECK(mgets(replica) == 9);
  CHECK(mgets(primary) == 3);
  const std::vector<Pointer> nowhere{pointer(context, "Nowhere")};
  CHECK(error_of(reactor, read_input(*store, context, nowhere)).kind() == ErrorKind::not_found);

  // Without its replica the primary serves everything.
  replica.kill();
  read_all();
  CHECK(mgets(primary) >= 6);
  // Strong reads never asked it.
  const std::unique_ptr<Store> strong = open(reactor, primary.address());
  replica.start();
  const int before = mgets(replica);
  CHECK(reactor.run(read_input(*strong, context, all)).size() == 250);
  CHECK(mgets(replica) == before);
}

TEST_CASE("what the server's settings put at risk is told once, at open", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  std::vector<std::string> told;
  StoreOptions options;
  options.warn = [&](std::string_view text) { told.emplace_back(text); };
  open(reactor, server.address(), options);
  CHECK(told.empty());
  server.command({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  open(reactor, server.address(), options);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("allkeys-lru") != std::string::npos);
  CHECK(told[0].find("checkpoints and claims would vanish") != std::string::npos);
  CHECK(told[0].find("persist") == std::string::npos);
  server.command({"CONFIG", "SET", "appendonly", "no"});
  open(reactor, server.address(), options);
  REQUIRE(told.size() == 2);
  CHECK(told[1].find("are lost when it restarts") != std::string::npos);
  CHECK(told[1].find('\n') == std::string::npos);
  server.command({"CONFIG", "SET", "save", "3600 1"});
  server.command({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  open(reactor, server.address(), options);
  CHECK(told.size() == 2);
}

TEST_CASE("somebody else's key in the place of a value is corrupt", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::unique_ptr<Store> store = open(reactor, server.address());
  const SessionContext context = session_context("s");
  server.command({"RPUSH", "unum:{s}:F-output", "x"});
  const Error error = error_of(reactor, store->get(context, id("F", ItemKind::outcome)));
  CHECK(error.kind() == ErrorKind::corrupt);
  CHECK(error.code() == "WRONGTYPE");
  CHECK(has(error, "unum:{s}:F-output"));
  const Error write = error_of(reactor, store->create(context, id("F", ItemKind::outcome), "1"));
  CHECK(write.kind() == ErrorKind::corrupt);
}

TEST_CASE("a full server refuses writes and keeps what it has", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::unique_ptr<Store> store = open(reactor, server.address());
  const SessionContext context = create_session_context(*store);
  reactor.run(write_many(*store, context, 1));
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  const Error error = error_of(reactor, store->create(context, id("G", ItemKind::outcome), "1"));
  CHECK(error.kind() == ErrorKind::exhausted);
  CHECK(error.code() == "OOM");
  CHECK(reactor.run(store->get(context, id("F-unumIndex-0", ItemKind::outcome))) == "0");
}

TEST_CASE("case 47: values survive kill -9 of the server, and the store goes on", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::unique_ptr<Store> store = open(reactor, server.address());
  const SessionContext context = create_session_context(*store);
  for (int round = 0; round < 3; ++round) {
    const std::size_t count = 300 * static_cast<std::size_t>(round + 1);
    reactor.run(write_many(*store, context, count));
    server.kill();
    server.start();
    const std::vector<Pointer> pointers = pointers_to(context, count);
    const std::vector<std::string> values = reactor.run(read_input(*store, context, pointers));
    for (std::size_t i = 0; i < count; ++i) CHECK(values[i] == std::to_string(i));
  }
}
