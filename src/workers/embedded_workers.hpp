// The texts of the worker shims, which a program that was copied alone still has.
#pragma once

#include <string_view>

namespace unum {

extern const std::string_view kPythonWorker;
extern const std::string_view kNodeWorker;

}  // namespace unum
