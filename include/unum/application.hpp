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

/// Adds to each function what follows from the other functions' edges: where an empty map goes on,
/// and which fan-ins all contributors know of by themselves. `functions` are all of one workflow,
/// in any order, with one entry. A function that was never linked runs, but for a Map over no
/// elements whose edge has no OnEmpty: its step fails with "Unum.NotLinked". Linking again changes
/// nothing. Throws `invalid` if two functions have one name or not exactly one is an entry.
UNUM_API std::vector<Function> link_functions(std::vector<Function> functions);

enum class Severity : std::uint8_t {
  info,     ///< Worth knowing.
  warning,  ///< Probably not meant; does not refuse.
  error,    ///< Refuses the application.
};
UNUM_API std::string_view to_string(Severity severity) noexcept;

/// One thing that is wrong, doubtful or worth knowing about an application, and where it stands.
struct UNUM_API Finding {
  Severity severity = Severity::error;
  std::string rule;      ///< Stable for programs: "template", "ir", "missing-pop", ...
  std::string file;      ///< Relative to the application's directory; empty if it is about no file.
  std::size_t line = 0;  ///< From 1; 0 if unknown.
  std::string message;   ///< What is wrong and what would be right.

  /// `file:line: message`
  std::string text() const;

  friend bool operator==(const Finding&, const Finding&) = default;
};

struct Application;

/// An application that was read from its directory and passed all checks. Immutable; copied
/// cheaply.
class UNUM_API CheckedApplication {
 public:
  /// Called with each finding, sorted by file and line, those that refuse included.
  using FindingSink = std::function<void(const Finding&)>;

  /// Reads `directory` (the template and each function's configuration; blocking file reads, no
  /// user code runs) and checks it as `unum check` does. Throws `invalid`, origin "application",
  /// code "Unum.Refused", when a finding is an error, and what reading the directory throws.
  static CheckedApplication load(const std::string& directory, const FindingSink& found = {});

  const std::string& name() const noexcept;
  /// The function that is marked `Start`.
  const std::string& entry() const noexcept;
  std::size_t function_count() const noexcept;

 private:
  friend const Application& details_of(const CheckedApplication& application) noexcept;
  explicit CheckedApplication(Application application);

  std::shared_ptr<const Application> application_;
};

}  // namespace unum
