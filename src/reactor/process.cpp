// Spawning by a clone that shares memory until the program runs, waiting by pidfd.
//
// The child must not touch anything but system calls: it runs in the parent's memory, on a stack of
// its own, while the parent's thread stands still. What it needs is made before; what fails it
// leaves in `Plan`, where the parent reads it.
#include "reactor/process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "reactor/children.hpp"
#include "reactor/descriptor_limit.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

// execve, prctl and the like need little; the rest is room for what a libc may do in them.
constexpr std::size_t kChildStackBytes = 64 * 1024;

enum class Step { none, group, directory, descriptors, program };

/// All that the child needs, as plain pointers, and what it leaves behind.
struct Plan {
  char** argv = nullptr;
  char** environment = nullptr;
  char** candidates = nullptr;  ///< Paths of the program, in the order of PATH.
  SpawnOptions::Mapping* descriptors = nullptr;
  std::size_t descriptor_count = 0;
  const char* directory = nullptr;
  bool own_group = false;
  pid_t parent = 0;
  rlimit descriptors_max{};
  Step failed = Step::none;
  int error = 0;
};

/// The stack of the child until its program runs.
class ChildStack {
 public:
  ChildStack()
      : base_(::mmap(nullptr, kChildStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
    if (base_ == MAP_FAILED) throw system_error("process", errno, "mmap of a child's first stack");
  }
  ~ChildStack() { ::munmap(base_, kChildStackBytes); }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  void* top() const noexcept { return static_cast<char*>(base_) + kChildStackBytes; }

 private:
  void* base_;
};

/// Keeps every signal from the parent while the child uses its memory: a handler must not run
/// there.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// The sanitizers' instrumentation would write to the shadow of a stack that is not the thread's.
#define UNUM_IN_CHILD __attribute__((no_sanitize("address", "undefined"), noinline))

UNUM_IN_CHILD void reset_signals() noexcept {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action;
    if (::sigaction(signal, nullptr, &action) != 0) continue;
    // What was ignored stays so (nohup), but for what a program must ask for itself: without
    // SIGCHLD it could not tell how its own children ended.
    const bool stays = signal != SIGPIPE && signal != SIGCHLD && signal != SIGXFSZ;
    if (action.sa_handler == SIG_DFL || (action.sa_handler == SIG_IGN && stays)) continue;
    action.sa_handler = SIG_DFL;
    action.sa_flags = 0;
    ::sigaction(signal, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// First away from all targets, then to them: a target may be another mapping's source.
UNUM_IN_CHILD bool map_descriptors(SpawnOptions::Mapping* first, std::size_t count) noexcept {
  int beyond = 3;
  for (std::size_t i = 0; i < count; ++i) {
    if (first[i].child >= beyond) beyond = first[i].child + 1;
  }
  for (std::size_t i = 0; i < count; ++i) {
    first[i].parent = ::fcntl(first[i].parent, F_DUPFD_CLOEXEC, beyond);
    if (first[i].parent < 0) return false;
  }
  // What some library opened without close-on-exec is not the child's business. Linux 5.11; before,
  // what this library opened is closed all the same.
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  for (std::size_t i = 0; i < count; ++i) {
    if (::dup2(first[i].parent, first[i].child) < 0) return false;
  }
  return true;
}

UNUM_IN_CHILD void run_program(Plan& plan) noexcept {
  int error = ENOENT;
  for (char** candidate = plan.candidates; *candidate != nullptr; ++candidate) {
    ::execve(*candidate, plan.argv, plan.environment);
    // As execvp does: go on where the program is not, but remember that one might not be run.
    if (errno == EACCES) {
      error = EACCES;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      error = errno;
      break;
    }
  }
  errno = error;
}

UNUM_IN_CHILD int child_main(void* address) noexcept {
  Plan& plan = *static_cast<Plan*>(address);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // the parent died before it could count
  Step step = Step::group;
  if (!plan.own_group || ::setpgid(0, 0) == 0) {
    step = Step::directory;
    if (plan.directory == nullptr || ::chdir(plan.directory) == 0) {
      step = Step::descriptors;
      if (map_descriptors(plan.descriptors, plan.descriptor_count)) {
        reset_signals();
        ::setrlimit(RLIMIT_NOFILE, &plan.descriptors_max);
        step = Step::program;
        run_program(plan);
      }
    }
  }
  plan.error = errno;
  plan.failed = step;
  ::_exit(127);
}

std::vector<std::string> candidates_of(const std::string& program) {
  if (program.find('/') != std::string::npos) return {program};
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  std::vector<std::string> candidates;
  while (true) {
    const std::size_t colon = rest.find(':');
    std::string directory(rest.substr(0, colon));
    if (directory.empty()) directory = ".";
    candidates.push_back(directory + "/" + program);
    if (colon == std::string_view::npos) return candidates;
    rest.remove_prefix(colon + 1);
  }
}

/// The texts as execve wants them; they must outlive the result.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Whether a lack that may pass kept the program from running: it says nothing of the program.
bool is_shortage(int error) noexcept {
  return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

/// Why a program that is there cannot be run, where the system's words do not say it.
std::string hint(const std::string& program, int error) {
  const bool searched = program.find('/') == std::string::npos;
  const bool is_there = !searched && ::access(program.c_str(), F_OK) == 0;
  struct statvfs place {};
  switch (error) {
    case ENOENT:
      if (searched) return " (looked for it in PATH)";
      return is_there ? " (what it says is its interpreter does not exist)" : "";
    case ENOEXEC:
      return " (it is neither a program for this machine nor a script whose first line is "
             "#!INTERPRETER)";
    case EACCES:
      if (::statvfs(program.c_str(), &place) != 0 || (place.f_flag & ST_NOEXEC) == 0) return "";
      return " (its file system is mounted with noexec)";
    default: return "";
  }
}

[[noreturn]] void throw_spawn_error(const SpawnOptions& options, const Plan& plan) {
  const std::string program = "the program \"" + options.argv.front() + "\"";
  if (is_shortage(plan.error)) {
    throw system_error("process", plan.error,
                       program + " cannot be run" + children::process_limits_text(plan.error));
  }
  switch (plan.failed) {
    case Step::directory:
      throw ProgramError(
          system_error("process", plan.error,
                       program + " cannot start in the directory \"" + options.directory + "\""));
    case Step::descriptors:
      throw system_error("process", plan.error, program + " cannot be given its descriptors");
    case Step::group:
      throw system_error("process", plan.error, program + " cannot be given a process group");
    default: break;
  }
  throw ProgramError(system_error(
      "process", plan.error, program + " cannot be run" + hint(options.argv.front(), plan.error)));
}

int wait_for(int pidfd, siginfo_t& info, int flags) noexcept {
  int result = 0;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, flags);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

std::string to_string(const ExitStatus& status) {
  if (!status.known) return "an unknown status (this process ignores SIGCHLD)";
  if (status.signal == 0) return "exit code " + std::to_string(status.code);
  const char* name = ::sigabbrev_np(status.signal);
  return "signal " + std::to_string(status.signal) +
         (name != nullptr ? std::string(" (SIG") + name + ")" : std::string());
}

Process Process::spawn(const SpawnOptions& options) {
  if (options.argv.empty() || options.argv.front().empty()) {
    throw Error(ErrorKind::invalid, "process", "argv", "no program was named for a child process");
  }
  std::vector<char*> argv = pointers_to(options.argv);
  std::vector<char*> environment;
  if (options.environment) environment = pointers_to(*options.environment);
  const std::vector<std::string> candidates = candidates_of(options.argv.front());
  std::vector<char*> candidate_pointers = pointers_to(candidates);
  std::vector<SpawnOptions::Mapping> descriptors = options.descriptors;
  Plan plan;
  plan.argv = argv.data();
  plan.environment = options.environment ? environment.data() : environ;
  plan.candidates = candidate_pointers.data();
  plan.descriptors = descriptors.data();
  plan.descriptor_count = descriptors.size();
  plan.directory = options.directory.empty() ? nullptr : options.directory.c_str();
  plan.own_group = options.own_group;
  plan.parent = ::getpid();
  plan.descriptors_max = descriptor_limit_of_children();
  Process process;
  int pidfd = -1;
  pid_t pid = -1;
  int clone_error = 0;
  {
    const ChildStack stack;
    children::Birth birth;
    const AllSignalsBlocked blocked;
    pid = ::clone(&child_main, stack.top(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan,
                  &pidfd);
    clone_error = errno;
    if (pid > 0) birth.happened(pid);
  }
  if (pid < 0) {
    throw system_error("process", clone_error,
                       "a process for the program \"" + options.argv.front() + "\"" +
                           children::process_limits_text(clone_error));
  }
  process.pid_ = pid;
  process.own_group_ = options.own_group;
  process.pidfd_ = Descriptor(pidfd);
  if (plan.failed == Step::none) return process;
  process.reap(true);
  throw_spawn_error(options, plan);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      own_group_(other.own_group_),
      pidfd_(std::move(other.pidfd_)),
      status_(std::exchange(other.status_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    end_now();
    pid_ = std::exchange(other.pid_, -1);
    own_group_ = other.own_group_;
    pidfd_ = std::move(other.pidfd_);
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

bool Process::reap(bool block) noexcept {
  siginfo_t info{};
  // Look first and reap after: until then the id of the child, and so of its group, is nobody
  // else's.
  const int peek = WEXITED | WNOWAIT | (block ? 0 : WNOHANG);
  if (wait_for(pidfd_.get(), info, peek) == 0 && info.si_pid == 0) return false;
  if (own_group_ && info.si_pid == pid_) ::kill(-pid_, SIGKILL);
  ExitStatus status;
  if (wait_for(pidfd_.get(), info, WEXITED) == 0) {
    const bool exited = info.si_code == CLD_EXITED;
    status = exited ? ExitStatus{info.si_status, 0} : ExitStatus{0, info.si_status};
  } else if (const auto known = children::status_after_reaping(pidfd_.get())) {
    // ECHILD: somebody ignores SIGCHLD, or waited for ours.
    status =
        WIFSIGNALED(*known) ? ExitStatus{0, WTERMSIG(*known)} : ExitStatus{WEXITSTATUS(*known), 0};
  } else {
    status.known = false;
  }
  children::forget(pid_);
  status_ = status;
  pidfd_.reset();
  return true;
}

Task<std::optional<ExitStatus>> Process::wait_exit(Reactor& reactor, Wait wait) {
  UNUM_ASSERT(running() || status_);
  while (!status_) {
    const int result = co_await reactor.poll(pidfd_.get(), POLLIN, wait);
    if (!status_ && !reap(false) && result < 0) {
      if (result == -ETIME || result == -ECANCELED) co_return std::nullopt;
      throw system_error("process", -result, "waiting for a child process");
    }
  }
  co_return status_;
}

Task<ExitStatus> Process::end(Reactor& reactor, Deadline patience) {
  kill(SIGTERM);
  std::optional<ExitStatus> ended = co_await wait_exit(reactor, Wait{patience, {}});
  if (!ended) {
    kill(SIGKILL);
    ended = co_await wait_exit(reactor);
  }
  co_return *ended;
}

void Process::kill(int signal) noexcept {
  if (!running()) return;
  const auto send = [&](int number) {
    return ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0u);
  };
  if (own_group_) {
    // Somebody else may have waited for it: its id is then no longer its own.
    if (send(0) != 0 && errno == ESRCH) return;
    ::kill(-pid_, signal);
  } else if (send(signal) != 0 && errno != ESRCH) {
    ::kill(pid_, signal);  // a filter does not know pidfds
  }
}

void Process::end_now() noexcept {
  if (!running()) return;
  kill(SIGKILL);
  reap(true);
}

}  // namespace unum
