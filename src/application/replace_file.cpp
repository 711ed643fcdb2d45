// See replace_file.hpp.
#include "application/replace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "unum/error.hpp"

namespace unum {
namespace {

/// What `open` would give it: a temporary file is its owner's alone.
mode_t mode_of_new_file() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

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
    const bool is_there = ::stat(target.c_str(), &status) == 0;
    if (::fchmod(fd_, is_there ? status.st_mode & 07777 : mode_of_new_file()) != 0) {
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

void replace_file(const std::string& path, std::string_view text) {
  TemporaryFile temporary(path + ".XXXXXX");
  temporary.write(text);
  temporary.rename_to(path);
}

}  // namespace unum
