// What the arguments of a store's calls must be; for `checked` and for the five calls.
#pragma once

#include <string_view>

#include "unum/store.hpp"

namespace unum {

/// Throws `invalid` for a name that is empty or longer than kItemNameBytesMax. `what` has it.
void check_name(std::string_view name, std::string_view what);
/// Puts a tombstone in the place of each outcome, a bounded number at once: for stores in whose
/// items nothing stands beside an outcome but in it.
Task<void> put_tombstones(Store& store, const SessionContext& context,
                          std::span<const std::string> instances, Wait wait);
/// Throws `bug` for a context that is bound to no instance.
void check_bound(std::string_view origin, const SessionContext& context);

}  // namespace unum
