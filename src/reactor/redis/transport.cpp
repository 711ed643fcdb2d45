// Resolving and connecting without ever blocking the loop.
#include "reactor/redis/transport.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include "unum/error.hpp"

namespace unum::redis {
namespace {

// A peer that vanished without a word is given up on after about this long (milliseconds of
// unacknowledged data; seconds of silence, and between probes).
constexpr int kUserTimeoutMs = 15'000;
constexpr int kKeepIdleSeconds = 15;
constexpr int kKeepProbes = 3;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// Resolutions that hang at once: each is a thread that a silent name server holds.
constexpr int kResolutionsMax = 8;
std::atomic<int> resolutions{0};

/// What a thread of its own does: getaddrinfo knows no deadline, and a helper thread of the reactor
/// would have to be waited for. It is owned by both sides; one that was given up goes on alone.
struct Resolution {
  std::string host;
  std::string port;
  Descriptor done;
  int error = 0;
  int errno_value = 0;
  addrinfo* found = nullptr;

  ~Resolution() {
    if (found != nullptr) ::freeaddrinfo(found);
  }
  void look_up(int flags) noexcept {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    errno_value = errno;
  }
  std::string reason() const {
    return error == EAI_SYSTEM ? std::strerror(errno_value) : ::gai_strerror(error);
  }
};

void start_thread(const std::shared_ptr<Resolution>& resolution) {
  resolution->done = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!resolution->done) throw system_error("redis", errno, "eventfd");
  if (resolutions.fetch_add(1) >= kResolutionsMax) {
    resolutions.fetch_sub(1);
    throw Error(ErrorKind::exhausted, "redis", "Unum.Resolving",
                "the name " + resolution->host + " cannot be resolved now: " +
                    std::to_string(kResolutionsMax) + " earlier questions are unanswered");
  }
  try {
    std::thread([resolution] {
      resolution->look_up(AI_ADDRCONFIG);
      resolutions.fetch_sub(1);
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto told = ::write(resolution->done.get(), &one, sizeof one);
    }).detach();
  } catch (const std::system_error& error) {
    resolutions.fetch_sub(1);
    throw system_error("redis", error.code().value(), "a thread that resolves a name");
  }
}

std::vector<SocketAddress> copy_of(const addrinfo* list) {
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.length = each->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

Task<std::vector<SocketAddress>> resolve(Reactor& reactor, const Address& address,
                                         const Wait& wait) {
  if (!address.unix_path.empty()) {
    SocketAddress made;
    auto& local = reinterpret_cast<sockaddr_un&>(made.storage);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, address.unix_path.c_str(), address.unix_path.size() + 1);
    made.length = sizeof(sockaddr_un);
    co_return std::vector<SocketAddress>(1, made);
  }
  const auto resolution = std::make_shared<Resolution>();
  resolution->host = address.host;
  resolution->port = std::to_string(address.port);
  // A number needs no thread, which would cost a cold start.
  resolution->look_up(AI_NUMERICHOST | AI_NUMERICSERV);
  if (resolution->error != 0) {
    start_thread(resolution);
    const int result = co_await reactor.poll(resolution->done.get(), POLLIN, wait);
    if (result < 0) throw_wait_ended(result, wait, "resolving the name " + address.host);
  }
  if (resolution->error != 0) {
    throw Error(ErrorKind::disconnected, "redis", "Unum.NameNotResolved",
                "the name " + address.host + " does not resolve: " + resolution->reason());
  }
  co_return copy_of(resolution->found);
}

void set_options(int fd, bool tcp) noexcept {
  if (!tcp) return;
  const auto set = [fd](int level, int name, int value) {
    // Each is an improvement only: a kernel that has one of them not is no reason to fail.
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepIdleSeconds / 3);
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepProbes);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
}

/// The connected socket, or the errno of why not.
struct Attempt {
  Descriptor fd;
  int error = 0;
};

Task<Attempt> connect_to(Reactor& reactor, const SocketAddress& to, const Wait& wait) {
  Attempt attempt;
  attempt.fd =
      Descriptor(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!attempt.fd) throw system_error("redis", errno, "socket");
  set_options(attempt.fd.get(), to.storage.ss_family != AF_UNIX);
  if (::connect(attempt.fd.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length) == 0)
    co_return attempt;
  attempt.error = errno;
  if (attempt.error != EINPROGRESS) co_return attempt;
  const int result = co_await reactor.poll(attempt.fd.get(), POLLOUT, wait);
  if (result < 0) throw_wait_ended(result, wait, "connecting to a Redis server");
  socklen_t length = sizeof attempt.error;
  if (::getsockopt(attempt.fd.get(), SOL_SOCKET, SO_ERROR, &attempt.error, &length) != 0)
    attempt.error = errno;
  co_return attempt;
}

}  // namespace

void throw_wait_ended(int result, const Wait& wait, std::string_view what) {
  if (result == -ETIME) {
    throw Error(ErrorKind::timeout, "redis", "ETIME",
                std::string(what) + ": the deadline has passed");
  }
  if (result == -ECANCELED) {
    throw Error(ErrorKind::cancelled, "redis", "ECANCELED",
                std::string(what) + " was given up: " + std::string(wait.stop.reason()));
  }
  throw system_error("redis", -result, what);
}

Task<std::unique_ptr<Transport>> Transport::open(Reactor& reactor, const Address& address,
                                                 Wait wait) {
  const std::vector<SocketAddress> addresses = co_await resolve(reactor, address, wait);
  int error = EADDRNOTAVAIL;
  for (const SocketAddress& to : addresses) {
    Attempt attempt = co_await connect_to(reactor, to, wait);
    if (attempt.error != 0) {
      error = attempt.error;
      continue;
    }
    if (address.tls) co_return co_await greet_by_tls(reactor, std::move(attempt.fd), address, wait);
    co_return std::unique_ptr<Transport>(new Transport(std::move(attempt.fd)));
  }
  // Whatever the reason: the caller can only correct the name, start the server, or try again.
  const Error reason = system_error("redis", error, "connecting to " + address.endpoint());
  throw Error(error == EACCES || error == EPERM ? ErrorKind::denied : ErrorKind::disconnected,
              "redis", reason.code(), reason.message());
}

long Transport::read(std::span<char> buffer) noexcept {
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  return got >= 0 ? got : errno == EINTR ? -EAGAIN : -errno;
}

long Transport::write(std::string_view bytes) noexcept {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent >= 0 ? sent : errno == EINTR ? -EAGAIN : -errno;
}

std::string Transport::why(long result) const {
  return result == 0 ? "the server closed the connection"
                     : std::strerror(static_cast<int>(-result));
}

}  // namespace unum::redis
