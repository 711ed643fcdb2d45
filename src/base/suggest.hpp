// "Did you mean": the known name that a mistyped one is nearest to.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace unum {

/// ` (did you mean "InputType"?)`, or nothing when no candidate is near enough to be what was
/// meant. Case does not count as a difference, nor do blanks, `-` and `_`.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace unum
