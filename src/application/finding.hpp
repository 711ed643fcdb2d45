// One thing that is wrong, doubtful or worth knowing about an application, and where it stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unum {

enum class Severity : std::uint8_t {
  info,     ///< Worth knowing.
  warning,  ///< Probably not meant; does not refuse.
  error,    ///< Refuses the application.
};

struct Finding {
  Severity severity = Severity::error;
  std::string rule;      ///< Stable for programs: "template", "ir", "missing-pop", ...
  std::string file;      ///< Relative to the application's directory; empty if it is about no file.
  std::size_t line = 0;  ///< From 1; 0 if unknown.
  std::string message;   ///< What is wrong and what would be right.

  /// `file:line: message`
  std::string text() const;

  friend bool operator==(const Finding&, const Finding&) = default;
};

std::string_view to_string(Severity severity) noexcept;

bool has_errors(const std::vector<Finding>& findings) noexcept;

/// By file, line, rule and message, without repetitions: the same order on every machine.
void sort_findings(std::vector<Finding>& findings);

/// A finding from a message that may begin with `file:line: `.
Finding finding_from(Severity severity, std::string_view rule, std::string_view file,
                     std::string_view message);

}  // namespace unum
