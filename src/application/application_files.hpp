// The files of an application as they are read, before anything is resolved.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "application/finding.hpp"
#include "application/template.hpp"
#include "unum/application.hpp"
#include "workflow/ir.hpp"

namespace unum {

struct FunctionFiles {
  TemplateFunction properties;
  std::filesystem::path code_dir;
  std::filesystem::path ir_path;
  std::string ir_source;       ///< `ir_path` relative to the application's directory, for messages.
  std::optional<ParsedIr> ir;  ///< Nothing if it could not be read.
};

struct ApplicationFiles {
  std::optional<Template> settings;      ///< Nothing if there is no template that can be read.
  std::vector<FunctionFiles> functions;  ///< Sorted by name.
};

/// The file's whole text. Blocks. Throws what the system says (origin "ir"), `invalid` for what is
/// no file, and `exhausted` for more than `bytes_max`.
std::string read_file(const std::filesystem::path& path, std::size_t bytes_max);

/// Reads template and IR files. Bad input becomes findings.
ApplicationFiles read_application_files(const std::filesystem::path& directory,
                                        std::vector<Finding>& findings);
/// The same for files in memory.
ApplicationFiles parse_application_text(const ApplicationText& text,
                                        std::vector<Finding>& findings);

/// First generation: moves what stands on aggregators to the fan-in edges that target them. The
/// names of the functions whose edges changed.
std::vector<std::string> move_legacy_modifiers(ApplicationFiles& files,
                                               std::vector<Finding>& findings);

}  // namespace unum
