// What the arguments of a store's calls must be; for `checked` and for the five calls.
#pragma once

#include <string_view>

#include "unum/store.hpp"

namespace unum {

/// Throws `invalid` for a name that is empty or longer than kItemNameBytesMax. `what` has it.
void check_name(std::string_view name, std::string_view what);
/// Throws `bug` for a context that is bound to no instance.
void check_bound(std::string_view origin, const SessionContext& context);

}  // namespace unum
