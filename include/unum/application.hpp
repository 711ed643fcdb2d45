// The functions of one workflow together.
#pragma once

#include <vector>

#include "unum/function.hpp"

namespace unum {

/// Adds to each function what follows from the other functions' edges: where an empty map goes on,
/// and which fan-ins all contributors know of by themselves. `functions` are all of one workflow,
/// in any order, with one entry. A function that was never linked runs, but for a Map over no
/// elements whose edge has no OnEmpty: its step fails with "Unum.NotLinked". Linking again changes
/// nothing. Throws `invalid` if two functions have one name or not exactly one is an entry.
std::vector<Function> link_functions(std::vector<Function> functions);

}  // namespace unum
