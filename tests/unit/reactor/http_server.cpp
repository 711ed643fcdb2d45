// The tests' HTTP server: sockets, and the little of HTTP/1.1 that scripts need.
#include "http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <span>

namespace unum::test {
namespace {

constexpr int kBacklog = 1024;

std::string_view value_in(std::string_view request, std::string_view name) {
  std::size_t at = request.find("\r\n");
  while (at != std::string_view::npos) {
    std::string_view line = request.substr(at + 2);
    const std::size_t end = line.find("\r\n");
    line = line.substr(0, end);
    if (line.empty()) break;
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.data(), name.data(), name.size()) == 0) {
      line.remove_prefix(name.size() + 1);
      while (line.starts_with(' ')) line.remove_prefix(1);
      return line;
    }
    at = request.find("\r\n", at + 2);
  }
  return {};
}

/// Whatever proxies and CAs this machine has, tests name their own.
const bool environment_is_plain = [] {
  for (const char* name :
       {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
        "NO_PROXY", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
    ::unsetenv(name);
  }
  return true;
}();

}  // namespace

std::string first_line(std::string_view request) {
  return std::string(request.substr(0, request.find("\r\n")));
}
std::string header_of(std::string_view request, std::string_view name) {
  return std::string(value_in(request, name));
}
std::string body_of(std::string_view request) {
  return std::string(request.substr(request.find("\r\n\r\n") + 4));
}

// --- A connection -----------------------------------------------------------------------------

Task<bool> Peer::read_more() {
  std::array<char, 16 * 1024> buffer;
  const int count = co_await reactor_.stream_read(
      socket_.get(), std::as_writable_bytes(std::span(buffer)), Wait{kNoDeadline, stop_});
  if (count <= 0) co_return false;
  unread_.append(buffer.data(), static_cast<std::size_t>(count));
  co_return true;
}

Task<std::optional<std::string>> Peer::read_header() {
  while (unread_.find("\r\n\r\n") == std::string::npos) {
    const bool more = co_await read_more();
    if (!more) co_return std::nullopt;
  }
  const std::size_t end = unread_.find("\r\n\r\n") + 4;
  std::string header = unread_.substr(0, end);
  unread_.erase(0, end);
  co_return header;
}

Task<std::optional<std::string>> Peer::read_request() {
  std::optional<std::string> request = co_await read_header();
  if (!request) co_return std::nullopt;
  const std::string announced = header_of(*request, "content-length");
  const std::size_t length = announced.empty() ? 0 : std::stoul(announced);
  while (unread_.size() < length) {
    const bool more = co_await read_more();
    if (!more) co_return std::nullopt;
  }
  request->append(unread_, 0, length);
  unread_.erase(0, length);
  co_return request;
}

Task<void> Peer::until_gone() {
  while (true) {
    unread_.clear();
    const bool more = co_await read_more();
    if (!more) co_return;
  }
}

Task<bool> Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const int count = co_await reactor_.stream_write(socket_.get(), std::as_bytes(std::span(bytes)),
                                                     Wait{kNoDeadline, stop_});
    if (count < 0) co_return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  co_return true;
}

Task<bool> Peer::answer(std::string_view status, std::string_view body, std::string_view headers) {
  std::string text = "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: ";
  text.append(std::to_string(body.size())).append("\r\n").append(headers).append("\r\n");
  text.append(body);
  co_return co_await send(text);
}

void Peer::reset() {
  const linger abort{1, 0};
  UNUM_ASSERT(::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0);
  socket_.reset();
}

void Peer::half_close() { UNUM_ASSERT(::shutdown(socket_.get(), SHUT_WR) == 0); }

// --- The server -------------------------------------------------------------------------------

Server::Server(Reactor& reactor, Script script, const std::string& path)
    : reactor_(reactor), script_(std::move(script)) {
  const int family = path.empty() ? AF_INET : AF_UNIX;
  listener_ = Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  UNUM_ASSERT(static_cast<bool>(listener_));
  if (path.empty()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    UNUM_ASSERT(::bind(listener_.get(), raw, sizeof address) == 0);
    socklen_t size = sizeof address;
    UNUM_ASSERT(::getsockname(listener_.get(), raw, &size) == 0);
    port_ = ::ntohs(address.sin_port);
  } else {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    UNUM_ASSERT(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    UNUM_ASSERT(::bind(listener_.get(), raw, sizeof address) == 0);
  }
  UNUM_ASSERT(::listen(listener_.get(), kBacklog) == 0);
  origin_ = "http://127.0.0.1:" + std::to_string(port_);
  group_.spawn(accept_all());
}

Task<void> Server::accept_all() {
  while (true) {
    const int ready =
        co_await reactor_.poll(listener_.get(), POLLIN, Wait{kNoDeadline, stop_.token()});
    if (ready < 0) co_return;
    while (true) {
      Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) break;
      ++open_;
      group_.spawn(serve(std::move(socket)));
    }
  }
}

Task<void> Server::serve(Descriptor socket) {
  {
    Peer peer(reactor_, std::move(socket), stop_.token(), accepted_++);
    co_await script_(peer);
  }
  --open_;
  closed_.wake_all();
}

Task<void> Server::until_none_is_open() {
  while (open_ > 0) co_await closed_.wait(reactor_, Wait{});
}

Task<void> Server::stop() {
  stop_.request("the test is over");
  co_await group_.drain();
}

Server::Script answers(std::string body) {
  return [body = std::move(body)](Peer& peer) -> Task<void> {
    while (true) {
      const std::optional<std::string> request = co_await peer.read_request();
      if (!request) co_return;
      const bool sent = co_await peer.answer("200 OK", body);
      if (!sent) co_return;
    }
  };
}

Task<Failure> failure_of(Task<http::Response> sending) {
  try {
    const http::Response response = co_await std::move(sending);
    co_return Failure{};
  } catch (const Error& error) {
    co_return Failure{error.kind(), error.code(), error.message(), http::may_have_been_sent(error)};
  }
}

}  // namespace unum::test
