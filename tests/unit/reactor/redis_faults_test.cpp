// The Redis client against servers that misbehave: cut replies, silence, garbage, redirects.
#include <array>
#include <map>

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

Task<std::string> echo(Client& client, std::string text, Wait wait = {}) {
  const std::array<std::string_view, 2> arguments{"GET", text};
  const Reply reply = co_await client.call(text, arguments, wait);
  co_return reply.text;
}

ClientOptions impatient() {
  ClientOptions options;
  options.patience = std::chrono::milliseconds(200);
  return options;
}

/// Answers INFO and the topology as a server of a cluster whose slots are all at `port`.
Answer of_cluster(const Command& command, unsigned port) {
  if (command.words[0] == "INFO") return {bulk("role:master\r\nredis_mode:cluster\r\n")};
  return {"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n" + bulk("127.0.0.1") + ":" + std::to_string(port) +
          "\r\n"};
}

}  // namespace

TEST_CASE("a deadline that passes on one command leaves the others their replies", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command& command) {
    return Answer{bulk("reply to " + command.words[1]), false, command.words[1] == "slow"};
  });
  Client client(reactor, parse_address(server.address()));
  std::vector<std::string> heard;
  const auto ask = [&](std::string text) -> Task<void> {
    heard.push_back(co_await echo(client, text));
  };
  const auto give_up = [&]() -> Task<void> {
    try {
      co_await echo(client, "slow", Wait{test::soon(30), {}});
    } catch (const Error& error) {
      heard.push_back(std::string(to_string(error.kind())));
      server.release();
    }
  };
  TaskGroup group;
  group.spawn(give_up());
  group.spawn(ask("a"));
  group.spawn(ask("b"));
  reactor.run(group.drain());
  reactor.run(ask("c"));
  CHECK(heard == std::vector<std::string>{"timeout", "reply to a", "reply to b", "reply to c"});
  CHECK(server.connections() == 1);
}

TEST_CASE("a stop gives up one command and no other", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command& command) {
    return Answer{bulk(command.words[1]), false, command.words[1] == "slow"};
  });
  Client client(reactor, parse_address(server.address()));
  StopSource stop;
  TaskGroup group;
  ErrorKind kind = ErrorKind::bug;
  const auto stopped = [&]() -> Task<void> {
    try {
      co_await echo(client, "slow", Wait{kNoDeadline, stop.token()});
    } catch (const Error& error) {
      kind = error.kind();
    }
  };
  std::string other;
  const auto ask = [&]() -> Task<void> { other = co_await echo(client, "other"); };
  group.spawn(stopped());
  group.spawn(ask());
  while (server.commands() == 0) reactor.run_once(kNoDeadline);
  stop.request("enough");
  while (kind == ErrorKind::bug) reactor.run_once(kNoDeadline);
  server.release();
  reactor.run(group.drain());
  CHECK(kind == ErrorKind::cancelled);
  CHECK(other == "other");
}

TEST_CASE("a connection that is cut in a reply is opened again and asked again", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command& command) {
    if (command.connection < 3) return Answer{"$100\r\nonly a part", true};
    return Answer{bulk(command.words[1])};
  });
  Client client(reactor, parse_address(server.address()));
  CHECK(reactor.run(echo(client, "x")) == "x");
  CHECK(server.connections() == 4);
  CHECK(client.counters().retries == 3);
  CHECK(client.counters().connections == 4);
}

TEST_CASE("a server that never answers is left at the deadline", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command&) { return Answer{}; });
  Client client(reactor, parse_address(server.address()));
  const Error error = test::error_of(reactor, echo(client, "x", Wait{test::soon(50), {}}));
  CHECK(error.kind() == ErrorKind::timeout);
  CHECK(error.message().find(server.address()) != std::string::npos);
}

TEST_CASE("a request without an answer is sent again by another connection", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command& command) {
    return command.connection == 0 ? Answer{} : Answer{bulk(command.words[1])};
  });
  ClientOptions options;
  options.request_timeout = std::chrono::milliseconds(600);
  options.patience = std::chrono::milliseconds(500);  // from the failure, not from the start
  Client client(reactor, parse_address(server.address()), options);
  CHECK(reactor.run(echo(client, "x")) == "x");
  CHECK(server.connections() == 2);
}

TEST_CASE("garbage and replies that nobody asked for end the connection, not the process",
          "[redis]") {
  ON_EACH_PORT(reactor);
  for (const char* bytes : {"HTTP/1.1 400 Bad Request\r\n\r\n", "$-9\r\n", "*1\r\n!x\r\n"}) {
    INFO(bytes);
    ScriptedRedis server(reactor, [&](const Command&) { return Answer{bytes}; });
    Client client(reactor, parse_address(server.address()), impatient());
    const Error error = test::error_of(reactor, echo(client, "x"));
    CHECK(error.kind() == ErrorKind::disconnected);
    CHECK(error.message().find("not a reply of a Redis server") != std::string::npos);
    CHECK(server.connections() > 1);
  }
  ScriptedRedis twice(reactor, [](const Command& command) {
    return Answer{bulk(command.words[1]) + (command.connection == 0 ? "+SURPRISE\r\n" : "")};
  });
  Client client(reactor, parse_address(twice.address()));
  CHECK(reactor.run(echo(client, "x")) == "x");
  CHECK(reactor.run(echo(client, "y")) == "y");
  CHECK(twice.connections() == 2);
}

TEST_CASE("an unasked reply of any type ends the connection and answers nobody", "[redis]") {
  ON_EACH_PORT(reactor);
  for (const char* bytes : {"+S\r\n", ":1\r\n", "$-1\r\n", "$1\r\nx\r\n", "*0\r\n", "*1\r\n:1\r\n",
                            "-ERR no\r\n", "*1\r\n", "*2\r\n:1\r\n"}) {
    INFO(bytes);
    // The last two are whole only with the reply to the next command, which is then none of it.
    ScriptedRedis server(reactor, [&](const Command& command) {
      return Answer{bulk(command.words[1]) + (command.connection == 0 ? bytes : "")};
    });
    Client client(reactor, parse_address(server.address()));
    CHECK(reactor.run(echo(client, "x")) == "x");
    CHECK(reactor.run(echo(client, "y")) == "y");
    CHECK(server.connections() == 2);
  }
}

TEST_CASE("what a server says unasked when it turns one away is told", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command&) {
    return Answer{"-DENIED Redis is running in protected mode\r\n", true};
  });
  Client client(reactor, parse_address(server.address()), impatient());
  const Error error = test::error_of(reactor, echo(client, "x"));
  CHECK(error.kind() == ErrorKind::denied);
  CHECK(error.message().find("protected mode") != std::string::npos);
}

TEST_CASE("a server that is loading or busy is waited for, but not for ever", "[redis]") {
  ON_EACH_PORT(reactor);
  for (const char* code : {"LOADING Redis is loading the dataset in memory", "BUSY a script runs",
                           "TRYAGAIN Multiple keys request during rehashing of slot",
                           "CLUSTERDOWN The cluster is down", "MASTERDOWN Link is down",
                           "READONLY You can't write against a read only replica."}) {
    INFO(code);
    std::size_t refusals = 3;
    ScriptedRedis server(reactor, [&](const Command& command) {
      if (refusals > 0 && refusals-- > 0) return Answer{"-" + std::string(code) + "\r\n"};
      return Answer{bulk(command.words[1])};
    });
    Client client(reactor, parse_address(server.address()));
    CHECK(reactor.run(echo(client, "x")) == "x");
    CHECK(client.counters().retries == 3);
    refusals = std::size_t{1} << 40;
    Client hasty(reactor, parse_address(server.address()), impatient());
    const Error error = test::error_of(reactor, echo(hasty, "x"));
    const bool readonly = std::string_view(code).starts_with("READONLY");
    CHECK(error.kind() == (readonly ? ErrorKind::denied : ErrorKind::throttled));
    CHECK(std::string_view(code).starts_with(error.code()));
  }
}

TEST_CASE("errors that do not pass are told at once, by their kind", "[redis]") {
  ON_EACH_PORT(reactor);
  const std::map<std::string, ErrorKind> kinds = {
      {"OOM command not allowed when used memory > 'maxmemory'.", ErrorKind::exhausted},
      {"MISCONF Redis is configured to save RDB snapshots", ErrorKind::exhausted},
      {"NOPERM this user has no permissions", ErrorKind::denied},
      {"NOAUTH Authentication required.", ErrorKind::denied},
      {"WRONGPASS invalid username-password pair", ErrorKind::denied},
      {"WRONGTYPE Operation against a key", ErrorKind::corrupt},
      {"ERR unknown command", ErrorKind::bug},
      {"ERR The user executing the script can't run this command or subcommand script",
       ErrorKind::denied},
      {"ERR ACL failure in script: User u has no permissions to run the 'set' command script: 2e02",
       ErrorKind::denied},
      {"ERR ACL failure in script: No permissions to access a key script: 8187, on @user_script:1.",
       ErrorKind::denied},
  };
  for (const auto& [text, kind] : kinds) {
    INFO(text);
    ScriptedRedis server(reactor, [&](const Command&) { return Answer{"-" + text + "\r\n"}; });
    Client client(reactor, parse_address(server.address()));
    const Error error = test::error_of(reactor, echo(client, "x"));
    CHECK(error.kind() == kind);
    CHECK(error.message().find(text) != std::string::npos);
    CHECK(server.commands() == 1);
  }
}

TEST_CASE("MOVED is followed and remembered, ASK is followed once, with ASKING", "[redis]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> at_second;
  ScriptedRedis second(reactor, [&](const Command& command) {
    at_second.push_back(command.words[0]);
    if (command.words[0] == "ASKING") return Answer{"+OK\r\n"};
    if (command.words.size() < 2 || command.words[0] == "CLUSTER")
      return of_cluster(command, second.port());
    return Answer{bulk("second " + command.words[1])};
  });
  bool ask = true;
  std::size_t redirected = 0;
  ScriptedRedis first(reactor, [&](const Command& command) {
    if (command.words[0] != "GET") return of_cluster(command, ask ? first.port() : second.port());
    ++redirected;
    return Answer{(ask ? "-ASK " : "-MOVED ") + std::to_string(key_slot(command.words[1])) + " " +
                  second.address() + "\r\n"};
  });
  Client client(reactor, parse_address(first.address()));
  reactor.run(client.open());
  CHECK(client.cluster());
  CHECK(reactor.run(echo(client, "x")) == "second x");
  CHECK(reactor.run(echo(client, "x")) == "second x");
  CHECK(redirected == 2);
  CHECK(at_second == std::vector<std::string>{"ASKING", "GET", "ASKING", "GET"});
  ask = false;
  CHECK(reactor.run(echo(client, "x")) == "second x");
  CHECK(reactor.run(echo(client, "x")) == "second x");
  CHECK(redirected == 3);
  CHECK(client.counters().redirects == 3);
}

TEST_CASE("a cluster that sends one in circles is an error", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [&](const Command& command) {
    if (command.words[0] != "GET") return of_cluster(command, server.port());
    return Answer{"-MOVED 1 " + server.address() + "\r\n"};
  });
  Client client(reactor, parse_address(server.address()));
  const Error error = test::error_of(reactor, echo(client, "x"));
  CHECK(error.message().find("in circles") != std::string::npos);
}

TEST_CASE("a client that is closed ends what waits", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command&) { return Answer{}; });
  Client client(reactor, parse_address(server.address()));
  TaskGroup group;
  ErrorKind kind = ErrorKind::bug;
  const auto ask = [&]() -> Task<void> {
    try {
      co_await echo(client, "x");
    } catch (const Error& error) {
      kind = error.kind();
    }
  };
  group.spawn(ask());
  while (server.commands() == 0) reactor.run_once(kNoDeadline);
  client.close();
  reactor.run(group.drain());
  CHECK(kind == ErrorKind::cancelled);
  CHECK(test::error_of(reactor, echo(client, "y")).kind() == ErrorKind::cancelled);
}

TEST_CASE("what is beyond the bound waits for its turn, and for its deadline", "[redis]") {
  ON_EACH_PORT(reactor);
  std::size_t at_once = 0;
  ScriptedRedis server(reactor, [&](const Command& command) {
    ++at_once;
    return Answer{bulk(command.words[1]), false, true};
  });
  ClientOptions options;
  options.in_flight_max = 1;
  Client client(reactor, parse_address(server.address()), options);
  std::vector<std::string> heard;
  const auto ask = [&](std::string text, Deadline deadline) -> Task<void> {
    try {
      heard.push_back(co_await echo(client, text, Wait{deadline, {}}));
    } catch (const Error& error) {
      heard.push_back(std::string(to_string(error.kind())));
    }
  };
  TaskGroup group;
  group.spawn(ask("a", kNoDeadline));
  group.spawn(ask("b", test::soon(20)));
  group.spawn(ask("c", kNoDeadline));
  while (heard.empty()) reactor.run_once(kNoDeadline);
  CHECK(at_once == 1);
  server.release();
  while (at_once < 2) reactor.run_once(kNoDeadline);
  server.release();
  reactor.run(group.drain());
  CHECK(heard == std::vector<std::string>{"timeout", "a", "c"});
}

TEST_CASE("a command's deadline counts also behind commands that may wait for longer", "[redis]") {
  ON_EACH_PORT(reactor);
  ScriptedRedis server(reactor, [](const Command& command) {
    return Answer{bulk(command.words[1]), false, command.words[1] == "patient"};
  });
  Client client(reactor, parse_address(server.address()));
  CHECK(reactor.run(echo(client, "x")) == "x");  // the connection is there for the others
  std::vector<std::string> ended;
  const auto ask = [&](std::string text, Deadline deadline) -> Task<void> {
    try {
      ended.push_back(co_await echo(client, text, Wait{deadline, {}}));
    } catch (const Error& error) {
      ended.push_back(text + ": " + std::string(to_string(error.kind())));
      server.release();
    }
  };
  TaskGroup group;
  group.spawn(ask("patient", test::soon(60'000)));
  group.spawn(ask("hasty", test::soon(30)));
  reactor.run(group.drain());
  CHECK(ended == std::vector<std::string>{"hasty: timeout", "patient"});
  CHECK(server.connections() == 1);
}

TEST_CASE("whoever has the first of many replies may close the client", "[redis]") {
  ON_EACH_PORT(reactor);
  const std::string text(30'000, 'x');  // more than is read at once
  ScriptedRedis server(reactor, [&](const Command&) { return Answer{bulk(text)}; });
  Client client(reactor, parse_address(server.address()));
  std::size_t replied = 0;
  std::size_t cancelled = 0;
  const auto ask = [&](std::size_t) -> Task<void> {
    try {
      const std::string reply = co_await echo(client, "x");
      replied += reply == text ? 1 : 0;
      client.close();
    } catch (const Error& error) {
      cancelled += error.kind() == ErrorKind::cancelled ? 1 : 0;
    }
  };
  const auto all = [&]() -> Task<void> { co_await for_each_bounded(20, 20, ask); };
  reactor.run(all());
  CHECK(replied > 0);
  CHECK(cancelled > 0);
  CHECK(replied + cancelled == 20);
}
