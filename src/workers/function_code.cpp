// See function_code.hpp.
#include "workers/function_code.hpp"

#include <algorithm>

namespace unum {

std::optional<CodeKind> code_kind(std::string_view runtime) {
  if (runtime.starts_with("python")) return CodeKind::python;
  if (runtime.starts_with("nodejs")) return CodeKind::node;
  if (runtime.starts_with("provided")) return CodeKind::executable;
  if (runtime == "native") return CodeKind::native;
  return std::nullopt;
}

std::chrono::milliseconds time_of_call(const FunctionCode& code, const UserCall& call) noexcept {
  if (code.timeout.count() == 0) return call.timeout;
  return call.timeout.count() == 0 ? code.timeout : std::min(code.timeout, call.timeout);
}

}  // namespace unum
