// An application: its template and the IR of every function, read, joined and resolved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "application/finding.hpp"
#include "application/template.hpp"
#include "unum/application.hpp"
#include "workflow/ir.hpp"

namespace unum {

/// The template's name in an application's directory.
inline constexpr std::string_view kTemplateFile = "unum-template.yaml";

/// One function with everything that the template and the IR say about it, defaults filled in.
struct FunctionSettings {
  /// With `start`, `checkpoint` and `debug` as resolved, and `on_empty` of Map edges derived where
  /// the IR names none and an aggregator can be found.
  FunctionIr ir;
  std::filesystem::path code_dir;  ///< Exists, unless the application is text in memory.
  std::string runtime;
  std::string handler;
  std::map<std::string, std::string> environment;
  std::vector<std::string> policies;
  std::int64_t memory_mb = 512;
  std::int64_t timeout_seconds = 60;
  bool start = false;
  bool checkpoint = true;
  bool checkpoint_forced =
      false;  ///< Whatever template and IR say (entry, terminal, fan-out, ...).
  bool debug = false;
  std::size_t template_line = 0;

  const std::string& name() const noexcept { return ir.name; }
};

struct Application {
  std::filesystem::path directory;  ///< Empty: text in memory that has none.
  std::string name;
  FaasPlatform platform = FaasPlatform::local;
  StoreName store;
  ReadConsistency read_consistency = ReadConsistency::strong;
  IndexOrder index_order = IndexOrder::innermost_first;
  bool collects_garbage = false;  ///< Sessions that begin are collected.
  bool debug = false;
  std::vector<FunctionSettings>
      functions;                  ///< Sorted by name; without those that could not be read.
  std::string entry;              ///< Empty if there is not exactly one.
  std::vector<Finding> findings;  ///< Of loading, sorted. See also check.hpp.

  const FunctionSettings* find(std::string_view function) const noexcept;
};

/// What the public class holds.
const Application& details_of(const CheckedApplication& application) noexcept;

/// Reads `directory`. Bad input becomes findings, all of them at once; an application with an error
/// among them must not run. Blocking file reads; no user code runs.
Application load_application(const std::filesystem::path& directory);
/// The same for files in memory. Reads none.
Application application_from(const ApplicationText& text);

/// The data store's name, with a relative directory joined to the application's.
std::string store_name_of(const Application& application);

}  // namespace unum
