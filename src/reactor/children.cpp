// See children.hpp.
#include "reactor/children.hpp"

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <vector>

namespace unum::children {
namespace {

/// From <linux/pidfd.h> of Linux 6.15: what PIDFD_GET_INFO fills in, in its first version.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t ids[11];
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kInfoExit = 1u << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

std::mutex mutex;
std::vector<pid_t> ours;

bool is_ours(pid_t pid) noexcept { return std::find(ours.begin(), ours.end(), pid) != ours.end(); }

/// The limit that a container has; nothing where there is none, or it is not to be seen.
std::string container_limit() {
  std::string path;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool unified = line.starts_with("0::");
    const bool pids = line.find(":pids:") != std::string::npos;
    if (!unified && !pids) continue;
    const std::string group = line.substr(line.rfind(':') + 1);
    const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
    for (const std::string& place : {root + group, root}) {
      std::ifstream file(place + "/pids.max");
      std::string limit;
      if (file >> limit && limit != "max") return "pids.max of its container, " + limit;
    }
  }
  return {};
}

}  // namespace

std::optional<int> status_after_reaping(int pidfd) noexcept {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (::ioctl(pidfd, kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return std::nullopt;
  return info.exit_code;
}

Birth::Birth() : lock_(mutex) {
  ours.reserve(ours.size() + 1);  // so that what has happened can be noted
}

void Birth::happened(pid_t pid) noexcept { ours.push_back(pid); }

void forget(pid_t pid) noexcept {
  const std::lock_guard lock(mutex);
  const auto found = std::find(ours.begin(), ours.end(), pid);
  if (found == ours.end()) return;
  *found = ours.back();
  ours.pop_back();
}

bool adopts_orphans() noexcept {
  int subreaper = 0;
  return ::getpid() == 1 || (::prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

bool reap_orphans() noexcept {
  const std::lock_guard lock(mutex);
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno == EINTR) continue;
      return true;  // no children at all
    }
    if (info.si_pid == 0) return true;
    if (is_ours(info.si_pid)) return false;
    ::waitpid(info.si_pid, nullptr, WNOHANG);
  }
}

std::string process_limits_text(int error) {
  if (error != EAGAIN) return {};
  std::string text = ": no more processes may be started";
  rlimit limit{};
  if (::getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    text += ": the user's limit (ulimit -u) is " + std::to_string(limit.rlim_cur);
  }
  const std::string container = container_limit();
  if (!container.empty()) text += (limit.rlim_cur != RLIM_INFINITY ? ", " : ": ") + container;
  return text;
}

}  // namespace unum::children
