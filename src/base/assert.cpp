#include "unum/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace unum::detail {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "unum: internal error: %s does not hold at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace unum::detail
