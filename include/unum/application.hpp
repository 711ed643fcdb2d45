// The functions of one workflow together, and an application of a directory or of text in memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/function.hpp"
#include "unum/store_options.hpp"

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

/// The application that sessions belong to.
struct ApplicationIdentity {
  std::string name;
  std::map<std::string, std::string, std::less<>> functions;  ///< Name to Function::digest().
  /// Continues a session even if it has results of functions that have changed since.
  bool accept_changes = false;
};

/// An application whose files are text in memory.
struct ApplicationText {
  std::string template_yaml;  ///< As in `unum-template.yaml`.
  /// As in `unum_config.json`, by the function's name. Messages call each
  /// `<CodeUri>/unum_config.json`, as if it had been read from there.
  std::map<std::string, std::string, std::less<>> configurations;
  /// Where a relative `CodeUri` and a relative directory of a data store begin. Only used by a run.
  /// Empty: nowhere, so functions with a relative `CodeUri` need code of the caller's, and the data
  /// store must be named by the run or be one that needs no directory.
  std::string directory{};
};

struct Application;

/// An application that passed all checks. Immutable and cheap to copy.
class UNUM_API CheckedApplication {
 public:
  /// Called with each finding, errors included, sorted by file and line.
  using FindingSink = std::function<void(const Finding&)>;

  /// Reads the template and the functions' configurations in `directory`, and checks them as `unum
  /// check` does. Blocks while it reads files; runs no user code. Throws `invalid` (origin
  /// "application", code "Unum.Refused") if a finding is an error, and system_error if a file
  /// cannot be read.
  static CheckedApplication load(const std::string& directory, const FindingSink& found = {});

  /// The same for files in memory: reads and writes no file. Code directories need not exist. A
  /// template without an ApplicationName gets the name of `ApplicationText::directory`, or without
  /// that the entry function's.
  static CheckedApplication from_text(const ApplicationText& text, const FindingSink& found = {});

  const std::string& name() const noexcept;
  /// The name of the function marked `Start`.
  const std::string& entry() const noexcept;
  std::size_t function_count() const noexcept;
  /// All of them, linked, sorted by name.
  std::vector<Function> functions() const;
  /// The longest time that a call of the function's code may take in a worker process (`Timeout`).
  /// Throws `not_found` if there is no such function.
  std::chrono::seconds timeout_of(std::string_view function) const;
  /// For RuntimeOptions::application, so that sessions of other applications are refused.
  ApplicationIdentity identity() const;
  /// For RuntimeOptions::collects_garbage (`GC`).
  bool collects_garbage() const noexcept;
  /// The data store of the template, as `open_store` takes it: "fs", "redis", ...
  std::string_view store_type() const noexcept;
  /// A directory (a relative one is joined to the application's), bucket, table or server. May
  /// contain a password: see `shown_store`.
  std::string store_name() const;
  /// For StoreOptions::read_consistency (`ReadConsistency`).
  ReadConsistency read_consistency() const noexcept;

 private:
  friend const Application& details_of(const CheckedApplication& application) noexcept;
  explicit CheckedApplication(Application application);

  std::shared_ptr<const Application> application_;
};

}  // namespace unum
