// A process that cannot be started for want of processes, memory or descriptors.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
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
    constexpr std::array<std::string_view, 4> kMayPass = {"EAGAIN", "ENOMEM", "EMFILE", "ENFILE"};
    if (std::find(kMayPass.begin(), kMayPass.end(), error.code()) == kMayPass.end()) throw;
    throw ShortageError(error);
  }
}

}  // namespace unum
