// `unum doctor`: what this machine offers and what is used of it.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>

#include "base/build_config.hpp"
#include "base/limits.hpp"
#include "cli/cli.hpp"
#include "workers/worker_files.hpp"

namespace unum::cli {
namespace {

void print_interpreter(const char* what, const char* variable, const char* default_name) {
  const char* chosen = std::getenv(variable);
  const std::string name = chosen != nullptr && *chosen != '\0' ? chosen : default_name;
  const std::optional<std::string> path = find_program(name);
  if (path) {
    fmt::print("{:<9} {}\n", what, *path);
  } else {
    fmt::print("{:<9} {} was not found; functions that need it cannot run ({} names another)\n",
               what, name, variable);
  }
}

}  // namespace

int doctor() {
  const Reactor reactor;  // first: a wrong UNUM_REACTOR is an error and nothing else
  utsname kernel{};
  ::uname(&kernel);
  fmt::print("{:<9} {}\n", "unum", build::kVersion);
  fmt::print("{:<9} {} {} {}, {} cores\n", "system", kernel.sysname, kernel.release, kernel.machine,
             ::sysconf(_SC_NPROCESSORS_ONLN));
  fmt::print("{:<9} {}\n", "reactor", reactor.backend_reason());
  print_interpreter("python", "UNUM_PYTHON", "python3");
  print_interpreter("node", "UNUM_NODE", "node");
  fmt::print("{:<9} {}\n", "workers", worker_directory());
  fmt::print("{:<9} at most {} in flight: what may run again after a kill of the whole\n", "steps",
             kStepsInFlightMax);
  return kDone;
}

}  // namespace unum::cli
