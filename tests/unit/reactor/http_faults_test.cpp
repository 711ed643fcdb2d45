// Peers that break off, lie, say nothing or speak something else.
#include <string>
#include <vector>

#include "http_server.hpp"

using namespace unum;
using namespace unum::test;
using http::Method;

namespace {

/// A script that answers each request with these bytes, and closes.
Server::Script says(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (request) co_await peer.send(bytes);
  };
}

}  // namespace

TEST_CASE("a response that is not whole, or is none, is an error that says so", "[http]") {
  ON_EACH_PORT(reactor);
  // Which of its codes libcurl chooses depends on its version.
  const struct {
    const char* bytes;
    ErrorKind kind;
  } all[] = {
      {"", ErrorKind::disconnected},
      {"HTTP/1.1 200", ErrorKind::disconnected},
      {"HTTP/1.1 200 OK\r\nContent-Le", ErrorKind::disconnected},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", ErrorKind::disconnected},
      {"HTTP/1.1 100 Continue\r\n\r\n", ErrorKind::disconnected},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", ErrorKind::disconnected},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ErrorKind::disconnected},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ErrorKind::disconnected},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", ErrorKind::disconnected},
      {"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nabcde", ErrorKind::corrupt},
      {"SSH-2.0-OpenSSH_9.2\r\n", ErrorKind::corrupt},
      {"HTTP/1.1 OK\r\n\r\n", ErrorKind::corrupt},
  };
  for (const auto& each : all) {
    CAPTURE(each.bytes);
    Server server(reactor, says(each.bytes));
    http::Client client(reactor);
    const auto body = [&]() -> Task<void> {
      const http::Request request{.origin = server.origin(), .target = "/b/key?X-Amz-Signature=s"};
      const Failure failure = co_await failure_of(client.send(request));
      CHECK(failure.kind == each.kind);
      CHECK(failure.code.starts_with("CURLE_"));
      CHECK(failure.may_have_been_sent);
      CHECK(failure.message.starts_with("GET " + server.origin() + "/b/key: "));
      CHECK(failure.message.find("Signature") == std::string::npos);
      CHECK(server.accepted() == 1);
    };
    with_client(reactor, client, server, body);
  }
}

TEST_CASE("a reset is told, and that nobody listens", "[http]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, [](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (request) peer.reset();
  });
  std::string nobody;
  {
    Server gone(reactor, answers(""));
    nobody = gone.origin();
    reactor.run(gone.stop());
  }
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request request{.origin = nobody, .target = "/"};
    const Failure refused = co_await failure_of(client.send(request));
    CHECK(refused.kind == ErrorKind::disconnected);
    CHECK(refused.code == "CURLE_COULDNT_CONNECT");
    CHECK(!refused.may_have_been_sent);
    const http::Request to_server{.origin = server.origin(), .target = "/"};
    const Failure reset = co_await failure_of(client.send(to_server));
    CHECK(reset.kind == ErrorKind::disconnected);
    CHECK(reset.code == "CURLE_RECV_ERROR");
    CHECK(reset.may_have_been_sent);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("more than was announced is not taken for the next response", "[http]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, [](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      co_await peer.send(
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcdeHTTP/1.1 500 No\r\n\r\n");
    }
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request request{.origin = server.origin(), .target = "/"};
    for (int i = 0; i < 3; ++i) {
      const http::Response response = co_await client.send(request);
      CHECK(response.status == 200);
      CHECK(response.body == "abcde");
    }
    CHECK(server.accepted() == 3);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("chunked bodies, trailers, bodies that end with the connection, and 1xx", "[http]") {
  ON_EACH_PORT(reactor);
  const std::string all[] = {
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nx-sum: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\nabcde",
      "HTTP/1.0 200 OK\r\n\r\nabcde",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nx-early: 1\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
  };
  for (const std::string& bytes : all) {
    CAPTURE(bytes);
    Server server(reactor, says(bytes));
    http::Client client(reactor);
    const auto body = [&]() -> Task<void> {
      const http::Request request{.origin = server.origin(), .target = "/"};
      const http::Response response = co_await client.send(request);
      CHECK(response.status == 200);
      CHECK(response.body == "abcde");
      CHECK(response.header("x-early").empty());
      CHECK((response.header("x-sum") == "1") == (bytes.find("x-sum") != std::string::npos));
    };
    with_client(reactor, client, server, body);
  }
}

TEST_CASE("a server that closes after each response, openly or not, loses nothing", "[http]") {
  ON_EACH_PORT(reactor);
  const bool openly = GENERATE(true, false);
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (!request) co_return;
    co_await peer.answer("200 OK", body_of(*request), openly ? "Connection: close\r\n" : "");
  });
  http::Client client(reactor);
  const std::size_t count = 200;
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      const std::string value = "value " + std::to_string(i);
      const http::Request request{
          .method = Method::put, .origin = server.origin(), .target = "/", .body = value};
      const http::Response response = co_await client.send(request);
      CHECK(response.body == value);
    };
    co_await for_each_bounded(count, 8, one);
    CHECK(server.accepted() == count);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a response and a half-closed connection: the next request goes elsewhere", "[http]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, [](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (!request) co_return;
    co_await peer.answer("200 OK", "fine");
    peer.half_close();
    co_await peer.until_gone();
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    for (int i = 0; i < 5; ++i) {
      const http::Request request{.origin = server.origin(), .target = "/"};
      const http::Response response = co_await client.send(request);
      CHECK(response.body == "fine");
    }
    CHECK(server.accepted() == 5);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a kept connection that ends under a request: it is sent again, once and told",
          "[http]") {
  ON_EACH_PORT(reactor);
  const bool reset = GENERATE(true, false);
  std::vector<std::string> seen;
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      seen.push_back(*request);
      if (peer.number() == 0 && seen.size() == 2) {
        if (reset) peer.reset();
        co_return;
      }
      co_await peer.answer("200 OK", body_of(*request));
    }
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request request{
        .method = Method::put, .origin = server.origin(), .target = "/", .body = "value"};
    const http::Response first = co_await client.send(request);
    CHECK(!first.sent_again);
    const http::Response second = co_await client.send(request);
    CHECK(second.sent_again);
    CHECK(second.body == "value");
    REQUIRE(seen.size() == 3);
    CHECK(seen[1] == seen[2]);
    CHECK(server.accepted() == 2);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a body from a source is never sent twice", "[http]") {
  ON_EACH_PORT(reactor);
  std::size_t requests = 0;
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      if (++requests == 2) co_return;
      co_await peer.answer("200 OK", "");
    }
  });
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    std::uint64_t given = 0;
    http::Request request{.method = Method::put, .origin = server.origin(), .target = "/"};
    request.source_bytes = 100'000;
    request.source = [&](std::span<std::byte> room) {
      std::fill(room.begin(), room.end(), std::byte{'s'});
      given += room.size();
      return room.size();
    };
    const http::Response first = co_await client.send(request);
    CHECK(first.status == 200);
    CHECK(given == 100'000);
    const Failure failure = co_await failure_of(client.send(request));
    CHECK(failure.kind == ErrorKind::disconnected);
    CHECK(failure.code == "CURLE_SEND_FAIL_REWIND");
    CHECK(failure.may_have_been_sent);
    CHECK(given == 200'000);
    CHECK(requests == 2);
  };
  with_client(reactor, client, server, body);
}
