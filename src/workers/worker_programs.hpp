// Which program runs a function's code, and in which environment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workers/function_code.hpp"

namespace unum {

using Variables = std::vector<std::pair<std::string, std::string>>;

/// The command line of a worker for this kind of code. For an executable: the function's own
/// program. Throws `not_found` naming the function, what is missing and which variable or field
/// chooses it.
std::vector<std::string> worker_command(const FunctionCode& code);

/// Throws `not_found` or `invalid` when the code's directory is none, or when its `environment`
/// cannot be one.
void check_code(const FunctionCode& code);

/// What a function's process has in its environment beside that of the host: the usual AWS_LAMBDA_*
/// variables, then the function's own.
Variables function_variables(const FunctionCode& code);

/// Whether the interpreter reads one of the function's variables when it starts, so that it cannot
/// be set later.
bool needs_own_start(const FunctionCode& code);

/// The host's environment with `variables` put over it, "NAME=value" each.
std::vector<std::string> merged_environment(const Variables& variables);

}  // namespace unum
