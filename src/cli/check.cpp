// `unum check`: what is wrong with an application, before anything runs.
#include <fmt/format.h>

#include "application/check.hpp"
#include "application/migrate.hpp"
#include "base/secrets.hpp"
#include "cli/cli.hpp"

namespace unum::cli {

int check(const CheckArguments& arguments) {
  if (arguments.migrate) {
    const Migration migration = migrate_application(arguments.directory);
    for (const Finding& finding : migration.findings) {
      fmt::print("{}: {}\n", to_string(finding.severity), finding.text());
    }
    if (has_errors(migration.findings)) {
      say("unum: nothing was rewritten\n");
      return kUsage;
    }
    write_migration(migration);
    for (const MigratedFile& file : migration.files) fmt::print("rewritten: {}\n", file.source);
    if (migration.files.empty()) fmt::print("all configurations have today's form already\n");
  }
  const Application application = load_application(arguments.directory);
  const std::vector<Finding> findings = check_application(application);
  for (const Finding& finding : findings) {
    fmt::print("{}: {}\n", to_string(finding.severity), finding.text());
  }
  if (has_errors(findings)) {
    say("unum: {} is refused\n", hide_passwords(arguments.directory));
    return kUsage;
  }
  fmt::print("{}: {} functions, entry {}: ok\n", application.name, application.functions.size(),
             application.entry);
  return kDone;
}

}  // namespace unum::cli
