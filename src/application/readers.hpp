// Who reads outcomes: what collecting them needs to know of the other functions' edges.
#pragma once

#include "application/application.hpp"

namespace unum {

/// Sets `read_by_descendants` of functions and `sole_reader` of fan-in edges. Where the edges do
/// not tell, it says that there may be another reader: such outcomes are only collected later.
void find_readers(Application& application);

}  // namespace unum
