// See start.hpp.
#include "cli/start.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "reactor/descriptor_limit.hpp"
#include "unum/error.hpp"

namespace unum::cli {
namespace {

bool stdout_came_closed = false;

/// /dev/null on a descriptor that is closed, the other way round than it is used: reading from a
/// closed stdin and writing to a closed stdout stay errors. Where there is no /dev/null any file
/// that can be opened will do.
void hold(int fd, int flags) noexcept {
  if (::fcntl(fd, F_GETFD) >= 0) return;
  if (fd == STDOUT_FILENO) stdout_came_closed = true;
  int opened = ::open("/dev/null", flags);  // the lowest number that is free: `fd`
  if (opened < 0) opened = ::open("/", O_PATH | O_DIRECTORY);
  if (opened >= 0 && opened != fd) {
    ::dup2(opened, fd);
    ::close(opened);
  }
}

void put_signals_right() noexcept {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  // Ignored, it would take away how children ended: what succeeded could not be told.
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, nullptr);
  // A closed pipe, and a file beyond the limit of sizes, are errors of one write, which are told.
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

Error unusable(int error, const char* why) {
  const char* symbol = strerrorname_np(error);
  return Error(ErrorKind::denied, "cli", symbol != nullptr ? symbol : "stdout",
               std::string("cannot write to stdout: ") + why +
                   "; nothing was done (whoever does not want the output writes it to /dev/null)");
}

}  // namespace

void put_inherited_state_right() noexcept {
  hold(STDIN_FILENO, O_WRONLY);
  hold(STDOUT_FILENO, O_RDONLY);
  hold(STDERR_FILENO, O_WRONLY);
  put_signals_right();
  raise_descriptor_limit();
}

void require_stdout() {
  if (stdout_came_closed) throw unusable(EBADF, "it is closed");
  const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
  if (flags < 0) throw unusable(errno, "it is closed");
  if ((flags & O_ACCMODE) == O_RDONLY) throw unusable(EBADF, "it is open for reading only");
  struct stat status {};
  if (::fstat(STDOUT_FILENO, &status) != 0) return;
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) {
    pollfd entry{STDOUT_FILENO, POLLOUT, 0};
    if (::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLERR | POLLHUP)) != 0) {
      throw unusable(EPIPE, "nobody reads it any more");
    }
  } else if (S_ISCHR(status.st_mode) && ::write(STDOUT_FILENO, "", 0) < 0 && errno == ENOSPC) {
    throw unusable(ENOSPC, "it is full (No space left on device)");
  }
}

}  // namespace unum::cli
