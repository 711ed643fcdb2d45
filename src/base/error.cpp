#include "unum/error.hpp"

#include <sys/resource.h>

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
    case ENOTCONN: return ErrorKind::disconnected;
    case ECANCELED: return ErrorKind::cancelled;
    case EIO:
    case EILSEQ:
    case EUCLEAN: return ErrorKind::corrupt;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EFBIG:
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
