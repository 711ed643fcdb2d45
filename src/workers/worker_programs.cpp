// See worker_programs.hpp.
#include "workers/worker_programs.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <unordered_set>

#include "unum/error.hpp"
#include "workers/worker_files.hpp"

namespace unum {
namespace {

// Read by interpreters, by the C library or by the dynamic linker before any code of ours runs.
constexpr std::array<std::string_view, 8> kReadAtStart = {
    "PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "GCONV_PATH", "LOCPATH"};
// The shim catches up on this one.
constexpr std::string_view kPythonPath = "PYTHONPATH";

bool is_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// Whether its owner made it a program. Whether it can be run (its format, its interpreter, a file
/// system without programs) shows when it is.
bool is_program(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         (info.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
}

Error missing(const FunctionCode& code, const std::string& what) {
  return Error(ErrorKind::not_found, "worker", "Unum.NoWorker",
               "function " + code.function + " cannot run: " + what);
}

std::string own_program(const FunctionCode& code, const std::string& name) {
  if (std::optional<std::string> found = find_worker(name)) return *std::move(found);
  std::string list;
  for (const std::string& place : worker_places(name)) list += (list.empty() ? "" : ", ") + place;
  if (list.empty()) throw missing(code, "there is no memory or descriptor for " + name);
  throw missing(code, "the worker program " + name + " is at none of " + list +
                          " (UNUM_WORKERS names its directory)");
}

std::string interpreter(const FunctionCode& code, const char* variable, const char* by_default) {
  const char* chosen = std::getenv(variable);
  const bool is_chosen = chosen != nullptr && *chosen != '\0';
  const std::string name = is_chosen ? chosen : by_default;
  if (std::optional<std::string> found = find_program(name)) return *std::move(found);
  if (is_chosen) {
    throw missing(code, std::string(variable) + " says \"" + name + "\", which is no program" +
                            (name.find('/') == std::string::npos ? " in PATH" : ""));
  }
  throw missing(code, "there is no \"" + name + "\" in PATH; install it, or let " + variable +
                          " name another");
}

std::vector<std::string> node_command(const FunctionCode& code) {
  std::string worker = own_program(code, "node_worker.cjs");
  std::vector<std::string> command = {interpreter(code, "UNUM_NODE", "node")};
  // What is below /proc has no other path, which Node would otherwise look for.
  if (worker.starts_with("/proc/")) command.emplace_back("--preserve-symlinks-main");
  command.push_back(std::move(worker));
  return command;
}

std::string executable_of(const FunctionCode& code) {
  const std::string named = code.directory + "/" + code.handler;
  const std::string bootstrap = code.directory + "/bootstrap";
  for (const std::string& place : {named, bootstrap}) {
    if (!is_file(place)) continue;
    if (is_program(place)) return place;
    throw missing(code, place + " is not executable (chmod +x)");
  }
  throw missing(code, "there is neither " + named + " (its Handler) nor " + bootstrap);
}

}  // namespace

std::vector<std::string> worker_command(const FunctionCode& code) {
  switch (code.kind) {
    case CodeKind::python:
      return {interpreter(code, "UNUM_PYTHON", "python3"), own_program(code, "python_worker.py")};
    case CodeKind::node: return node_command(code);
    case CodeKind::native: return {own_program(code, "unum-native-worker")};
    case CodeKind::executable: return {executable_of(code)};
  }
  throw missing(code, "its kind of code is unknown");
}

void check_code(const FunctionCode& code) {
  struct stat info {};
  if (::stat(code.directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    throw missing(code, "its code directory \"" + code.directory + "\" (CodeUri) does not exist");
  }
  if (code.directory.front() != '/') {
    throw Error(ErrorKind::invalid, "worker", "Unum.BadCode",
                "the code directory of " + code.function + " must be absolute: " + code.directory);
  }
  for (const auto& [name, value] : code.environment) {
    if (name.empty() || name.find('=') != std::string::npos ||
        name.find('\0') != std::string::npos || value.find('\0') != std::string::npos) {
      throw Error(ErrorKind::invalid, "worker", "Unum.BadEnvironment",
                  "the environment variable \"" + name + "\" of " + code.function +
                      " cannot be one: names have no '=', and neither has a zero byte");
    }
  }
}

Variables function_variables(const FunctionCode& code) {
  Variables variables = {
      {"AWS_LAMBDA_FUNCTION_NAME", code.function},
      {"AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"},
      {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", std::to_string(code.memory_mb)},
      {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/" + code.function},
      {"AWS_LAMBDA_LOG_STREAM_NAME", "local"},
      {"LAMBDA_TASK_ROOT", code.directory},
      {"_HANDLER", code.handler},
      {"UNUM_FUNCTION", code.function},
  };
  // As on Lambda, unless this machine's user said otherwise.
  if (std::getenv("TZ") == nullptr) variables.emplace_back("TZ", ":UTC");
  variables.insert(variables.end(), code.environment.begin(), code.environment.end());
  return variables;
}

bool needs_own_start(const FunctionCode& code) {
  return std::any_of(code.environment.begin(), code.environment.end(), [](const auto& entry) {
    const std::string& name = entry.first;
    return name != kPythonPath &&
           std::any_of(kReadAtStart.begin(), kReadAtStart.end(),
                       [&](std::string_view prefix) { return name.starts_with(prefix); });
  });
}

std::vector<std::string> merged_environment(const Variables& variables) {
  std::unordered_set<std::string_view> replaced;
  for (const auto& entry : variables) replaced.insert(entry.first);
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!replaced.contains(text.substr(0, text.find('=')))) merged.emplace_back(text);
  }
  // Of a name that stands twice the last counts.
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const auto later =
        std::find_if(variables.begin() + static_cast<std::ptrdiff_t>(i) + 1, variables.end(),
                     [&](const auto& other) { return other.first == variables[i].first; });
    if (later == variables.end()) merged.push_back(variables[i].first + "=" + variables[i].second);
  }
  return merged;
}

}  // namespace unum
