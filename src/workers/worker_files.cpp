// See worker_files.hpp.
#include "workers/worker_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>

#include "base/build_config.hpp"

namespace unum {
namespace {

bool is_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// The directory of this program's binary, with '/' at its end.
std::string binary_directory() {
  std::array<char, PATH_MAX> path;
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return {};
  const std::string text(path.data(), static_cast<std::size_t>(length));
  return text.substr(0, text.rfind('/') + 1);
}

/// Absolute, but with its symbolic links: a virtual environment's interpreter is one.
std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

std::optional<std::string> find_program(std::string_view name) {
  const auto runs = [](const std::string& path) {
    return is_file(path) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string_view::npos) {
    const std::string path(name);
    return runs(path) ? std::optional(absolute(path)) : std::nullopt;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!name.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string_view directory = rest.substr(0, colon);
    const std::string place =
        (directory.empty() ? std::string(".") : std::string(directory)) + "/" + std::string(name);
    if (runs(place)) return absolute(place);
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return std::nullopt;
}

std::vector<std::string> worker_places(std::string_view program) {
  const std::string name(program);
  const char* chosen = std::getenv("UNUM_WORKERS");
  if (chosen != nullptr && *chosen != '\0') return {absolute(std::string(chosen) + "/" + name)};
  const std::string here = binary_directory();
  return {absolute(here + build::kWorkersFromBin + "/" + name),
          absolute(std::string(build::kWorkersInSource) + "/" + name), absolute(here + name),
          absolute(here + "../" + name)};
}

std::optional<std::string> find_worker(std::string_view program) {
  for (std::string& place : worker_places(program)) {
    if (is_file(place)) return std::move(place);
  }
  return std::nullopt;
}

std::string worker_directory() {
  const std::optional<std::string> worker = find_worker("python_worker.py");
  if (!worker) return "not found (UNUM_WORKERS names their directory)";
  return worker->substr(0, worker->rfind('/'));
}

}  // namespace unum
