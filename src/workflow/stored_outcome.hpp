// An outcome as it is stored: a result's JSON text itself, `!` and {"Error", "Cause"} for a failure
// that an edge took (with the step's "Input", if that edge wants it), or `~` for a result that was
// collected. No JSON text begins with either.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "unum/json.hpp"

namespace unum {

struct StoredOutcome {
  enum class Kind : std::uint8_t { result, caught_failure, collected };
  Kind kind = Kind::result;
  /// The result, or {"Error", "Cause"[, "Input"]}; a view into what is stored.
  json::View value{};

  /// Anybody can write to a store, and a power loss tears: throws `corrupt`, code "Unum.NoValue",
  /// for text that is none of the three. `what` names it in the message.
  static StoredOutcome read(std::string_view stored, std::string_view what);
};

/// Any other stored value, checked in the same way.
json::View stored_json(std::string_view stored, std::string_view what);

/// A caught failure as it is stored.
std::string stored_failure(json::View failure);

/// A failure of an outcome that was caught, or of a report.
struct StoredFailure {
  std::string error;
  std::string cause;
  int attempt = 1;  ///< Of a report; of a failure that was caught it is not kept.
};
/// The error of a stored failure that names none.
inline constexpr std::string_view kUnnamedFailure = "Unum.UnnamedFailure";

/// The key of the failed step's input in a failure.
inline constexpr std::string_view kFailureInput = "Input";

/// The JSON text {"Error": ..., "Cause": ...}.
json::Text failure_json(std::string_view error, std::string_view cause);
/// The same with the step's input behind it.
json::Text failure_with_input(json::View failure, json::View input);
/// A failure without the input.
json::Text failure_alone(json::View failure);
/// Reads an object of that form; other members are ignored, and absent ones have a text that says
/// so.
StoredFailure read_failure(json::View object);
/// The same of a report that is stored, which may be damaged.
StoredFailure read_report(std::string_view stored);
/// The failure of a stored outcome; nothing if it is none that was caught. The text of a result is
/// not looked at.
std::optional<StoredFailure> caught_failure(std::string_view stored);

}  // namespace unum
