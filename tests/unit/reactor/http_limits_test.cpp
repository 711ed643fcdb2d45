// Bounds: time, connections, requests under way, bytes; and the ends that others decide on.
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "http_names.hpp"
#include "http_server.hpp"
#include "support/sanitized.hpp"

using namespace unum;
using namespace unum::test;
using http::Method;

namespace {

constexpr std::size_t kMany = kSanitized ? 10'000 : 100'000;

/// Where a request stands when its wait ends.
struct Place {
  const char* name;
  const char* told;      ///< In the message of a deadline.
  const char* response;  ///< What the server says before it falls silent.
  bool sent;
};
constexpr Place kPlaces[] = {
    {"queued", "while it waited for a free connection", "", false},
    {"resolving", "while connecting", "", false},
    {"greeting", "while connecting", "", false},
    {"sent", "before a response came", "", true},
    {"header", "in the middle of the response", "HTTP/1.1 200 OK\r\nx: y\r\n", true},
    {"body", "in the middle of the response", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
     true},
};

/// A server that falls silent at a place, a request that gets there, and its end: by a stop, or by
/// a deadline in so many milliseconds. False if that was too early for it to get there.
bool end_there(Reactor& reactor, const Place& place, bool by_stop, int deadline_ms) {
  bool got_there = true;
  const std::string_view name(place.name);
  HangingName hanging;
  StopSource stop;
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    if (name != "greeting") {
      const auto request = co_await peer.read_request();
      if (!request) co_return;
      co_await peer.send(place.response);
    }
    if (by_stop) stop.request("enough");
    co_await peer.until_gone();
  });
  http::ClientOptions options;
  if (name == "queued") options.connections_per_origin_max = 1;
  http::Client client(reactor, options);
  std::string origin = server.origin();
  if (name == "resolving") origin = "http://" + std::string(HangingName::kName);
  if (name == "greeting") origin.replace(0, 4, "https");
  const auto body = [&]() -> Task<void> {
    TaskGroup others;
    const http::Request request{.origin = origin, .target = "/"};
    Failure of_other;
    const auto other = [&]() -> Task<void> {
      of_other = co_await failure_of(client.send(request));
    };
    if (name == "queued") others.spawn(other());
    const auto stop_when_resolving = [&]() -> Task<void> {
      while (!hanging.is_asked()) co_await reactor.yield();
      stop.request("enough");
    };
    if (by_stop && name == "resolving") others.spawn(stop_when_resolving());
    const Wait wait = by_stop ? Wait{far_away(), stop.token()} : Wait{soon(deadline_ms), {}};
    const Clock::time_point before = Clock::now();
    const Failure failure = co_await failure_of(client.send(request, wait));
    CHECK(Clock::now() - before < std::chrono::seconds(60));  // not far_away, nor a resolver's time
    CHECK(failure.kind == (by_stop ? ErrorKind::cancelled : ErrorKind::timeout));
    CHECK(failure.code == (by_stop ? "CURLE_ABORTED_BY_CALLBACK" : "CURLE_OPERATION_TIMEDOUT"));
    got_there = failure.message.find(by_stop ? "enough" : place.told) != std::string::npos;
    if (got_there) CHECK(failure.may_have_been_sent == place.sent);
    co_await client.close();
    co_await others.drain();
    if (name == "queued") CHECK(of_other.kind == ErrorKind::cancelled);
    co_await server.until_none_is_open();
  };
  with_client(reactor, client, server, body);
  return got_there;
}

}  // namespace

TEST_CASE("a deadline and a stop end a request wherever it stands, and leave nothing", "[http]") {
  ON_EACH_PORT(reactor);
  const bool by_stop = GENERATE(true, false);
  for (const Place& place : kPlaces) {
    CAPTURE(place.name, by_stop);
    const std::size_t before = open_descriptors();
    int deadline_ms = 30;  // longer where the machine is slow
    while (!end_there(reactor, place, by_stop, deadline_ms)) {
      REQUIRE(!by_stop);
      REQUIRE(deadline_ms < 30'000);
      deadline_ms *= 4;
    }
    // A resolver's thread that was left alone closes its end by itself.
    const auto all_closed = [&]() -> Task<void> {
      const Deadline patience = far_away();
      while (open_descriptors() > before && Clock::now() < patience) co_await reactor.yield();
    };
    reactor.run(all_closed());
    CHECK(open_descriptors() == before);
  }
}

TEST_CASE("connecting has a time of its own", "[http]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, [](Peer& peer) -> Task<void> { co_await peer.until_gone(); });
  http::ClientOptions options;
  options.connect_timeout = std::chrono::milliseconds(150);
  http::Client client(reactor, options);
  const auto body = [&]() -> Task<void> {
    const std::string origin = "https" + server.origin().substr(4);
    const auto one = [&](std::size_t) -> Task<void> {
      const http::Request request{.origin = origin, .target = "/"};
      const Failure failure = co_await failure_of(client.send(request));
      CHECK(failure.kind == ErrorKind::timeout);
      CHECK(failure.message.ends_with("not connected within 150 ms"));
      CHECK(!failure.may_have_been_sent);
    };
    co_await for_each_bounded(5, 5, one);
    // It does not count once the request is sent.
    const http::Request request{.origin = server.origin(), .target = "/"};
    const Failure failure = co_await failure_of(client.send(request, Wait{soon(600), {}}));
    CHECK(failure.message.ends_with("before a response came"));
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a request that stands still is given up, one that moves slowly is not", "[http]") {
  ON_EACH_PORT(reactor);
  constexpr std::chrono::milliseconds kStall{1'500};
  Server silent(reactor, [](Peer& peer) -> Task<void> { co_await peer.until_gone(); });
  // A byte each third of the time allowed, for twice as long in all.
  Server slow(reactor, [&](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (!request) co_return;
    co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
    for (int i = 0; i < 6; ++i) {
      const Deadline next = reactor.now() + kStall / 3;
      co_await reactor.sleep_until(next);
      co_await peer.send("x");
    }
    co_await peer.until_gone();
  });
  Server breaks_off(reactor, [](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (!request) co_return;
    co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxxx");
    co_await peer.until_gone();
  });
  http::ClientOptions options;
  options.stall_timeout = kStall;
  http::Client client(reactor, options);
  const auto stalls = [&](const std::string& origin, std::string_view sent) -> Task<void> {
    const http::Request request{
        .method = Method::put, .origin = origin, .target = "/", .body = sent};
    const Clock::time_point before = Clock::now();
    const Wait bounded{far_away(), {}};
    const Failure failure = co_await failure_of(client.send(request, bounded));
    const Clock::duration took = Clock::now() - before;
    CHECK(took >= kStall);
    CHECK(took < 2 * kStall);  // also where bytes moved at first
    CHECK(failure.kind == ErrorKind::timeout);
    CHECK(failure.message.find("nothing moved for 1500 ms") != std::string::npos);
    CHECK(failure.may_have_been_sent);
  };
  const auto body = [&]() -> Task<void> {
    TaskGroup all;
    const std::string large(16 * 1024 * 1024, 'x');  // more than sockets hold
    all.spawn(stalls(silent.origin(), ""));
    all.spawn(stalls(silent.origin(), large));
    all.spawn(stalls(breaks_off.origin(), "a few bytes"));
    const http::Request request{.origin = slow.origin(), .target = "/"};
    const http::Response response = co_await client.send(request);
    CHECK(response.body == "xxxxxx");
    co_await all.drain();
    co_await client.close();
    co_await slow.stop();
    co_await breaks_off.stop();
  };
  with_client(reactor, client, silent, body);
}

TEST_CASE("a response that trickles is given up, unless it is said to come so (found 19)",
          "[http]") {
  ON_EACH_PORT(reactor);
  constexpr std::chrono::milliseconds kStall{400};
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (!request) co_return;
    co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n");
    for (int i = 0; i < 30; ++i) {
      const Deadline next = reactor.now() + kStall / 6;
      co_await reactor.sleep_until(next);
      co_await peer.send("x");
    }
    co_await peer.until_gone();
  });
  http::ClientOptions options;
  options.stall_timeout = kStall;
  http::Client client(reactor, options);
  const auto body = [&]() -> Task<void> {
    const http::Request usual{.origin = server.origin(), .target = "/"};
    const Failure failure = co_await failure_of(client.send(usual));
    CHECK(failure.kind == ErrorKind::timeout);
    CHECK(failure.message.find("next to nothing moved") != std::string::npos);
    const http::Request slow{.origin = server.origin(), .target = "/", .slow_answer = true};
    const http::Response response = co_await client.send(slow);
    CHECK(response.body.size() == 30);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a header line beyond its limit is told as that (found 29)", "[http]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    co_await peer.send("HTTP/1.1 200 OK\r\nx-long: " + std::string(200'000, 'h'));
    co_await peer.until_gone();
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request request{.origin = server.origin(), .target = "/"};
    const Failure failure = co_await failure_of(client.send(request));
    CHECK(failure.kind == ErrorKind::invalid);
    INFO(failure.message);
    CHECK(failure.message.find("a line of the response's header is longer than 102400 bytes") !=
          std::string::npos);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("what is over before it begins is not sent", "[http]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, answers(""));
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request request{.origin = server.origin(), .target = "/"};
    StopSource stop;
    stop.request("enough");
    const Failure stopped =
        co_await failure_of(client.send(request, Wait{kNoDeadline, stop.token()}));
    CHECK(stopped.kind == ErrorKind::cancelled);
    CHECK(!stopped.may_have_been_sent);
    const Failure late = co_await failure_of(client.send(request, Wait{kAlreadyPassed, {}}));
    CHECK(late.kind == ErrorKind::timeout);
    CHECK(!late.may_have_been_sent);
    CHECK(server.accepted() == 0);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a request that cannot be sent is invalid", "[http]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, answers(""));
  http::Client client(reactor);
  const std::vector<std::string> split{"x: y\r\nHost: other"};
  const std::vector<std::string> nameless{"no colon"};
  const auto body = [&]() -> Task<void> {
    const http::Request all[] = {
        {.origin = "ftp://host", .target = "/"},
        {.origin = "https://", .target = "/"},
        {.origin = "http://host/path", .target = "/"},
        {.origin = "http://user@host", .target = "/"},
        {.origin = server.origin(), .target = "key"},
        {.origin = server.origin(), .target = "/a key"},
        {.origin = server.origin(), .target = "/a\nkey"},
        {.origin = server.origin(), .target = "/", .headers = split},
        {.origin = server.origin(), .target = "/", .headers = nameless},
        {.origin = server.origin(), .target = "/", .body = "of a GET"},
    };
    for (const http::Request& request : all) {
      const Failure failure = co_await failure_of(client.send(request));
      CHECK(failure.kind == ErrorKind::invalid);
    }
    CHECK(server.accepted() == 0);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("many requests through a few connections leave nothing", "[http]") {
  ON_EACH_PORT(reactor);
  const std::size_t before = open_descriptors();
  {
    Server server(reactor, answers(std::string(100, 'v')));
    http::Client client(reactor);
    const auto body = [&]() -> Task<void> {
      std::size_t good = 0;
      const http::Request request{.origin = server.origin(), .target = "/key"};
      const auto one = [&](std::size_t) -> Task<void> {
        const http::Response response = co_await client.send(request, Wait{far_away(), {}});
        if (response.status == 200 && response.body.size() == 100) ++good;
      };
      co_await for_each_bounded(kMany, 100, one);
      CHECK(good == kMany);
      CHECK(client.counters().requests == kMany);
      CHECK(client.counters().connections == 64);
      CHECK(server.accepted() == 64);
    };
    with_client(reactor, client, server, body);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("connections to an origin are bounded, and its queue is first come, first served",
          "[http]") {
  ON_EACH_PORT(reactor);
  std::size_t most = 0;
  std::vector<std::string> order;
  Server* self = nullptr;
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    most = std::max(most, self->open());
    while (const auto request = co_await peer.read_request()) {
      order.push_back(first_line(*request));
      co_await peer.answer("200 OK", "");
    }
  });
  self = &server;
  http::ClientOptions options;
  options.connections_per_origin_max = 1;
  http::Client client(reactor, options);
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      const std::string target = "/" + std::to_string(i);
      const http::Request request{.origin = server.origin(), .target = target};
      co_await client.send(request);
    };
    co_await for_each_bounded(20, 20, one);
    CHECK(most == 1);
    CHECK(server.accepted() == 1);
    REQUIRE(order.size() == 20);
    for (std::size_t i = 0; i < order.size(); ++i) {
      CHECK(order[i] == "GET /" + std::to_string(i) + " HTTP/1.1");
    }
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("origins take turns, and one that never answers keeps no other waiting", "[http]") {
  ON_EACH_PORT(reactor);
  std::string order;
  Server a(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      order += 'a';
      if (first_line(*request).starts_with("GET /never")) {
        co_await peer.until_gone();
        co_return;
      }
      co_await peer.answer("200 OK", "");
    }
  });
  Server b(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      order += 'b';
      co_await peer.answer("200 OK", "");
    }
  });
  const auto body_of_turns = [&](http::Client& client) -> Task<void> {
    const std::string_view origins[] = {a.origin(), a.origin(), a.origin(),
                                        a.origin(), b.origin(), b.origin()};
    const auto one = [&](std::size_t i) -> Task<void> {
      const http::Request request{.origin = origins[i], .target = "/"};
      co_await client.send(request);
    };
    co_await for_each_bounded(std::size(origins), std::size(origins), one);
    CHECK(order == "aababa");
  };
  const auto body = [&]() -> Task<void> {
    http::ClientOptions one_at_a_time;
    one_at_a_time.in_flight_max = 1;
    http::Client serial(reactor, one_at_a_time);
    co_await body_of_turns(serial);
    co_await serial.close();

    http::ClientOptions options;
    options.connections_per_origin_max = 2;
    options.in_flight_max = 3;
    http::Client client(reactor, options);
    TaskGroup hanging;
    std::size_t cancelled = 0;
    const auto hang = [&]() -> Task<void> {
      const http::Request request{.origin = a.origin(), .target = "/never"};
      const Failure failure = co_await failure_of(client.send(request));
      if (failure.kind == ErrorKind::cancelled) ++cancelled;
    };
    for (int i = 0; i < 10; ++i) hanging.spawn(hang());
    for (int i = 0; i < 20; ++i) {
      const http::Request request{.origin = b.origin(), .target = "/"};
      const http::Response response = co_await client.send(request, Wait{far_away(), {}});
      CHECK(response.status == 200);
    }
    co_await client.close();
    co_await hanging.drain();
    CHECK(cancelled == 10);
    const http::Request request{.origin = b.origin(), .target = "/"};
    const Failure closed = co_await failure_of(client.send(request));
    CHECK(closed.kind == ErrorKind::cancelled);
    co_await client.close();
    co_await a.stop();
  };
  http::Client unused(reactor);
  with_client(reactor, unused, b, body);
}

TEST_CASE("a body or header beyond its limit is refused, announced or not", "[http]") {
  ON_EACH_PORT(reactor);
  const std::string ten(10, 'x');
  const std::string all[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + ten,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n5\r\nxxxxx\r\n0\r\n\r\n",
  };
  for (const std::string& bytes : all) {
    Server server(reactor, [&](Peer& peer) -> Task<void> {
      while (const auto request = co_await peer.read_request()) co_await peer.send(bytes);
    });
    http::Client client(reactor);
    const auto body = [&]() -> Task<void> {
      const http::Request enough{.origin = server.origin(), .target = "/", .body_bytes_max = 10};
      const http::Response response = co_await client.send(enough);
      CHECK(response.body == ten);
      const http::Request less{.origin = server.origin(), .target = "/", .body_bytes_max = 9};
      const Failure failure = co_await failure_of(client.send(less));
      CHECK(failure.kind == ErrorKind::invalid);
      CHECK(failure.message.ends_with("the body is longer than 9 bytes"));
    };
    with_client(reactor, client, server, body);
  }
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    co_await peer.send("HTTP/1.1 200 OK\r\n");
    const std::string line = "x-long: " + std::string(60'000, 'h') + "\r\n";
    for (int i = 0; i < 6; ++i) co_await peer.send(line);
    co_await peer.until_gone();
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request request{.origin = server.origin(), .target = "/"};
    const Failure failure = co_await failure_of(client.send(request));
    CHECK(failure.kind == ErrorKind::invalid);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a sink takes the body of a success only, and may break off", "[http]") {
  ON_EACH_PORT(reactor);
  const std::string large(3'000'000, 'b');
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      const bool good = first_line(*request).starts_with("GET /good");
      const std::string_view body = good ? std::string_view(large) : "no";
      co_await peer.answer(good ? "200 OK" : "403 Forbidden", body);
    }
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    std::string taken;
    http::Request request{.origin = server.origin(), .target = "/good"};
    request.sink = [&](std::span<const std::byte> piece) {
      taken.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return true;
    };
    const http::Response good = co_await client.send(request);
    CHECK(good.body.empty());
    CHECK(good.body_bytes == large.size());
    CHECK(taken == large);
    request.target = "/bad";
    const http::Response bad = co_await client.send(request);
    CHECK(bad.status == 403);
    CHECK(bad.body == "no");
    CHECK(taken.size() == large.size());
    request.target = "/good";
    std::size_t pieces = 0;
    request.sink = [&](std::span<const std::byte>) { return ++pieces < 2; };
    const Failure failure = co_await failure_of(client.send(request));
    CHECK(failure.kind == ErrorKind::cancelled);
    CHECK(pieces == 2);
    // A stop from inside of a sink, which is inside of curl.
    StopSource stop;
    request.sink = [&](std::span<const std::byte>) {
      stop.request("seen enough");
      return true;
    };
    const Failure stopped =
        co_await failure_of(client.send(request, Wait{far_away(), stop.token()}));
    CHECK(stopped.kind == ErrorKind::cancelled);
    request.target = "/bad";
    const http::Response after = co_await client.send(request);
    CHECK(after.status == 403);
  };
  with_client(reactor, client, server, body);
}
