// The HTTP server over real sockets: order, bodies, ends, and what it refuses.
#include "reactor/http_server/server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <exception>
#include <vector>

#include "raw_client.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/event.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;
namespace hs = unum::http_server;

namespace {

/// Tells what it was asked.
Task<hs::Response> echo(hs::Request& request, Wait) {
  hs::Response response;
  response.headers.push_back({"Content-Type", "text/plain"});
  response.body = request.method + " " + request.target + " " + request.body;
  co_return response;
}

/// Runs a test's body against a server and ends both, whatever happened.
template <class Body>
void with_server(Reactor& reactor, hs::Handler handler, hs::ServerOptions options, Body body) {
  hs::Server server(reactor, std::move(handler), options);
  const int port = server.listen_tcp("127.0.0.1", 0);
  const auto all = [&]() -> Task<void> {
    std::exception_ptr failed;
    try {
      co_await body(server, port);
    } catch (...) {
      failed = std::current_exception();
    }
    co_await server.close(0ms);
    if (failed) std::rethrow_exception(failed);
  };
  reactor.run(all());
}

template <class Body>
void with_server(Reactor& reactor, Body body) {
  with_server(reactor, echo, {}, body);
}

/// The status of the response to these bytes, sent over a connection of their own.
Task<std::string> status_for(Reactor& reactor, int port, std::string_view bytes) {
  RawClient client(reactor, port);
  co_await client.send(bytes);
  const std::string response = co_await client.read_response();
  co_return status_of(response);
}

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

}  // namespace

TEST_CASE("a connection is kept from one request to the next") {
  ON_EACH_PORT(reactor);
  with_server(reactor, [&](hs::Server& server, int port) -> Task<void> {
    RawClient client(reactor, port);
    for (const std::string body : {"one", "", "three"}) {
      co_await client.send("POST /f?a=%20 HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body);
      const std::string response = co_await client.read_response();
      CHECK(status_of(response) == "200");
      CHECK(body_of_response(response) == "POST /f?a=%20 " + body);
      CHECK(response.find("\r\nDate: ") != std::string::npos);
    }
    CHECK(server.connections() == 1);
  });
}

TEST_CASE("requests that are sent at once are answered in their order, one at a time") {
  ON_EACH_PORT(reactor);
  int running = 0;
  const auto slow = [&](hs::Request& request, Wait wait) -> Task<hs::Response> {
    CHECK(++running == 1);
    co_await reactor.yield();
    co_await reactor.nop();
    --running;
    co_return co_await echo(request, wait);
  };
  with_server(reactor, slow, {}, [&](hs::Server&, int port) -> Task<void> {
    RawClient client(reactor, port);
    std::string all;
    for (int i = 0; i < 50; ++i) {
      all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n";
      all += i % 2 == 0 ? "Content-Length: 2\r\n\r\nhi"
                        : "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n";
    }
    co_await client.send(all);
    for (int i = 0; i < 50; ++i) {
      const std::string response = co_await client.read_response();
      CHECK(body_of_response(response) == "POST /" + std::to_string(i) + " hi");
    }
  });
}

TEST_CASE("a request may come byte by byte") {
  ON_EACH_PORT(reactor);
  with_server(reactor, [&](hs::Server&, int port) -> Task<void> {
    RawClient client(reactor, port);
    const std::string_view request =
        "\r\nPOST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: ignored\r\n\r\n";
    for (const char& byte : request) {
      co_await client.send(std::string_view(&byte, 1));
      co_await reactor.nop();
    }
    const std::string response = co_await client.read_response();
    CHECK(body_of_response(response) == "POST /x abc0123456789");
  });
}

TEST_CASE("a client that expects 100 Continue is told to go on, or refused before its body") {
  ON_EACH_PORT(reactor);
  hs::ServerOptions options;
  options.limits.body_bytes_max = 10;
  with_server(reactor, echo, options, [&](hs::Server&, int port) -> Task<void> {
    RawClient client(reactor, port);
    co_await client.send(
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    const std::string interim = co_await client.read_response();
    CHECK(interim == "HTTP/1.1 100 Continue\r\n\r\n");
    co_await client.send("body");
    const std::string response = co_await client.read_response();
    CHECK(body_of_response(response) == "POST / body");
    const std::string refused = co_await status_for(
        reactor, port,
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    CHECK(refused == "413");
    const std::string unknown =
        co_await status_for(reactor, port, "POST / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n");
    CHECK(unknown == "417");
  });
}

TEST_CASE("a large body is taken, and a large response is written") {
  ON_EACH_PORT(reactor);
  with_server(reactor, [&](hs::Server&, int port) -> Task<void> {
    RawClient client(reactor, port);
    const std::string body(5'000'000, 'b');
    TaskGroup group;
    const auto sender = [&]() -> Task<void> {
      co_await client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n");
      co_await client.send(body);
    };
    group.spawn(sender());
    const std::string response = co_await client.read_response();
    co_await group.drain();
    CHECK(body_of_response(response) == "POST / " + body);
  });
}

TEST_CASE("HTTP/1.0, Connection: close and HEAD are answered as they ask for") {
  ON_EACH_PORT(reactor);
  with_server(reactor, [&](hs::Server&, int port) -> Task<void> {
    RawClient old(reactor, port);
    co_await old.send("GET / HTTP/1.0\r\n\r\n");
    const std::string first = co_await old.read_to_end();
    CHECK(status_of(first) == "200");
    RawClient closing(reactor, port);
    co_await closing.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string second = co_await closing.read_to_end();
    CHECK(second.find("\r\nConnection: close\r\n") != std::string::npos);
    RawClient head(reactor, port);
    co_await head.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    co_await head.send(kGet);
    const std::string third = co_await head.read_response(false);
    CHECK(third.find("Content-Length: 7\r\n") != std::string::npos);
    const std::string fourth = co_await head.read_response();
    CHECK(body_of_response(fourth) == "GET / ");
    RawClient upgrading(reactor, port);
    co_await upgrading.send(
        "GET /h2c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    const std::string fifth = co_await upgrading.read_response();
    CHECK(body_of_response(fifth) == "GET /h2c ");
  });
}

TEST_CASE("what could be read in two ways is refused, and the connection ends") {
  ON_EACH_PORT(reactor);
  bool was_handled = false;
  const auto handler = [&](hs::Request& request, Wait wait) -> Task<hs::Response> {
    was_handled = true;
    co_return co_await echo(request, wait);
  };
  struct Bad {
    std::string_view request;
    std::string_view status;
  };
  const std::vector<Bad> bad{
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
       "0\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
       "0\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nx", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\nx", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity"
       "\r\n\r\n0\r\n\r\n",
       "400"},
      {"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\tX: a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\nHost: x\n\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\nX: a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\rX: a\r\n\r\n", "400"},
      {std::string_view("GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 35), "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: a\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: a\x01z\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
      {"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505"},
      {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", "501"},
      {"\x16\x03\x01\x02", "400"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
  };
  with_server(reactor, handler, {}, [&](hs::Server&, int port) -> Task<void> {
    for (const Bad& each : bad) {
      INFO(each.request);
      was_handled = false;
      RawClient client(reactor, port);
      co_await client.send(each.request);
      co_await client.send(kGet);  // smuggled
      const std::string all = co_await client.read_to_end();
      CHECK(status_of(all) == each.status);
      CHECK(all.find("\nHTTP/1.1 ") == std::string::npos);
      CHECK(all.find("Connection: close") != std::string::npos);
      CHECK_FALSE(was_handled);
    }
  });
}

TEST_CASE("heads and bodies are bounded") {
  ON_EACH_PORT(reactor);
  hs::ServerOptions options;
  options.limits.head_bytes_max = 1000;
  options.limits.headers_max = 20;
  options.limits.body_bytes_max = 100;
  with_server(reactor, echo, options, [&](hs::Server&, int port) -> Task<void> {
    const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
    std::string status =
        co_await status_for(reactor, port, start + "X: " + std::string(1000, 'x') + "\r\n\r\n");
    CHECK(status == "431");
    status = co_await status_for(reactor, port, "GET /" + std::string(70'000, 'x'));
    CHECK(status == "431");
    std::string many = start;
    for (int i = 0; i < 30; ++i) many += "X: y\r\n";
    status = co_await status_for(reactor, port, many + "\r\n");
    CHECK(status == "431");
    status = co_await status_for(reactor, port, start + "Content-Length: 101\r\n\r\n");
    CHECK(status == "413");
    status =
        co_await status_for(reactor, port, start + "Content-Length: 999999999999999999\r\n\r\n");
    CHECK(status == "413");
    const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n";
    status = co_await status_for(reactor, port, chunked + "65\r\n" + std::string(101, 'x'));
    CHECK(status == "413");
    // Extensions and trailers are bytes that nobody needs.
    status = co_await status_for(reactor, port,
                                 chunked + "1;" + std::string(2000, 'x') + "\r\nx\r\n0\r\n\r\n");
    CHECK(status == "431");
    status = co_await status_for(reactor, port,
                                 chunked + "0\r\nT: " + std::string(2000, 'x') + "\r\n\r\n");
    CHECK(status == "431");
  });
}

TEST_CASE("who sends too slowly loses the connection, and the others do not") {
  ON_EACH_PORT(reactor);
  hs::ServerOptions options;
  options.head_timeout = 50ms;
  options.stall_timeout = 50ms;
  options.idle_timeout = 60ms;
  with_server(reactor, echo, options, [&](hs::Server& server, int port) -> Task<void> {
    RawClient silent(reactor, port);
    RawClient dripping(reactor, port);
    RawClient stalling(reactor, port);
    co_await stalling.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo");
    // A byte at a time would go on for ever if each one counted as progress.
    co_await dripping.send("GET / HTTP/1.1\r\n");
    bool is_dripping = true;
    TaskGroup group;
    const auto drip = [&]() -> Task<void> {
      while (is_dripping) {
        try {
          co_await dripping.send("X: y\r\n");
        } catch (const Error&) {
          co_return;
        }
        co_await reactor.sleep_until(reactor.now() + 5ms);
      }
    };
    group.spawn(drip());
    const std::string dripped = co_await dripping.read_to_end();
    is_dripping = false;
    co_await group.drain();
    CHECK(dripped.empty());
    const std::string stalled = co_await stalling.read_to_end();
    CHECK(stalled.empty());
    const std::string idle = co_await silent.read_to_end();
    CHECK(idle.empty());
    const std::string status = co_await status_for(reactor, port, kGet);
    CHECK(status == "200");
    static_cast<void>(server);
  });
}

TEST_CASE("beyond the bound of connections others wait until one ends") {
  ON_EACH_PORT(reactor);
  hs::ServerOptions options;
  options.connections_max = 2;
  with_server(reactor, echo, options, [&](hs::Server& server, int port) -> Task<void> {
    RawClient one(reactor, port);
    RawClient two(reactor, port);
    co_await one.send(kGet);
    const std::string first = co_await one.read_response();
    co_await two.send(kGet);
    const std::string second = co_await two.read_response();
    RawClient three(reactor, port);  // in the kernel's queue
    co_await three.send(kGet);
    for (int i = 0; i < 10; ++i) co_await reactor.nop();
    CHECK(server.connections() == 2);
    one.close();
    const std::string third = co_await three.read_response();
    CHECK(status_of(third) == "200");
  });
}

TEST_CASE("a handler that throws is 500 without a word of why, and the connection goes on") {
  ON_EACH_PORT(reactor);
  const auto throwing = [](hs::Request& request, Wait wait) -> Task<hs::Response> {
    const bool throws = request.target == "/throw";
    if (throws) throw Error(ErrorKind::bug, "test", "secret", "the password is swordfish");
    co_return co_await echo(request, wait);
  };
  with_server(reactor, throwing, {}, [&](hs::Server&, int port) -> Task<void> {
    RawClient client(reactor, port);
    co_await client.send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string failed = co_await client.read_response();
    CHECK(status_of(failed) == "500");
    CHECK(failed.find("swordfish") == std::string::npos);
    co_await client.send(kGet);
    const std::string response = co_await client.read_response();
    CHECK(status_of(response) == "200");
  });
}

TEST_CASE("a header of a response cannot forge another one") {
  ON_EACH_PORT(reactor);
  const auto forging = [](hs::Request&, Wait) -> Task<hs::Response> {
    hs::Response response;
    response.headers.push_back({"X-Bad", "a\r\nSet-Cookie: b"});
    response.headers.push_back({"X-Good", "c"});
    co_return response;
  };
  with_server(reactor, forging, {}, [&](hs::Server&, int port) -> Task<void> {
    RawClient client(reactor, port);
    co_await client.send(kGet);
    const std::string response = co_await client.read_response();
    CHECK(response.find("Set-Cookie") == std::string::npos);
    CHECK(response.find("X-Good: c") != std::string::npos);
  });
}

TEST_CASE("a client that goes away before its response is no error") {
  ON_EACH_PORT(reactor);
  Event go_on(reactor);
  Event began(reactor);
  bool ended = false;
  const auto waiting = [&](hs::Request&, Wait) -> Task<hs::Response> {
    began.set();
    co_await go_on.wait();
    ended = true;
    hs::Response response;
    response.body.assign(1'000'000, 'x');
    co_return response;
  };
  with_server(reactor, waiting, {}, [&](hs::Server& server, int port) -> Task<void> {
    RawClient client(reactor, port);
    co_await client.send(kGet);
    co_await began.wait();
    client.close();
    go_on.set();
    while (server.connections() > 0) co_await reactor.yield();
    CHECK(ended);
  });
}

TEST_CASE("closing ends idle connections at once and lets running requests finish") {
  ON_EACH_PORT(reactor);
  Event go_on(reactor);
  Event began(reactor);
  const auto waiting = [&](hs::Request& request, Wait wait) -> Task<hs::Response> {
    began.set();
    co_await go_on.wait(wait);
    co_return co_await echo(request, wait);
  };
  hs::Server server(reactor, waiting, {});
  const int port = server.listen_tcp("127.0.0.1", 0);
  const auto body = [&]() -> Task<void> {
    RawClient idle(reactor, port);
    RawClient busy(reactor, port);
    co_await busy.send(kGet);
    co_await began.wait();
    TaskGroup group;
    group.spawn(server.close(1h));
    const std::string nothing = co_await idle.read_to_end();
    CHECK(nothing.empty());
    go_on.set();
    const std::string response = co_await busy.read_to_end();
    CHECK(status_of(response) == "200");
    CHECK(response.find("Connection: close") != std::string::npos);
    co_await group.drain();
  };
  reactor.run(body());
}

TEST_CASE("when the grace of a close is over handlers are asked to stop") {
  ON_EACH_PORT(reactor);
  Event never(reactor);
  Event began(reactor);
  const auto waiting = [&](hs::Request& request, Wait wait) -> Task<hs::Response> {
    began.set();
    co_await never.wait(wait);
    co_return co_await echo(request, wait);
  };
  hs::Server server(reactor, waiting, {});
  const int port = server.listen_tcp("127.0.0.1", 0);
  const auto body = [&]() -> Task<void> {
    RawClient busy(reactor, port);
    co_await busy.send(kGet);
    co_await began.wait();
    co_await server.close(10ms);
    CHECK(server.connections() == 0);
  };
  reactor.run(body());
}

TEST_CASE("a unix socket is its owner's, replaces a dead one's, and goes when the server closes") {
  ON_EACH_PORT(reactor);
  const Scratch scratch;
  const std::string path = scratch.path() + "/socket";
  const auto body = [&]() -> Task<void> {
    hs::Server server(reactor, echo, {});
    server.listen_unix(path);
    struct stat status {};
    CHECK(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    {
      RawClient client(reactor, path);
      co_await client.send(kGet);
      const std::string response = co_await client.read_response();
      CHECK(body_of_response(response) == "GET / ");
      hs::Server other(reactor, echo, {});
      CHECK_THROWS_AS(other.listen_unix(path), Error);
      co_await other.close(0ms);
    }
    co_await server.close(0ms);
    CHECK(::stat(path.c_str(), &status) != 0);
  };
  reactor.run(body());
  {
    // As a process leaves it that was killed.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    const Descriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    REQUIRE(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  reactor.run(body());
}

TEST_CASE("an address that cannot be listened on is told by its name") {
  ON_EACH_PORT(reactor);
  hs::Server server(reactor, echo, {});
  const int port = server.listen_tcp("127.0.0.1", 0);
  hs::Server other(reactor, echo, {});
  const auto kind_for = [&](const std::string& host, int wanted) {
    try {
      other.listen_tcp(host, wanted);
    } catch (const Error& error) {
      CHECK(error.message().find(std::to_string(wanted)) != std::string::npos);
      return error.kind();
    }
    return ErrorKind::bug;
  };
  CHECK(kind_for("127.0.0.1", port) == ErrorKind::conflict);
  CHECK(kind_for("127.0.0.1", 65536) == ErrorKind::invalid);
  CHECK_THROWS_AS(other.listen_tcp("localhost", 0), Error);
  const auto end = [&]() -> Task<void> {
    co_await other.close(0ms);
    co_await server.close(0ms);
  };
  reactor.run(end());
}
