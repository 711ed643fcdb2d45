#include "unum/error.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace unum {

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::not_found: return "not_found";
    case ErrorKind::conflict: return "conflict";
    case ErrorKind::invalid: return "invalid";
    case ErrorKind::denied: return "denied";
    case ErrorKind::throttled: return "throttled";
    case ErrorKind::timeout: return "timeout";
    case ErrorKind::disconnected: return "disconnected";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::corrupt: return "corrupt";
    case ErrorKind::exhausted: return "exhausted";
    case ErrorKind::bug: return "bug";
  }
  return "bug";
}

std::string_view to_string(Delivery delivery) noexcept {
  switch (delivery) {
    case Delivery::final: return "final";
    case Delivery::again: return "again";
    case Delivery::bounded: return "bounded";
  }
  return "bounded";
}

namespace {

constexpr std::size_t kKinds = 11;
using ByKind = std::array<Delivery, kKinds>;

constexpr Delivery kF = Delivery::final;
constexpr Delivery kA = Delivery::again;
constexpr Delivery kB = Delivery::bounded;

// clang-format off
// In the order of the kinds' numbers: not_found, conflict, invalid, denied, throttled, timeout,
// disconnected, cancelled, corrupt, exhausted, bug.

// What follows from the payload, the settings and what is stored: the same each time.
constexpr ByKind kOfTheStep     = {kF, kF, kF, kF, kA, kA, kA, kA, kF, kF, kF};
// A store: what is wrong with a request, or with what is stored, may stay so. What is missing, not
// permitted or used up is put right by somebody, and no workflow is to fail for it meanwhile.
constexpr ByKind kOfAStore      = {kA, kA, kB, kA, kA, kA, kA, kA, kB, kA, kB};
// The way to a store: wrong settings are put right by somebody, too.
constexpr ByKind kOfTheWay      = {kA, kA, kA, kA, kA, kA, kA, kA, kB, kA, kB};
// Processes of user code: one that ends or hangs may do so each time. Without room for one it has
// not begun.
constexpr ByKind kOfAProcess    = {kB, kB, kB, kB, kA, kB, kB, kA, kB, kA, kB};
// Somebody else's.
constexpr ByKind kOfOthers      = {kB, kA, kB, kA, kA, kA, kA, kA, kB, kA, kB};

struct OfOrigin {
  std::string_view origin;
  const ByKind& deliveries;
};

constexpr std::array<OfOrigin, 25> kOrigins = {{
    {"application", kOfTheStep},
    {"cli", kOfTheStep},
    {"host", kOfTheStep},
    {"ir", kOfTheStep},
    {"json", kOfTheStep},
    {"log", kOfTheStep},
    {"payload", kOfTheStep},
    {"run", kOfTheStep},
    {"runtime", kOfTheStep},
    {"stores", kOfTheStep},  // what was asked of a store that no store can do
    {"template", kOfTheStep},
    {"yaml", kOfTheStep},
    {"dynamodb", kOfAStore},
    {"fs", kOfAStore},
    {"memory", kOfAStore},
    {"redis", kOfAStore},
    {"s3", kOfAStore},
    {"aws", kOfTheWay},
    {"http", kOfTheWay},
    {"lambda", kOfTheWay},
    {"reactor", kOfTheWay},
    {"sts", kOfTheWay},
    {"capi", kOfAProcess},
    {"process", kOfAProcess},
    {"worker", kOfAProcess},
}};
// clang-format on

}  // namespace

Delivery delivery_of(ErrorKind kind, std::string_view origin) noexcept {
  const auto number = static_cast<std::size_t>(kind) - 1;
  if (number >= kKinds) return Delivery::bounded;
  const auto found = std::find_if(kOrigins.begin(), kOrigins.end(),
                                  [&](const OfOrigin& each) { return each.origin == origin; });
  return (found == kOrigins.end() ? kOfOthers : found->deliveries)[number];
}

Error::Error(ErrorKind kind, std::string_view origin, std::string_view code, std::string message)
    : kind_(kind), origin_(origin), code_(code), message_(std::move(message)) {}

namespace {

ErrorKind kind_of(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
    case ESRCH: return ErrorKind::not_found;
    case EEXIST:
    case ENOTEMPTY:
    case EBUSY: return ErrorKind::conflict;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorKind::denied;
    case EAGAIN:
    case EINTR: return ErrorKind::throttled;
    case ETIMEDOUT:
    case ETIME: return ErrorKind::timeout;
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
    case ENETDOWN:
    case ENETUNREACH:
    case ENETRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ESTALE: return ErrorKind::disconnected;  // a server of files that was started anew
    case ECANCELED: return ErrorKind::cancelled;
    case EIO:
    case EREMOTEIO:
    case EBADMSG:
    case EILSEQ:
    case EUCLEAN: return ErrorKind::corrupt;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case EADDRNOTAVAIL:
    case ENOLCK:
    case ENOBUFS: return ErrorKind::exhausted;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
    case EISDIR: return ErrorKind::invalid;
    default: return ErrorKind::bug;
  }
}

}  // namespace

namespace {

/// The limit of this process that an errno speaks of, in parentheses.
std::string limit_text(int errno_value) {
  rlimit limit{};
  const auto is_set = [&](auto which) {
    return ::getrlimit(which, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  };
  if (errno_value == EMFILE && is_set(RLIMIT_NOFILE)) {
    return " (the limit, ulimit -n, is " + std::to_string(limit.rlim_cur) + ")";
  }
  if (errno_value == EFBIG && is_set(RLIMIT_FSIZE)) {
    return " (the limit, ulimit -f, is " + std::to_string(limit.rlim_cur) + " bytes)";
  }
  return {};
}

}  // namespace

Error system_error(std::string_view origin, int errno_value, std::string_view what) {
  const char* symbol = strerrorname_np(errno_value);
  std::string message(what);
  message += ": ";
  message +=
      strerrordesc_np(errno_value) != nullptr ? strerrordesc_np(errno_value) : "unknown error";
  message += limit_text(errno_value);
  return Error(kind_of(errno_value), origin, symbol != nullptr ? symbol : "errno",
               std::move(message));
}

}  // namespace unum
