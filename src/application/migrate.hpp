// `unum check --migrate`: IR files of older generations rewritten as today's.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "application/finding.hpp"

namespace unum {

struct MigratedFile {
  std::filesystem::path path;
  std::string source;  ///< `path` relative to the application's directory.
  std::string text;    ///< The whole new text. (JSON also in a .yaml file: JSON is YAML.)
};

struct Migration {
  std::vector<MigratedFile> files;  ///< Those that change, sorted by function.
  std::vector<Finding> findings;    ///< With an error among them nothing is to be written.
};

/// What a migration would write. Fields that are not known are lost; each is a warning in
/// `findings`. Files that are of today's generation already are left as they are.
Migration migrate_application(const std::filesystem::path& directory);

/// Writes the files, each whole or not at all: a temporary file beside it, on disk, then renamed
/// over it. Throws what the system says; files written before that stay written.
void write_migration(const Migration& migration);

}  // namespace unum
