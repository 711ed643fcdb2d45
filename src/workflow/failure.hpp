// A failure as it is stored: of an outcome that was caught (behind its `!`) and of a report.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace unum {

struct StoredFailure {
  std::string error;
  std::string cause;
};

/// The JSON text {"Error": ..., "Cause": ...}.
std::string failure_text(std::string_view error, std::string_view cause);
/// The error of a stored failure that names none.
inline constexpr std::string_view kUnnamedFailure = "Unum.UnnamedFailure";

/// Reads it; other members are ignored, and absent ones have a text that says so. Nothing if the
/// text is no JSON object: anybody can write to a store.
std::optional<StoredFailure> parse_failure(std::string_view text);

}  // namespace unum
