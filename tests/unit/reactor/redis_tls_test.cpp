// Redis by TLS: the peer's certificate must be trusted, and be the host's.
#include <array>
#include <cstdlib>
#include <fstream>

#include "reactor/redis/client.hpp"
#include "support/redis_server.hpp"

using namespace unum;
using namespace unum::redis;
using unum::test::RedisServer;

namespace {

/// A CA of the test's own and a certificate of it for "localhost" and 127.0.0.1.
struct Certificates {
  test::Scratch scratch;
  std::string ca = scratch / "ca.pem";
  std::string key = scratch / "key.pem";
  std::string certificate = scratch / "cert.pem";

  Certificates() {
    const std::string in = "cd '" + scratch.path() + "' && ";
    std::ofstream(scratch / "names") << "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    run(in +
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 "
        "-subj '/CN=tests of unum' -addext basicConstraints=critical,CA:TRUE");
    run(in +
        "openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem "
        "-subj /CN=localhost");
    run(in +
        "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial "
        "-out cert.pem -days 2 -extfile names");
  }
  static void run(const std::string& command) {
    REQUIRE(std::system((command + " >/dev/null 2>&1").c_str()) == 0);
  }
};

Error failure_of(Reactor& reactor, const std::string& address) {
  Client client(reactor, parse_address(address));
  try {
    reactor.run(client.open());
  } catch (const Error& error) {
    return error;
  }
  FAIL("opened " << address);
  throw Error(ErrorKind::bug, "test", "none", "unreachable");
}

}  // namespace

#ifdef UNUM_REDIS_TLS

TEST_CASE("a server is spoken to by TLS when it is who it should be", "[redis]") {
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing());
  if (std::system("command -v openssl >/dev/null 2>&1") != 0) UNUM_SKIP("openssl is not installed");
  ON_EACH_PORT(reactor);
  const Certificates made;
  const std::string port = std::to_string(test::free_port());
  RedisServer server(reactor, {"--tls-port", port, "--tls-cert-file", made.certificate,
                               "--tls-key-file", made.key, "--tls-ca-cert-file", made.ca,
                               "--tls-auth-clients", "no", "--requirepass", "secret"});
  const std::string trusting = "?ca=" + made.ca;
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    Client client(reactor, parse_address("rediss://:secret@" + host + ":" + port + trusting));
    reactor.run(client.open());
    // Both directions carry more than a record, and more than a socket's buffer.
    const std::string value(8u * 1024 * 1024, 'v');
    const std::array<std::string_view, 3> set{"SET", "key", value};
    const std::array<std::string_view, 2> get{"GET", "key"};
    CHECK(reactor.run(Task<Reply>(client.call("key", set))).text == "OK");
    CHECK((reactor.run(Task<Reply>(client.call("key", get))).text == value));
    const std::size_t count = 2'000;
    const auto one = [&](std::size_t i) -> Task<void> {
      const std::string text = std::to_string(i);
      const std::array<std::string_view, 2> echo{"ECHO", text};
      const Reply reply = co_await client.call({}, echo);
      if (reply.text != text) throw Error(ErrorKind::bug, "test", "order", reply.text);
    };
    const auto all = [&]() -> Task<void> { co_await for_each_bounded(count, count, one); };
    reactor.run(all());
    CHECK(client.counters().connections == 1);
  }
  const Error untrusted = failure_of(reactor, "rediss://:secret@localhost:" + port);
  CHECK(untrusted.kind() == ErrorKind::denied);
  CHECK(untrusted.code() == "Unum.TlsNotTrusted");
  const Error other = failure_of(reactor, "rediss://:secret@127.0.0.2:" + port + trusting);
  CHECK(other.kind() == ErrorKind::disconnected);  // it listens on 127.0.0.1 only
  const Error plain = failure_of(reactor, "rediss://:secret@" + server.address() + trusting);
  CHECK(plain.origin() == "redis");
  CHECK(plain.message().find("TLS") != std::string::npos);
  const Error no_file = failure_of(reactor, "rediss://localhost:" + port + "?ca=/nowhere.pem");
  CHECK(no_file.kind() == ErrorKind::invalid);
  CHECK(no_file.message().find("/nowhere.pem") != std::string::npos);
}

TEST_CASE("a trusted certificate of another host is refused", "[redis]") {
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing());
  if (std::system("command -v openssl >/dev/null 2>&1") != 0) UNUM_SKIP("openssl is not installed");
  ON_EACH_PORT(reactor);
  const Certificates made;
  const std::string port = std::to_string(test::free_port());
  RedisServer server(reactor, {"--bind", "127.0.0.1", "127.0.0.2", "--tls-port", port,
                               "--tls-cert-file", made.certificate, "--tls-key-file", made.key,
                               "--tls-ca-cert-file", made.ca, "--tls-auth-clients", "no"});
  const Error other = failure_of(reactor, "rediss://127.0.0.2:" + port + "?ca=" + made.ca);
  CHECK(other.kind() == ErrorKind::denied);
  CHECK(other.code() == "Unum.TlsNotTrusted");
  CHECK(other.message().find("127.0.0.2") != std::string::npos);
}

#else

TEST_CASE("a build without TLS says so when it is asked for it", "[redis]") {
  ON_EACH_PORT(reactor);
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing());
  RedisServer server(reactor);
  const Error error = failure_of(reactor, "rediss://" + server.address());
  CHECK(error.kind() == ErrorKind::invalid);
  CHECK(error.code() == "Unum.NoTls");
  CHECK(error.message().find("needs TLS") != std::string::npos);
}

#endif
