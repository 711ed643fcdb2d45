// The Redis client and the servers of a cluster: several that are named, silence, old views of the
// cluster, Sentinels, patience.
#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "reactor/redis/client.hpp"
#include "reactor/redis/slots.hpp"
#include "support/redis_server.hpp"
#include "support/scripted_redis.hpp"

using namespace unum;
using namespace unum::redis;
using unum::test::bulk;
using unum::test::ScriptedRedis;
using Command = ScriptedRedis::Command;
using Answer = ScriptedRedis::Answer;

namespace {

Task<std::string> get(Client& client, std::string key) {
  const std::array<std::string_view, 2> arguments{"GET", key};
  const Reply reply = co_await client.call(key, arguments);
  co_return reply.text;
}

Error refusal_of_open(Reactor& reactor, std::vector<Address> named) {
  Client client(reactor, std::move(named));
  try {
    reactor.run(client.open());
  } catch (const Error& error) {
    return error;
  }
  FAIL("an error was expected");
  throw Error(ErrorKind::bug, "test", "none", "unreachable");
}

ClientOptions attentive() {
  ClientOptions options;
  options.silence = std::chrono::milliseconds(50);
  return options;
}

/// Servers that answer by what each of them believes.
struct Cluster {
  struct Member {
    std::size_t primary = 0;  ///< Who has all slots, as this one believes.
    unsigned epoch = 1;
    bool silent = false;
    std::size_t gets = 0;
  };

  Cluster(Reactor& reactor, std::size_t count) : members(count) {
    for (std::size_t i = 0; i < count; ++i) {
      servers.push_back(std::make_unique<ScriptedRedis>(
          reactor, [this, i](const Command& command) { return answer(members[i], i, command); }));
    }
  }

  Answer answer(Member& member, std::size_t self, const Command& command) {
    if (command.words[0] == "GET") {
      ++member.gets;
      if (on_get) on_get();
    }
    if (member.silent) return {};
    if (command.words[0] == "INFO") return {bulk("role:master\r\nredis_mode:cluster\r\n")};
    if (command.words[0] == "GET") return {bulk("of " + std::to_string(self))};
    if (command.words[1] == "INFO")
      return {bulk("cluster_state:ok\r\ncluster_current_epoch:" + std::to_string(member.epoch))};
    // Everybody else is a replica of the primary.
    std::string row = "*1\r\n*" + std::to_string(2 + servers.size()) + "\r\n:0\r\n:16383\r\n";
    row += place(member.primary);
    for (std::size_t i = 0; i < servers.size(); ++i) row += i == member.primary ? "" : place(i);
    return {row};
  }
  std::string place(std::size_t i) const {
    return "*2\r\n" + bulk("127.0.0.1") + ":" + std::to_string(servers[i]->port()) + "\r\n";
  }
  Address address(std::size_t i) const { return parse_address(servers[i]->address()); }

  std::vector<Member> members;
  std::vector<std::unique_ptr<ScriptedRedis>> servers;
  std::function<void()> on_get;
};

}  // namespace

TEST_CASE(
    "a command that waits for a silent primary goes to the replica that replaced it (found 14)",
    "[redis]") {
  ON_EACH_PORT(reactor);
  Cluster cluster(reactor, 3);
  // It falls silent with the command in its hands; the others elect one of them.
  cluster.on_get = [&] {
    if (cluster.members[1].epoch == 2) return;
    cluster.members[0].silent = true;
    cluster.members[1] = {1, 2};
    cluster.members[2] = {1, 2};
  };
  Client client(reactor, cluster.address(0), attentive());
  reactor.run(client.open());
  const Deadline begun = Clock::now();
  CHECK(reactor.run(get(client, "x")) == "of 1");
  CHECK(Clock::now() - begun < std::chrono::seconds(5));  // a request's time is 30 s
  CHECK(client.counters().followed == 1);
  CHECK(cluster.members[0].gets == 1);
  CHECK(reactor.run(get(client, "y")) == "of 1");
  CHECK(cluster.members[0].gets == 1);
}

TEST_CASE("a thousand commands that wait for a silent primary follow it together (found 14)",
          "[redis]") {
  ON_EACH_PORT(reactor);
  constexpr std::size_t kCommands = 1'000;
  Cluster cluster(reactor, 3);
  cluster.members[0].silent = true;
  cluster.members[1] = {0, 1};
  cluster.members[2] = {0, 1};
  Client client(reactor, std::vector{cluster.address(0), cluster.address(1)}, attentive());
  reactor.run(client.open());
  std::size_t answered = 0;
  const auto ask = [&]() -> Task<void> {
    const std::string text = co_await get(client, "x");
    answered += text == "of 2" ? 1 : 0;
  };
  TaskGroup group;
  for (std::size_t i = 0; i < kCommands; ++i) group.spawn(ask());
  while (cluster.members[0].gets < kCommands) reactor.run_once(kNoDeadline);
  cluster.members[1] = {2, 2};
  cluster.members[2] = {2, 2};
  reactor.run(group.drain());
  CHECK(answered == kCommands);
  CHECK(cluster.members[2].gets == kCommands);
}

TEST_CASE("what a server believes that was cut off from an election does not count (found 14)",
          "[redis]") {
  ON_EACH_PORT(reactor);
  Cluster cluster(reactor, 3);
  cluster.members[1] = {2, 5};
  cluster.members[2] = {2, 5};
  // The first one answers everything, and believes itself the primary.
  Client client(reactor, std::vector{cluster.address(0), cluster.address(1), cluster.address(2)});
  reactor.run(client.open());
  CHECK(reactor.run(get(client, "x")) == "of 2");
  CHECK(cluster.members[0].gets == 0);
}

TEST_CASE("of several servers that are named one that answers is enough (found 14)", "[redis]") {
  ON_EACH_PORT(reactor);
  Cluster cluster(reactor, 2);
  cluster.members[1].primary = 1;
  cluster.members[0].silent = true;
  const std::string nobody = "127.0.0.1:" + std::to_string(test::free_port());
  Client client(reactor,
                std::vector{parse_address(nobody), cluster.address(0), cluster.address(1)});
  reactor.run(client.open());
  CHECK(reactor.run(get(client, "x")) == "of 1");
  const Error error = refusal_of_open(reactor, parse_addresses(nobody + "," + nobody));
  CHECK(error.kind() == ErrorKind::disconnected);
  CHECK(error.message().find(nobody) != std::string::npos);
}

TEST_CASE("several servers that are no cluster, and a Sentinel, are refused (found 14)",
          "[redis]") {
  ON_EACH_PORT(reactor);
  std::string mode = "standalone";
  ScriptedRedis server(reactor, [&](const Command&) {
    return Answer{bulk("role:master\r\nredis_mode:" + mode + "\r\n")};
  });
  const std::string address = server.address();
  const Error several = refusal_of_open(reactor, parse_addresses(address + "," + address));
  CHECK(several.kind() == ErrorKind::invalid);
  CHECK(several.message().find("by itself") != std::string::npos);
  mode = "sentinel";
  const Error sentinel = refusal_of_open(reactor, parse_addresses(address));
  CHECK(sentinel.kind() == ErrorKind::invalid);
  CHECK(sentinel.message().find("name the primary") != std::string::npos);
}

TEST_CASE("a server that is away is waited for as long as was said, and that is told (found 14)",
          "[redis]") {
  Reactor reactor;  // one port: it takes seconds
  std::vector<std::string> told;
  ClientOptions options;
  options.patience = std::chrono::milliseconds(3'100);
  options.silence = std::chrono::milliseconds(50);
  options.waiting = [&](std::string_view line) { told.emplace_back(line); };
  const std::string nobody = "127.0.0.1:" + std::to_string(test::free_port());
  ScriptedRedis silent(reactor, [](const Command&) { return Answer{}; });
  for (const std::string& address : {nobody, silent.address()}) {
    INFO(address);
    told.clear();
    Client client(reactor, parse_address(address), options);
    const Deadline begun = Clock::now();
    const Error error = test::error_of(reactor, get(client, "x"));
    const auto took = Clock::now() - begun;
    CHECK(error.kind() == ErrorKind::disconnected);
    CHECK(error.message().find(address) != std::string::npos);
    CHECK(error.message().find("waited for 3100 ms") != std::string::npos);
    CHECK(took < std::chrono::seconds(15));  // silence: once for the request, once behind it
    REQUIRE(!told.empty());
    CHECK(told[0].find(address) != std::string::npos);
    CHECK(told[0].find("at most 3100 ms") != std::string::npos);
  }
}

TEST_CASE("a reply beyond its bounds fails its own command and no other (found 21)", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command& command) {
    return Answer{command.words[1] == "bad" ? "$1900000000\r\nxx" : bulk(command.words[1])};
  });
  Client client(reactor, parse_address(server.address()));
  std::vector<std::string> heard;
  const auto ask = [&](std::string text) -> Task<void> {
    try {
      heard.push_back(co_await get(client, text));
    } catch (const Error& error) {
      heard.push_back(std::string(to_string(error.kind())) + " " + error.code());
    }
  };
  TaskGroup group;
  for (const char* text : {"a", "bad", "b", "c"}) group.spawn(ask(text));
  reactor.run(group.drain());
  std::sort(heard.begin(), heard.end());
  CHECK(heard == std::vector<std::string>{"a", "b", "c", "corrupt Unum.RedisReplyTooLarge"});
  CHECK(server.connections() == 2);
}

TEST_CASE("a server may say far less about itself than a value may have (found 21)", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command&) { return Answer{"$20000000\r\nxx"}; });
  const Error error = refusal_of_open(reactor, parse_addresses(server.address()));
  CHECK(error.kind() == ErrorKind::corrupt);
  CHECK(server.commands() == 1);
}

TEST_CASE("a server that repeats how it was authenticated brings no password to light (found 13)",
          "[redis]") {
  ON_EACH_PORT(reactor);
  for (const char* refusal :
       {"-ERR unknown command 'AUTH', with args beginning with: 'al' 'topsecret' \r\n",
        "-WRONGPASS for topsecret\r\n"}) {
    ScriptedRedis server(reactor, [&](const Command&) { return Answer{refusal}; });
    const Error error =
        refusal_of_open(reactor, parse_addresses("redis://al:topsecret@" + server.address()));
    CHECK(error.kind() == ErrorKind::denied);
    CHECK(error.message().find("topsecret") == std::string::npos);
  }
}
