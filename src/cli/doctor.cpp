// `unum doctor`: what this machine offers and what is used of it; what a running command waits for.
#include <fmt/format.h>
#include <poll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

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

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A set of signals in /proc/PID/status, for example "ShdPnd".
std::uint64_t signals_in(int pid, const std::string& which) {
  const std::string status = text_of_file(fmt::format("/proc/{}/status", pid));
  const std::size_t line = status.find("\n" + which + ":");
  if (line == std::string::npos) return 0;
  return std::strtoull(status.c_str() + line + which.size() + 2, nullptr, 16);
}

std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

Error not_asked(ErrorKind kind, int pid, std::string_view why) {
  return Error(kind, "cli", "pid", fmt::format("process {} {}", pid, why));
}

/// Throws unless the process is one that answers: SIGUSR1 would end any other.
void require_listener(int pid) {
  std::string name = text_of_file(fmt::format("/proc/{}/comm", pid));
  if (name.empty()) throw not_asked(ErrorKind::invalid, pid, "does not exist");
  if (name.ends_with('\n')) name.pop_back();
  if ((signals_in(pid, "SigBlk") & bit_of(SIGUSR1)) != 0) return;
  throw not_asked(
      ErrorKind::invalid, pid,
      fmt::format("(\"{}\") does not answer; `unum run` and `unum resume` do, while they run",
                  name));
}

/// Whether the process fetches the signal in time; one whose thread is busy does not.
bool is_taken(int pid) {
  constexpr int kPolls = 100;
  constexpr int kPauseMs = 20;
  for (int i = 0; i < kPolls; ++i) {
    if ((signals_in(pid, "ShdPnd") & bit_of(SIGUSR1)) == 0) return true;
    ::poll(nullptr, 0, kPauseMs);
  }
  return false;
}

}  // namespace

int ask_process(int pid) {
  require_listener(pid);
  if (::kill(pid, SIGUSR1) != 0) {
    throw system_error("cli", errno, fmt::format("cannot ask process {}", pid));
  }
  if (!is_taken(pid)) {
    throw not_asked(ErrorKind::timeout, pid,
                    "was asked and does not answer: it is stopped, or its thread computes without "
                    "an end (a debugger or `perf` shows where)");
  }
  std::error_code unknown;
  const std::filesystem::path stderr_link =
      std::filesystem::read_symlink(fmt::format("/proc/{}/fd/2", pid), unknown);
  fmt::print("process {} wrote what it waits for to its stderr{}{}\n", pid, unknown ? "" : ": ",
             unknown ? "" : stderr_link.string());
  return kDone;
}

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
