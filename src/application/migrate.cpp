// Rewriting IR files.
#include "application/migrate.hpp"

#include <algorithm>

#include "application/application_files.hpp"
#include "application/replace_file.hpp"

namespace unum {

Migration migrate_application(const std::filesystem::path& directory) {
  Migration migration;
  ApplicationFiles files = read_application_files(directory, migration.findings);
  const std::vector<std::string> moved = move_legacy_modifiers(files, migration.findings);
  for (const FunctionFiles& function : files.functions) {
    if (!function.ir) continue;
    const bool changed =
        function.ir->migrated ||
        std::find(moved.begin(), moved.end(), function.properties.name) != moved.end();
    if (!changed) continue;
    migration.files.push_back(
        {function.ir_path, function.ir_source, to_json(function.ir->function)});
  }
  sort_findings(migration.findings);
  return migration;
}

void write_migration(const Migration& migration) {
  for (const MigratedFile& file : migration.files) {
    replace_file(file.path.string(), file.text);
  }
}

}  // namespace unum
