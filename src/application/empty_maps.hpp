// Where an empty map goes on: the aggregator that its branches would have ended in.
#pragma once

#include "application/application.hpp"

namespace unum {

/// Sets `on_empty` of each Map edge that names none when every path out of the map's frame leads
/// into one aggregator, and for all of them the `values` of the fan-in that they stand in for; adds
/// a warning where no aggregator can be derived.
void derive_on_empty(Application& application);

}  // namespace unum
