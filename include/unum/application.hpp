// The functions of one workflow together, and an application's directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/function.hpp"

namespace unum {

/// Adds to each function what depends on the other functions' edges: where the workflow continues
/// after an empty map, and which fan-ins need no request because every contributor knows of them.
/// `functions` are all functions of one workflow, in any order. Unlinked functions run, too, except
/// that a Map over an empty list fails its step with "Unum.NotLinked" unless its edge has an
/// OnEmpty. Linking again changes nothing. Throws `invalid` if two functions share a name, or if
/// not exactly one is an entry.
UNUM_API std::vector<Function> link_functions(std::vector<Function> functions);

enum class Severity : std::uint8_t {
  info,     ///< Worth knowing.
  warning,  ///< Probably not intended; does not refuse the application.
  error,    ///< Refuses the application.
};
UNUM_API std::string_view to_string(Severity severity) noexcept;

/// A problem, a doubt or a remark about an application, and its place.
struct UNUM_API Finding {
  Severity severity = Severity::error;
  std::string rule;  ///< A stable identifier: "template", "ir", "missing-pop", ...
  std::string file;  ///< Relative to the application's directory; empty if no file is concerned.
  std::size_t line = 0;  ///< From 1; 0 if unknown.
  std::string message;   ///< What is wrong, and what is expected.

  /// `file:line: message`
  std::string text() const;

  friend bool operator==(const Finding&, const Finding&) = default;
};

struct Application;

/// An application that was read from its directory and passed all checks. Immutable and cheap to
/// copy.
class UNUM_API CheckedApplication {
 public:
  /// Called with each finding, errors included, sorted by file and line.
  using FindingSink = std::function<void(const Finding&)>;

  /// Reads the template and the functions' configurations in `directory`, and checks them as `unum
  /// check` does. Blocks while it reads files; runs no user code. Throws `invalid` (origin
  /// "application", code "Unum.Refused") if a finding is an error, and system_error if a file
  /// cannot be read.
  static CheckedApplication load(const std::string& directory, const FindingSink& found = {});

  const std::string& name() const noexcept;
  /// The name of the function marked `Start`.
  const std::string& entry() const noexcept;
  std::size_t function_count() const noexcept;

 private:
  friend const Application& details_of(const CheckedApplication& application) noexcept;
  explicit CheckedApplication(Application application);

  std::shared_ptr<const Application> application_;
};

}  // namespace unum
