// HTTP on the reactor: libcurl's multi interface, driven by readiness watches and one timer.
//
// One client a process is enough: it keeps handles, connections, resolved names and TLS sessions,
// so that a warm request opens nothing. TLS peers are always verified. HTTP/2 is spoken where the
// peer offers it over TLS, HTTP/1.1 with keep-alive elsewhere. Redirects are not followed: whoever
// signs a request must see them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::http {

enum class Method : std::uint8_t { get, head, put, post, del };
/// "GET", "HEAD", "PUT", "POST", "DELETE".
std::string_view to_string(Method method) noexcept;

/// Takes a response's body piece by piece, as it comes; called from the loop, must not throw.
/// Returning false breaks the transfer off (the task ends in `cancelled`).
using Sink = std::function<bool(std::span<const std::byte>)>;
/// Fills the span with the next bytes of a request's body and returns how many; never 0 before the
/// announced length was given.
using Source = std::function<std::size_t(std::span<std::byte>)>;

/// One request. What the views name must live until the task has ended.
struct Request {
  Method method = Method::get;
  /// "https://host" or "http://host:8080": scheme, host and port, nothing behind them.
  std::string_view origin;
  /// Path and query as they are to be sent, already encoded: "/bucket/key?x=y". Begins with '/'.
  std::string_view target;
  /// Complete header lines, "Name: value", without line ends. Host, Content-Length and the
  /// connection's own are the client's business.
  std::span<const std::string> headers;
  /// Sent with its length; empty: no body (a PUT or POST then announces a length of 0).
  std::string_view body;
  /// Instead of `body`: a source of exactly `source_bytes` bytes. It is read once: such a request
  /// is never sent again by the client itself.
  Source source{};
  std::uint64_t source_bytes = 0;
  /// Where a body of a successful response (2xx) goes instead of `Response::body`.
  Sink sink{};
  /// The response's body is probably longer than 64 KB: it is read in larger pieces.
  bool long_body = false;
  /// The response may come byte by byte, to show that it is still being made: then only silence
  /// counts as a stall.
  bool slow_answer = false;
  /// A longer body is `exhausted`.
  std::size_t body_bytes_max = 0;  ///< 0: kHttpBodyBytesMax.
};

struct Response {
  int status = 0;  ///< The final one: those of 1xx are not told.
  /// The connection, a kept one, was gone, and the request was sent again on another: the first may
  /// have had its effect. A condition that fails ("412") may then have been fulfilled by it.
  bool sent_again = false;
  /// With room for a JSON parser behind its end (kValuePadding).
  std::string body;
  /// The header lines as they came, one a line.
  std::string header_block;
  std::uint64_t body_bytes = 0;  ///< Also what went to a sink.

  /// The value of the first header of that name (in any case), or an empty text. Lives as long as
  /// the response does.
  std::string_view header(std::string_view name) const noexcept;
};

/// What `Client::send` throws for a request that was valid.
class SendError final : public Error {
 public:
  SendError(ErrorKind kind, std::string_view code, std::string message, bool may_have_been_sent)
      : Error(kind, "http", code, std::move(message)), may_have_been_sent_(may_have_been_sent) {}
  /// Whether the request's first byte may have left: false while it waited, resolved or connected.
  bool may_have_been_sent() const noexcept { return may_have_been_sent_; }

 private:
  bool may_have_been_sent_;
};

/// The same of an error of any kind; true for one that is no SendError.
bool may_have_been_sent(const Error& error) noexcept;

struct ClientOptions {
  /// Connections to one origin, and requests under way to all of them. What is beyond waits, first
  /// come, first served, each origin in turn: a slow one keeps no other from being asked. One that
  /// speaks HTTP/2 has 100 requests under way on one connection. Where there are few descriptors a
  /// quarter of them bounds the connections.
  std::size_t connections_per_origin_max = 64;
  std::size_t in_flight_max = 1024;
  /// To resolve, connect and greet by TLS; a deadline that is nearer counts.
  std::chrono::milliseconds connect_timeout{5'000};
  /// A request that was sent and for this long moves not a byte, to the peer or from it, ends in
  /// `timeout`, a quarter of this time later at most; so does one that for three times as long
  /// moves so little (kHttpTrickleBytes in a quarter of this time) that it would never end. 0: only
  /// its deadline ends it.
  std::chrono::milliseconds stall_timeout{0};
  /// File of CA certificates in PEM; empty: CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, else
  /// the system's.
  std::string ca_bundle;
  /// Path of a unix socket that every request goes to, whatever its origin's host; or empty.
  std::string unix_socket;
  /// Whether the proxies that the environment names are used.
  bool proxies = true;
};

/// For tests and benchmarks.
struct ClientCounters {
  std::uint64_t requests = 0;
  std::uint64_t connections = 0;  ///< Opened so far.
};

/// Which proxy the environment names for an origin, for messages: "https_proxy is
/// 127.0.0.1:3128", without user and password; empty for none. (no_proxy is not looked at.)
std::string proxy_setting(std::string_view origin);

class Dispatcher;

class Client {
 public:
  /// Throws `invalid` for a CA bundle that cannot be read.
  explicit Client(Reactor& reactor, const ClientOptions& options = {});
  /// Every task of `send` must have ended: `close` sees to that.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends and gives the response, whatever its status. Throws `invalid` for a request that cannot
  /// be sent as it is, else SendError, with libcurl's symbol as the code ("CURLE_COULDNT_CONNECT"):
  ///   `timeout`       the wait's deadline passed, or connecting took longer than the option says;
  ///   `cancelled`     a stop was requested, the sink broke off, or the client was closed;
  ///   `disconnected`  refused, reset, cut in the middle, a name that does not resolve, a proxy
  ///   that
  ///                   refuses. `may_have_been_sent` tells the two halves of it apart;
  ///   `denied`        the peer's certificate is not trusted or is another host's;
  ///   `corrupt`       what came is not HTTP;
  ///   `exhausted`     the body is longer than it may be, or the process is out of memory.
  /// Whether the effect of a request took place after any of these is unknown to the client.
  /// A kept connection that turns out to be gone before anything of a response came is no error:
  /// the request is sent once more, on another one (`Response::sent_again`).
  Task<Response> send(Request request, Wait wait = {});

  /// Ends what is under way (with `cancelled`) and closes the connections.
  Task<void> close();

  ClientCounters counters() const noexcept;
  const ClientOptions& options() const noexcept;

 private:
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace unum::http
