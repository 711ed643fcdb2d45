// Linking: what a function's IR needs to know of the other functions' edges.
#pragma once

#include "application/application.hpp"

namespace unum {

/// Sets `named_in_values` of the functions.
void mark_named_in_values(Application& application);

/// The same, and derives `on_empty` of Map edges and the marks of fan-in edges, see `Edge`.
void link(Application& application);

}  // namespace unum
