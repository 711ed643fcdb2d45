// Assertions that stay on in release builds: a violated invariant aborts the process and names its
// place, before it can lose or corrupt data.
#pragma once

#include "unum/api.hpp"

namespace unum::detail {
[[noreturn]] UNUM_API void assertion_failed(const char* condition, const char* file,
                                            int line) noexcept;
}  // namespace unum::detail

#define UNUM_ASSERT(condition) \
  ((condition) ? void(0) : ::unum::detail::assertion_failed(#condition, __FILE__, __LINE__))
