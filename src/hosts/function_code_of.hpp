// What a worker runs for a function of an application.
#pragma once

#include "application/application.hpp"
#include "workers/function_code.hpp"

namespace unum {

/// Throws `invalid` for a Runtime that is none, and for a path that is not UTF-8.
FunctionCode function_code_of(const FunctionSettings& settings);

}  // namespace unum
