// What to run for a function: its code, told apart from the pool that runs it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unum/runtime.hpp"

namespace unum {

enum class CodeKind : std::uint8_t {
  python,      ///< `lambda_handler(event, context)`, Python >= 3.8.
  node,        ///< `exports.handler`, Node >= 18.
  executable,  ///< Any program: a process an invocation, JSON on stdin, JSON on stdout.
  native,      ///< A shared object with the entry point of unum/native.h.
};

/// What a template's `Runtime` runs as: "python3.12", "nodejs20.x", "provided.al2023", "native";
/// nothing for others.
std::optional<CodeKind> code_kind(std::string_view runtime);

/// What to run for a function.
struct FunctionCode {
  std::string function;
  CodeKind kind = CodeKind::python;
  /// The directory of the code (`CodeUri`): the worker's working directory and first place of
  /// import. Absolute.
  std::string directory;
  /// python: `app.lambda_handler`, `pkg/mod.handler`. node: `index.handler`. executable: a path in
  /// the directory (if there is no such file: `bootstrap`). native: `libcount.so` or
  /// `libcount.so:symbol`.
  std::string handler = "app.lambda_handler";
  /// Added to the environment of the host. The AWS_LAMBDA_* and UNUM_* variables come from the
  /// pool.
  std::vector<std::pair<std::string, std::string>> environment;
  int memory_mb = 512;  ///< Told to the code; not enforced.
  /// Of one call, counted from when a worker has it. Zero: none.
  std::chrono::milliseconds timeout{60'000};
};

/// The time of one call: the smaller one of the code's and the call's own. Zero: none.
std::chrono::milliseconds time_of_call(const FunctionCode& code, const UserCall& call) noexcept;

}  // namespace unum
