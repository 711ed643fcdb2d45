// See function_code_of.hpp.
#include "hosts/function_code_of.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "base/utf8.hpp"
#include "unum/error.hpp"

namespace unum {

FunctionCode function_code_of(const FunctionSettings& settings) {
  FunctionCode code;
  code.function = settings.name();
  const auto kind = code_kind(settings.runtime);
  if (!kind) {
    throw Error(
        ErrorKind::invalid, "template", "Runtime",
        fmt::format(
            "function {}: Runtime is \"{}\"; it may be python3.x, nodejs2x.x, provided.* or native",
            settings.name(), settings.runtime));
  }
  code.kind = *kind;
  code.directory = std::filesystem::absolute(settings.code_dir).lexically_normal().string();
  if (!is_utf8(code.directory)) {
    throw Error(ErrorKind::invalid, "run", "directory",
                fmt::format("function {}: the path of its code is not UTF-8: '{}'", settings.name(),
                            code.directory));
  }
  code.handler = settings.handler;
  code.environment.assign(settings.environment.begin(), settings.environment.end());
  code.memory_mb = static_cast<int>(settings.memory_mb);
  code.timeout = std::chrono::seconds(settings.timeout_seconds);
  return code;
}

}  // namespace unum
