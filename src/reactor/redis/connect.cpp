// Names are resolved here, and hiredis connects to the numbers: it would block on a name.
#include "reactor/redis/connect.hpp"

#include <fcntl.h>
#include <hiredis/async.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include "reactor/descriptor.hpp"
#include "unum/error.hpp"

namespace unum::redis {
namespace {

// A peer that vanished without a word is given up on after about this long (milliseconds of
// unacknowledged data; seconds of silence, and between probes).
constexpr int kUserTimeoutMs = 15'000;
constexpr int kKeepIdleSeconds = 15;
constexpr int kKeepProbes = 3;

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

/// The addresses as numbers.
std::vector<std::string> numbers_of(const addrinfo* list) {
  std::vector<std::string> numbers;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0)
      numbers.emplace_back(text);
  }
  return numbers;
}

Task<std::vector<std::string>> resolve(Reactor& reactor, const Address& address, const Wait& wait) {
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
  co_return numbers_of(resolution->found);
}

void set_options(int fd, bool tcp) noexcept {
  static_cast<void>(::fcntl(fd, F_SETFD, FD_CLOEXEC));
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

/// A context whose connection stands, or the errno of why it does not.
struct Attempt {
  AsyncContext context;
  int error = 0;
};

/// `to` is a path or a number.
Task<Attempt> connect_to(Reactor& reactor, const Address& address, const std::string& to,
                         const Wait& wait) {
  Attempt attempt;
  const bool tcp = address.unix_path.empty();
  errno = 0;
  attempt.context.reset(tcp ? ::redisAsyncConnect(to.c_str(), address.port)
                            : ::redisAsyncConnectUnix(to.c_str()));
  attempt.error = errno;
  if (!attempt.context)
    throw Error(ErrorKind::exhausted, "redis", "ENOMEM", "there is no memory for a connection");
  if (attempt.context->err != 0) {
    if (attempt.error == 0) attempt.error = EIO;
    co_return attempt;
  }
  const int fd = attempt.context->c.fd;
  set_options(fd, tcp);
  const int result = co_await reactor.poll(fd, POLLOUT, wait);
  if (result < 0) throw_wait_ended(result, wait, "connecting to a Redis server");
  socklen_t length = sizeof attempt.error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &attempt.error, &length) != 0) attempt.error = errno;
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

void FreeContext::operator()(redisAsyncContext* context) const noexcept {
  ::redisAsyncFree(context);
}

Task<AsyncContext> connect(Reactor& reactor, const Address& address, Wait wait) {
  if (address.tls) check_has_tls(address);
  std::vector<std::string> places(1, address.unix_path);
  if (address.unix_path.empty()) places = co_await resolve(reactor, address, wait);
  int error = EADDRNOTAVAIL;
  for (const std::string& to : places) {
    Attempt attempt = co_await connect_to(reactor, address, to, wait);
    if (attempt.error != 0) {
      error = attempt.error;
      continue;
    }
    if (address.tls) co_await begin_tls(reactor, *attempt.context, address, wait);
    co_return std::move(attempt.context);
  }
  // Whatever the reason: the caller can only correct the name, start the server, or try again.
  const Error reason = system_error("redis", error, "connecting to " + address.endpoint());
  throw Error(error == EACCES || error == EPERM ? ErrorKind::denied : ErrorKind::disconnected,
              "redis", reason.code(), reason.message());
}

}  // namespace unum::redis
