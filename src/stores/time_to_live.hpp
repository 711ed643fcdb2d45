// How long items live in stores whose service can let them expire.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace unum {

/// The number of seconds that the environment variable names; nothing: items stay. Throws `invalid`
/// for anything but a number of seconds from 1 to 100 years.
std::optional<std::chrono::seconds> time_to_live(const char* variable);
/// What is lost by it, in a line for `StoreOptions::warn`.
std::string time_to_live_warning(std::string_view store, std::chrono::seconds time,
                                 std::string_view variable);

}  // namespace unum
