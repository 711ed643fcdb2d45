// Where an empty map goes on: the aggregator that its branches would have ended in.
#pragma once

#include "compiler/application.hpp"

namespace unum {

/// Sets `on_empty` of each Map edge that names none when every path out of the map's frame leads
/// into one aggregator; adds a warning where none can be derived.
void derive_on_empty(Application& application);

}  // namespace unum
