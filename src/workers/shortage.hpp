// A process that cannot be started for want of processes, memory or descriptors.
#pragma once

#include <utility>

#include "unum/error.hpp"

namespace unum {

/// Nothing was started, and something could be when another process of the pool has ended.
class ShortageError final : public Error {
 public:
  explicit ShortageError(const Error& error)
      : Error(ErrorKind::exhausted, error.origin(), error.code(), error.message()) {}
};

/// Does what starts a process; a lack that may pass is thrown as a ShortageError.
template <class Start>
auto or_shortage(Start&& start) {
  try {
    return std::forward<Start>(start)();
  } catch (const Error& error) {
    const bool may_pass =
        error.kind() == ErrorKind::throttled || error.kind() == ErrorKind::exhausted;
    if (!may_pass) throw;
    throw ShortageError(error);
  }
}

}  // namespace unum
