// See worker_files.hpp.
#include "workers/worker_files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "base/build_config.hpp"
#include "reactor/descriptor.hpp"
#include "workers/embedded_workers.hpp"

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

/// The directory that the user has named, or null.
const char* chosen_workers() {
  const char* chosen = std::getenv("UNUM_WORKERS");
  return chosen != nullptr && *chosen != '\0' ? chosen : nullptr;
}

/// A worker that is part of this program, and the file in memory that has its text.
struct Shim {
  const char* name;
  std::string_view text;
  int file = -1;
};

Shim* shim_of(std::string_view program) {
  static std::array<Shim, 2> shims{
      {{"python_worker.py", kPythonWorker}, {"node_worker.cjs", kNodeWorker}}};
  const auto shim = std::find_if(shims.begin(), shims.end(),
                                 [&](const Shim& each) { return each.name == program; });
  return shim != shims.end() ? &*shim : nullptr;
}

/// Sealed, so that nobody changes what later workers run. Its path is this process's.
std::optional<std::string> file_of(Shim& shim) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (shim.file < 0) {
    Descriptor file(::memfd_create(shim.name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const auto size = static_cast<ssize_t>(shim.text.size());
    if (!file || ::write(file.get(), shim.text.data(), shim.text.size()) != size) {
      return std::nullopt;
    }
    ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    shim.file = file.release();
  }
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(shim.file);
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
  if (const char* chosen = chosen_workers()) return {absolute(std::string(chosen) + "/" + name)};
  if (shim_of(program) != nullptr) return {};
  const std::string here = binary_directory();
  return {absolute(here + build::kWorkersFromBin + "/" + name), absolute(here + name),
          absolute(here + "../" + name)};
}

std::optional<std::string> find_worker(std::string_view program) {
  for (std::string& place : worker_places(program)) {
    if (is_file(place)) return std::move(place);
  }
  Shim* shim = chosen_workers() == nullptr ? shim_of(program) : nullptr;
  return shim != nullptr ? file_of(*shim) : std::nullopt;
}

std::string worker_directory() {
  const char* chosen = chosen_workers();
  return chosen != nullptr ? absolute(chosen) + " (UNUM_WORKERS)" : "in this program";
}

}  // namespace unum
