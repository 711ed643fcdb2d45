// Rewriting IR files.
#include "application/migrate.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "application/application_files.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

/// Closes the descriptor and, unless kept, removes the temporary file.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string pattern) : path_(std::move(pattern)) {
    fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
    if (fd_ < 0) throw system_error("ir", errno, "cannot create " + path_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    ::close(fd_);
    if (!renamed_) ::unlink(path_.c_str());
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::write(fd_, text.data(), text.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw system_error("ir", errno, "cannot write " + path_);
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void rename_to(const std::string& target) {
    struct stat status = {};
    if (::stat(target.c_str(), &status) == 0 && ::fchmod(fd_, status.st_mode & 07777) != 0) {
      throw system_error("ir", errno, "cannot set the permissions of " + path_);
    }
    if (::fsync(fd_) != 0) throw system_error("ir", errno, "cannot write " + path_);
    if (::rename(path_.c_str(), target.c_str()) != 0) {
      throw system_error("ir", errno, "cannot replace " + target);
    }
    renamed_ = true;
  }

 private:
  std::string path_;
  int fd_ = -1;
  bool renamed_ = false;
};

}  // namespace

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
    TemporaryFile temporary(file.path.string() + ".XXXXXX");
    temporary.write(file.text);
    temporary.rename_to(file.path.string());
  }
}

}  // namespace unum
