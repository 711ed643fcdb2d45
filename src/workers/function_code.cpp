// See function_code.hpp.
#include "workers/function_code.hpp"

namespace unum {

std::optional<CodeKind> code_kind(std::string_view runtime) {
  if (runtime.starts_with("python")) return CodeKind::python;
  if (runtime.starts_with("nodejs")) return CodeKind::node;
  if (runtime.starts_with("provided")) return CodeKind::executable;
  if (runtime == "native") return CodeKind::native;
  return std::nullopt;
}

}  // namespace unum
