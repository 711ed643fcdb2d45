// Listening, accepting, and the end.
#include "reactor/http_server/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "reactor/descriptor_limit.hpp"
#include "reactor/http_server/connection.hpp"
#include "unum/error.hpp"

namespace unum::http_server {
namespace {

constexpr int kBacklog = 1024;
/// Of an acceptor whom the kernel refuses a descriptor or memory.
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};

Error refused(ErrorKind kind, std::string_view code, std::string text) {
  return Error(kind, "http", code, std::move(text));
}

union Address {
  sockaddr_in6 v6;  // the largest comes first: it is the one that {} clears
  sockaddr_in v4;
  sockaddr any;
};

Descriptor socket_of(int family) {
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw system_error("http", errno, "a socket");
  return socket;
}

/// Whether somebody accepts connections at the path.
bool is_alive(const sockaddr_un& address) {
  const Descriptor probe = socket_of(AF_UNIX);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno == EAGAIN;
}

/// Removes the socket that a process left which did not end well.
void remove_dead_socket(const sockaddr_un& address, const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) {
    throw refused(ErrorKind::conflict, "EEXIST", path + " exists and is not a socket");
  }
  if (is_alive(address)) {
    throw refused(ErrorKind::conflict, "EADDRINUSE", "another process listens on " + path);
  }
  ::unlink(path.c_str());
}

}  // namespace

Server::Server(Reactor& reactor, Handler handler, ServerOptions options)
    : reactor_(reactor), handler_(std::move(handler)), options_(options) {
  options_.connections_max =
      std::max<std::size_t>(1, std::min(options_.connections_max, descriptors_max() / 4));
}

Server::~Server() { UNUM_ASSERT(listeners_.empty()); }

int Server::listen_tcp(const std::string& host, int port) {
  Address address{};
  const bool is_v4 = ::inet_pton(AF_INET, host.c_str(), &address.v4.sin_addr) == 1;
  if (port < 0 || port > 65535) {
    throw refused(ErrorKind::invalid, "port",
                  "port " + std::to_string(port) + ": a port is a number from 0 to 65535");
  }
  if (is_v4) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = ::htons(static_cast<std::uint16_t>(port));
  } else if (::inet_pton(AF_INET6, host.c_str(), &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = ::htons(static_cast<std::uint16_t>(port));
  } else {
    throw refused(ErrorKind::invalid, "address",
                  host + " is not an address to listen on; write it in numbers, 127.0.0.1 or ::1");
  }
  Descriptor socket = socket_of(is_v4 ? AF_INET : AF_INET6);
  const int on = 1;
  // The last owner's closed connections are no reason to wait.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int fd = socket.get();
  listen(std::move(socket), &address, is_v4 ? sizeof address.v4 : sizeof address.v6,
         host + " port " + std::to_string(port), {});
  socklen_t size = sizeof address;
  if (::getsockname(fd, &address.any, &size) != 0) throw system_error("http", errno, "getsockname");
  return ::ntohs(is_v4 ? address.v4.sin_port : address.v6.sin6_port);
}

void Server::listen_unix(const std::string& path, unsigned mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw refused(ErrorKind::invalid, "path",
                  "the socket's path " + path + " has more than the " +
                      std::to_string(sizeof address.sun_path - 1) + " bytes that one may have");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  remove_dead_socket(address, path);
  Descriptor socket = socket_of(AF_UNIX);
  ::fchmod(socket.get(), mode);  // before others can connect, where the system heeds it
  listen(std::move(socket), &address, sizeof address, path, path);
  ::chmod(path.c_str(), mode);
}

void Server::listen(Descriptor socket, const void* address, std::size_t size,
                    const std::string& name, std::string path) {
  const auto* raw = static_cast<const sockaddr*>(address);
  if (::bind(socket.get(), raw, static_cast<socklen_t>(size)) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    const Error error = system_error("http", errno, "listening on " + name);
    throw refused(errno == EADDRINUSE ? ErrorKind::conflict : error.kind(), error.code(),
                  error.message());
  }
  const int fd = socket.get();
  listeners_.push_back(Listener{std::move(socket), std::move(path)});
  acceptors_.spawn(accept_all(fd));
}

Task<void> Server::accept_all(int listener) {
  const Wait until_closing{kNoDeadline, closing_.token()};
  while (!closing_.requested()) {
    if (connections_.running() >= options_.connections_max) {
      const int woken = co_await ended_.wait(reactor_, until_closing);
      if (woken < 0) co_return;
      continue;
    }
    Descriptor socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket) {
      const int on = 1;
      // Fails on a unix socket, which does not need it.
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_.spawn(serve(std::move(socket)));
      continue;
    }
    const int why = errno;
    if (why == EAGAIN || why == EWOULDBLOCK) {
      const int ready = co_await reactor_.poll(listener, POLLIN, until_closing);
      if (ready == -ECANCELED) co_return;
      if (ready >= 0) continue;
    }
    // A connection that ended while it waited is none; a lack of anything passes.
    if (why == ECONNABORTED || why == EINTR) continue;
    co_await reactor_.sleep_until(reactor_.now() + kPauseWithoutDescriptors, closing_.token());
  }
}

Task<void> Server::serve(Descriptor socket) {
  try {
    Connection connection(*this, std::move(socket));
    co_await connection.run();
  } catch (const std::exception&) {
    // Of memory: this connection ends, the others go on.
  }
  ended_.wake_one();
}

Task<void> Server::end_after(Deadline when, StopToken ended) {
  const bool is_late = co_await reactor_.sleep_until(when, ended);
  if (is_late) stopping_.request("the server is closing");
}

Task<void> Server::close(std::chrono::milliseconds grace) {
  closing_.request("the server is closing");
  co_await acceptors_.drain();
  for (const Listener& listener : listeners_) {
    if (!listener.path.empty()) ::unlink(listener.path.c_str());
  }
  listeners_.clear();
  StopSource ended;
  TaskGroup timer;
  timer.spawn(end_after(reactor_.now() + grace, ended.token()));
  std::exception_ptr failed;
  try {
    co_await connections_.drain();
  } catch (...) {
    failed = std::current_exception();
  }
  ended.request("all connections have ended");
  co_await timer.drain();
  if (failed) std::rethrow_exception(failed);
}

/// One text a second.
const std::string& Server::date() {
  const std::time_t second = std::chrono::system_clock::to_time_t(reactor_.wall_time());
  if (second == date_second_) return date_;
  std::tm parts{};
  ::gmtime_r(&second, &parts);
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %d %02d:%02d:%02d GMT",
                                 kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                                 kMonths[static_cast<std::size_t>(parts.tm_mon)],
                                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  date_.assign(text.data(), static_cast<std::size_t>(size));
  date_second_ = second;
  return date_;
}

}  // namespace unum::http_server
