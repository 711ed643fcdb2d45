// Peers behind TLS, proxies, unix sockets and names; HTTP/2.
#include <dlfcn.h>
#include <netdb.h>

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "http_names.hpp"
#include "http_server.hpp"
#include "reactor/files.hpp"
#include "reactor/process.hpp"

using namespace unum;
using namespace unum::test;
using http::Method;

namespace {

struct Resolver {
  std::mutex mutex;
  std::condition_variable released;
  bool hanging = false;
  int asked = 0;
};
Resolver& resolver() {
  static Resolver one;
  return one;
}

}  // namespace

/// In place of the C library's, for libcurl's threads, too.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view name(node != nullptr ? node : "");
  if (name == "nowhere.test") return EAI_NONAME;
  if (name == HangingName::kName) {
    std::unique_lock lock(resolver().mutex);
    ++resolver().asked;
    resolver().released.wait(lock, [] { return !resolver().hanging; });
    return EAI_AGAIN;
  }
  return real(node, service, hints, result);
}

namespace unum::test {
HangingName::HangingName() {
  const std::lock_guard lock(resolver().mutex);
  resolver().hanging = true;
  resolver().asked = 0;
}
HangingName::~HangingName() {
  {
    const std::lock_guard lock(resolver().mutex);
    resolver().hanging = false;
  }
  resolver().released.notify_all();
}
bool HangingName::is_asked() const {
  const std::lock_guard lock(resolver().mutex);
  return resolver().asked > 0;
}
}  // namespace unum::test

namespace {

/// Sets a variable, and takes it away again.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

/// A CA and a certificate that it signed for 127.0.0.1, made once a run.
struct Certificates {
  Scratch scratch;
  std::string ca = scratch / "ca.pem";
  std::string certificate = scratch / "server.pem";
  std::string key = scratch / "server.key";

  static const Certificates& get() {
    static const Certificates made;
    return made;
  }

 private:
  Certificates() {
    const std::string ec = " -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run("req -x509 -days 2 -subj /CN=unum-test-ca" + ec + " -keyout " + scratch / "ca.key" +
        " -out " + ca);
    run("req -subj /CN=server -addext subjectAltName=IP:127.0.0.1" + ec + " -keyout " + key +
        " -out " + scratch / "server.csr");
    run("x509 -req -days 2 -copy_extensions copy -CAcreateserial -CA " + ca + " -CAkey " +
        scratch / "ca.key" + " -in " + scratch / "server.csr" + " -out " + certificate);
  }
  static void run(const std::string& arguments) {
    const std::string command = "openssl " + arguments + " >/dev/null 2>&1";
    UNUM_ASSERT(std::system(command.c_str()) == 0);
  }
};

/// `openssl s_server`, which tells about the connection to whoever asks.
class TlsServer {
 public:
  explicit TlsServer(Reactor& reactor) : reactor_(reactor) {
    int ends[2];
    UNUM_ASSERT(::pipe2(ends, O_CLOEXEC) == 0);
    output_ = Descriptor(ends[0]);
    const Descriptor theirs(ends[1]);
    const Certificates& files = Certificates::get();
    SpawnOptions options;
    options.argv = {"openssl", "s_server",        "-accept", "127.0.0.1:0", "-www",
                    "-cert",   files.certificate, "-key",    files.key};
    options.descriptors = {{1, theirs.get()}};
    process_ = Process::spawn(options);
    reactor.prepare_stream(output_.get());
  }
  ~TlsServer() { process_.end_now(); }

  /// "https://127.0.0.1:PORT", once it listens.
  Task<std::string> origin() {
    std::string told;
    const std::string before_port = "ACCEPT 127.0.0.1:";
    std::array<char, 1024> buffer;
    while (told.find(before_port) == std::string::npos ||
           told.find('\n', told.find(before_port)) == std::string::npos) {
      const int count = co_await reactor_.stream_read(
          output_.get(), std::as_writable_bytes(std::span(buffer)), Wait{far_away(), {}});
      UNUM_ASSERT(count > 0);
      told.append(buffer.data(), static_cast<std::size_t>(count));
    }
    const std::size_t at = told.find(before_port) + before_port.size();
    co_return "https://127.0.0.1:" + told.substr(at, told.find('\n', at) - at);
  }

 private:
  Reactor& reactor_;
  Descriptor output_;
  Process process_;
};

/// Sends one GET and closes the client.
Task<std::string> body_or_error(Reactor& reactor, const http::ClientOptions& options,
                                std::string origin) {
  http::Client client(reactor, options);
  const http::Request request{.origin = origin, .target = "/"};
  std::string result;
  try {
    http::Response response = co_await client.send(request, Wait{far_away(), {}});
    result = std::move(response.body);
  } catch (const http::SendError& error) {
    CHECK(!error.may_have_been_sent());
    result = std::string(to_string(error.kind())) + " " + error.code();
  }
  co_await client.close();
  co_return result;
}

}  // namespace

TEST_CASE("a TLS peer is trusted by the CA that was named, and no other way", "[http]") {
  ON_EACH_PORT(reactor);
  TlsServer server(reactor);
  const auto body = [&]() -> Task<void> {
    const std::string origin = co_await server.origin();
    const std::string other_name = "https://localhost" + origin.substr(origin.rfind(':'));
    const std::string untrusted = "denied CURLE_PEER_FAILED_VERIFICATION";
    http::ClientOptions plain;
    http::ClientOptions named;
    named.ca_bundle = Certificates::get().ca;
    const std::string by_option = co_await body_or_error(reactor, named, origin);
    CHECK(by_option.find("Cipher is") != std::string::npos);
    const std::string of_system = co_await body_or_error(reactor, plain, origin);
    CHECK(of_system == untrusted);
    const std::string wrong_name = co_await body_or_error(reactor, named, other_name);
    CHECK(wrong_name == untrusted);
    for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
      const Variable variable(name, Certificates::get().ca);
      const std::string by_variable = co_await body_or_error(reactor, plain, origin);
      CHECK(by_variable.find("Cipher is") != std::string::npos);
    }
    const Variable empty("SSL_CERT_DIR", Certificates::get().scratch.path());
    const std::string by_directory = co_await body_or_error(reactor, plain, origin);
    CHECK(by_directory == untrusted);  // nothing there is named by its hash
  };
  reactor.run(body());
}

TEST_CASE("a TLS session is used again by another handle", "[http]") {
  ON_EACH_PORT(reactor);
  TlsServer server(reactor);
  http::ClientOptions options;
  options.ca_bundle = Certificates::get().ca;
  http::Client client(reactor, options);
  const auto body = [&]() -> Task<void> {
    const std::string origin = co_await server.origin();
    const http::Request request{.origin = origin, .target = "/"};
    const http::Response first = co_await client.send(request);
    CHECK(first.body.find("\nNew, TLS") != std::string::npos);
    // In turn: a ticket is good for one connection, and each brings the next.
    for (int i = 0; i < 3; ++i) {
      const http::Response next = co_await client.send(request);
      CHECK(next.body.find("\nReused, TLS") != std::string::npos);
    }
    CHECK(client.counters().connections == 4);
    co_await client.close();
  };
  reactor.run(body());
}

TEST_CASE("a bundle that cannot be read is told at once, by who named it", "[http]") {
  ON_EACH_PORT(reactor);
  http::ClientOptions options;
  options.ca_bundle = "/nonexistent/ca.pem";
  const auto make = [&] { const http::Client client(reactor, options); };
  CHECK_THROWS_WITH(make(), ContainsSubstring("option ca_bundle names \"/nonexistent/ca.pem\""));
  options.ca_bundle.clear();
  const Variable variable("CURL_CA_BUNDLE", "/nonexistent/other.pem");
  CHECK_THROWS_WITH(make(), ContainsSubstring("CURL_CA_BUNDLE names \"/nonexistent/other.pem\""));
}

TEST_CASE("HTTP/2 where the peer speaks it: one connection carries all", "[http]") {
  ON_EACH_PORT(reactor);
  const char* origin = std::getenv("UNUM_TEST_HTTPS");
  const char* ca = std::getenv("UNUM_TEST_CA");
  if (origin == nullptr || ca == nullptr) UNUM_SKIP("UNUM_TEST_HTTPS and UNUM_TEST_CA are not set");
  http::ClientOptions options;
  options.ca_bundle = ca;
  http::Client client(reactor, options);
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      const Method method = i % 2 == 0 ? Method::get : Method::head;
      const http::Request request{.method = method, .origin = origin, .target = "/1k"};
      const http::Response response = co_await client.send(request, Wait{far_away(), {}});
      CHECK(response.status == 200);
      CHECK(response.body.size() == (method == Method::get ? 1024 : 0));
    };
    co_await one(0);
    co_await for_each_bounded(300, 300, one);
    CHECK(client.counters().connections == 1);
    CHECK(client.counters().requests == 301);
    // A stream that is given up does not take the others along.
    TaskGroup others;
    for (std::size_t i = 0; i < 30; ++i) others.spawn(one(i));
    StopSource stop;
    const http::Request request{.origin = origin, .target = "/1k"};
    const auto stopped = [&]() -> Task<void> {
      const Wait wait{kNoDeadline, stop.token()};
      const Failure failure = co_await failure_of(client.send(request, wait));
      CHECK(failure.kind == ErrorKind::cancelled);
    };
    others.spawn(stopped());
    stop.request("not needed");
    co_await others.drain();
    co_await client.close();
  };
  reactor.run(body());
}

TEST_CASE("all requests of a client may go to one unix socket", "[http]") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  std::string seen;
  Server server(
      reactor,
      [&](Peer& peer) -> Task<void> {
        while (const auto request = co_await peer.read_request()) {
          seen = header_of(*request, "host");
          co_await peer.answer("200 OK", "by unix");
        }
      },
      scratch / "socket");
  const Variable proxy("http_proxy", "http://127.0.0.1:1");  // not asked
  http::ClientOptions options;
  options.unix_socket = scratch / "socket";
  http::Client client(reactor, options);
  const auto body = [&]() -> Task<void> {
    const http::Request request{.origin = "http://container.test", .target = "/x"};
    for (int i = 0; i < 3; ++i) {
      const http::Response response = co_await client.send(request);
      CHECK(response.body == "by unix");
    }
    CHECK(seen == "container.test");
    CHECK(server.accepted() == 1);
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a name that does not exist, and one whose resolver does not answer", "[http]") {
  ON_EACH_PORT(reactor);
  HangingName hanging;
  Server server(reactor, answers("still here"));
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request nowhere{.origin = "http://nowhere.test", .target = "/"};
    const Failure failure = co_await failure_of(client.send(nowhere));
    CHECK(failure.kind == ErrorKind::disconnected);
    CHECK(failure.code == "CURLE_COULDNT_RESOLVE_HOST");
    CHECK(failure.message.find("nowhere.test") != std::string::npos);
    CHECK(!failure.may_have_been_sent);
    TaskGroup group;
    const auto hang = [&]() -> Task<void> {
      const http::Request request{.origin = "http://hangs.test", .target = "/"};
      const Failure late = co_await failure_of(client.send(request));
      CHECK(late.kind == ErrorKind::cancelled);
    };
    group.spawn(hang());
    while (!hanging.is_asked()) co_await reactor.yield();
    const http::Request request{.origin = server.origin(), .target = "/"};
    const http::Response response = co_await client.send(request, Wait{far_away(), {}});
    CHECK(response.body == "still here");
    co_await client.close();  // does not wait for the resolver, either
    co_await group.drain();
  };
  with_client(reactor, client, server, body);
}

TEST_CASE("a proxy by the usual variables: plain, by CONNECT, refusing, and not for all",
          "[http]") {
  ON_EACH_PORT(reactor);
  std::string seen;
  Server proxy(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      seen = first_line(*request);
      const bool connect = seen.starts_with("CONNECT ");
      co_await peer.answer(connect ? "403 Forbidden" : "200 OK", connect ? "" : "by proxy");
    }
  });
  Server direct(reactor, answers("directly"));
  const Variable for_http("http_proxy", proxy.origin());
  const Variable for_https("HTTPS_PROXY", proxy.origin());
  const Variable for_none("NO_PROXY", "127.0.0.1,other.test");
  http::Client client(reactor);
  const auto body = [&]() -> Task<void> {
    const http::Request plain{.origin = "http://bucket.test", .target = "/a%20b/../c?x=y"};
    const http::Response by_proxy = co_await client.send(plain);
    CHECK(by_proxy.body == "by proxy");
    CHECK(seen == "GET http://bucket.test/a%20b/../c?x=y HTTP/1.1");
    const http::Request excepted{.origin = direct.origin(), .target = "/x"};
    const http::Response directly = co_await client.send(excepted);
    CHECK(directly.body == "directly");
    const http::Request tls{.origin = "https://bucket.test", .target = "/"};
    const Failure refused = co_await failure_of(client.send(tls));
    CHECK(seen == "CONNECT bucket.test:443 HTTP/1.1");
    CHECK(refused.kind == ErrorKind::disconnected);
    CHECK(!refused.may_have_been_sent);
    co_await direct.stop();
    const Variable nobody("http_proxy", "http://127.0.0.1:1");
    http::Client other(reactor);
    const Failure gone = co_await failure_of(other.send(plain));
    CHECK(gone.kind == ErrorKind::disconnected);
    CHECK(gone.code == "CURLE_COULDNT_CONNECT");
    co_await other.close();
  };
  with_client(reactor, client, proxy, body);
}
