// The Redis client against a real server: pipelining, identities, sockets, restarts.
#include <algorithm>
#include <array>

#include "reactor/redis/client.hpp"
#include "support/redis_server.hpp"

using namespace unum;
using namespace unum::redis;
using unum::test::RedisServer;

#define ON_EACH_PORT_WITH_REDIS(reactor)                                  \
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing()); \
  ON_EACH_PORT(reactor)

namespace {

/// A command's words. A function rather than braces: GCC 12 takes none in a co_await.
template <class... Word>
std::vector<std::string> words(const Word&... each) {
  return {std::string(each)...};
}

/// Sends one command; its arguments live here.
Task<Reply> say(Client& client, std::vector<std::string> command) {
  const std::vector<std::string_view> arguments(command.begin(), command.end());
  co_return co_await client.call(command.size() > 1 ? command[1] : command[0], arguments);
}

}  // namespace

TEST_CASE("thousands of commands share one connection and come back in their order", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  const std::vector<std::string> addresses{server.address(), "unix:" + server.unix_path()};
  for (const std::string& address : addresses) {
    Client client(reactor, parse_address(address));
    const std::size_t count = 5'000;
    const auto one = [&](std::size_t i) -> Task<void> {
      const std::string key = "k" + std::to_string(i);
      // Some are long enough to be sent from where they are.
      const std::string value = std::to_string(i) + std::string(i % 500 == 0 ? 200'000 : 10, 'v');
      co_await say(client, words("SET", key, value));
      const Reply reply = co_await say(client, words("GET", key));
      if (reply.text != value) throw Error(ErrorKind::bug, "test", "order", key);
    };
    const auto body = [&]() -> Task<void> { co_await for_each_bounded(count, count, one); };
    reactor.run(body());
    CHECK(client.counters().connections == 1);
    CHECK(client.counters().requests == 2 * count);
    CHECK(client.counters().retries == 0);
  }
}

TEST_CASE("a value of many megabytes goes and comes whole", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  Client client(reactor, parse_address(server.address()));
  std::string value(64u * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < value.size(); i += 4096) value[i] = static_cast<char>(i >> 12);
  const std::array<std::string_view, 3> set{"SET", "long", value};
  const auto body = [&]() -> Task<void> {
    co_await client.call("long", set);
    const Reply reply = co_await say(client, words("GET", "long"));
    CHECK((reply.text == value));
  };
  reactor.run(body());
}

TEST_CASE("a long command that is given up while it is sent harms nobody", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--appendonly", "no"});
  Client client(reactor, parse_address(server.address()));
  reactor.run(say(client, words("PING")));
  const auto given_up = [&](int round) -> Task<void> {
    // Its bytes are gone as soon as it was given up.
    const std::string value(16u * 1024 * 1024, 'x');
    const std::array<std::string_view, 3> set{"SET", "long", value};
    Wait wait;
    wait.deadline = Clock::now() + std::chrono::microseconds(200 * round);
    try {
      co_await client.call("long", set, wait);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::timeout);
    }
  };
  const auto other = [&]() -> Task<void> {
    const Reply reply = co_await say(client, words("ECHO", "still here"));
    CHECK(reply.text == "still here");
  };
  for (int round = 0; round < 20; ++round) {
    TaskGroup group;
    group.spawn(given_up(round));
    group.spawn(other());
    reactor.run(group.drain());
  }
  const Reply stored = reactor.run(say(client, words("STRLEN", "long")));
  CHECK((stored.integer == 0 || stored.integer == 16 * 1024 * 1024));
  CHECK(client.counters().connections == 1);
}

TEST_CASE("who one is decides what one may do", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor, {"--user", "default", "off", "--user", "alice", "on", ">open sesame",
                               "~unum:*", "+@all", "-flushall"});
  const auto failure = [&](const std::string& user, std::vector<std::string> command) {
    Client client(reactor, parse_address("redis://" + user + server.address()));
    return test::error_of(reactor, say(client, std::move(command)));
  };
  Client alice(reactor, parse_address("redis://alice:open%20sesame@" + server.address()));
  CHECK(reactor.run(say(alice, words("SET", "unum:x", "1"))).text == "OK");
  const Error key = test::error_of(reactor, say(alice, words("GET", "other")));
  CHECK(key.kind() == ErrorKind::denied);
  CHECK(key.code() == "NOPERM");
  CHECK(failure("alice:open%20sesame@", {"FLUSHALL"}).code() == "NOPERM");
  const Error wrong = failure("alice:topsecret@", {"PING"});
  CHECK(wrong.kind() == ErrorKind::denied);
  CHECK(wrong.code() == "WRONGPASS");
  CHECK(wrong.message().find("alice") != std::string::npos);
  CHECK(wrong.message().find("topsecret") == std::string::npos);
  const Error nobody = failure("", {"PING"});
  CHECK(nobody.kind() == ErrorKind::denied);
  CHECK(nobody.code() == "NOAUTH");
}

TEST_CASE("a database is selected, and one that does not exist is an error", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  Client third(reactor, parse_address("redis://" + server.address() + "/3"));
  Client first(reactor, parse_address(server.address()));
  reactor.run(say(third, words("SET", "x", "1")));
  CHECK(reactor.run(say(first, words("GET", "x"))).is_nil());
  Client none(reactor, parse_address("redis://" + server.address() + "/99"));
  CHECK(test::error_of(reactor, say(none, words("PING"))).message().find("database 99") !=
        std::string::npos);
}

TEST_CASE("a server that is killed and restarted answers all that was under way", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  Client client(reactor, parse_address(server.address()));
  const std::size_t count = 2'000;
  std::size_t ended = 0;
  const auto one = [&](std::size_t i) -> Task<void> {
    co_await say(client, words("SET", "k" + std::to_string(i), std::to_string(i)));
    if (++ended != count / 4) co_return;
    server.kill();
  };
  TaskGroup group;
  const auto all = [&]() -> Task<void> { co_await for_each_bounded(count, 200, one); };
  group.spawn(all());
  while (ended < count / 4) reactor.run_once(kNoDeadline);
  // The rest is tried again and again meanwhile.
  for (int tick = 0; tick < 20; ++tick) reactor.run_once(test::soon(20));
  CHECK(ended < count);
  server.start();
  reactor.run(group.drain());
  CHECK(ended == count);
  CHECK(client.counters().retries > 0);
  CHECK(client.counters().connections >= 2);
  const auto check = [&](std::size_t i) -> Task<void> {
    const Reply reply = co_await say(client, words("GET", "k" + std::to_string(i)));
    if (reply.text != std::to_string(i)) throw Error(ErrorKind::bug, "test", "lost", reply.text);
  };
  const auto check_all = [&]() -> Task<void> { co_await for_each_bounded(count, 200, check); };
  reactor.run(check_all());
}

TEST_CASE("a server that is not there and a name that leads nowhere are told at once", "[redis]") {
  ON_EACH_PORT(reactor);
  const auto failure = [&](const std::string& address) {
    Client client(reactor, parse_address(address));
    try {
      reactor.run(client.open());
    } catch (const Error& error) {
      return error;
    }
    FAIL("opened");
    throw Error(ErrorKind::bug, "test", "none", "unreachable");
  };
  const std::string nobody = "127.0.0.1:" + std::to_string(test::free_port());
  const Error refused = failure(nobody);
  CHECK(refused.kind() == ErrorKind::disconnected);
  CHECK(refused.code() == "ECONNREFUSED");
  CHECK(refused.message().find(nobody) != std::string::npos);
  const Error unknown = failure("no-such-host.invalid");
  CHECK(unknown.code() == "Unum.NameNotResolved");
  CHECK(unknown.message().find("no-such-host.invalid") != std::string::npos);
  CHECK(failure("unix:/nowhere/at/all").code() == "ENOENT");
}

TEST_CASE("a script that the server forgot is sent whole again", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  RedisServer server(reactor);
  Client client(reactor, parse_address(server.address()));
  Script script{"return {KEYS[1], ARGV[1]}"};
  reactor.run(client.load(script));
  const std::array<std::string_view, 1> keys{"key"};
  const std::array<std::string_view, 1> values{"value"};
  const auto requests_of_run = [&] {
    const std::uint64_t before = client.counters().requests;
    const Reply reply = reactor.run(client.run(script, keys, values));
    CHECK(reply.elements.at(1).text == "value");
    return client.counters().requests - before;
  };
  CHECK(requests_of_run() == 1);
  server.command({"SCRIPT", "FLUSH"});
  CHECK(requests_of_run() == 2);
  CHECK(requests_of_run() == 1);
}
