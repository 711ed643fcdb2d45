// The system calls of the file-system store: one table, which tests replace by one that fails.
//
// On a local file system the kernel answers nearly everything from memory, and a call is made in
// place. On a slow one (over a network, or of another process) each may take milliseconds and goes
// by the reactor. What always waits for the disk always goes by the reactor.
#pragma once

#include <sys/stat.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string_view>
#include <vector>

#include "reactor/files.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::fs {

using detail::Opcode;
using detail::OperationAwaiter;
using detail::Request;

class SystemCalls;

/// One call, awaited at once: >= 0, or a negative errno; -ETIME or -ECANCELED when the wait ended
/// first. A call in place ignores its wait.
class [[nodiscard]] SystemCall final {
 public:
  SystemCall(SystemCalls& calls, const Request& request, const Wait& wait, bool in_place) noexcept
      : calls_(calls), request_(request), wait_(wait), in_place_(in_place) {}
  SystemCall(const SystemCall&) = delete;
  SystemCall& operator=(const SystemCall&) = delete;
  ~SystemCall() {
    if (begun_) operation_.~OperationAwaiter();
  }
  bool await_ready() noexcept;
  bool await_suspend(std::coroutine_handle<> waiter);
  int await_resume() noexcept { return begun_ ? operation_.await_resume() : result_; }

 private:
  SystemCalls& calls_;
  const Request request_;
  const Wait wait_;
  const bool in_place_;
  bool begun_ = false;
  int result_ = 0;
  union {
    OperationAwaiter operation_;  ///< Once it has begun.
  };
};

class SystemCalls {
 public:
  explicit SystemCalls(Reactor& reactor) noexcept : reactor_(reactor) {}
  virtual ~SystemCalls() = default;
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;

  // --- The table, which is what a test replaces: >= 0, or a negative errno ------------------

  /// One attempt, in place; -EINTR when a signal broke it off.
  virtual int execute(const Request& request) noexcept;
  /// By the reactor, which repeats what a signal broke off.
  virtual OperationAwaiter submit(const Request& request, const Wait& wait);
  /// Opens a file to read that the kernel has cached; -EAGAIN for what would need the disk, and for
  /// a name that was never looked up. Kernels before 5.12 and some sandboxes have no such
  /// call: there, and where `waits_never` says that nothing is on the disk only, it is a plain
  /// open.
  virtual int open_cached(int directory, const char* file, bool waits_never) noexcept;
  /// -EAGAIN for what would need the disk, and for all that is wrong: a waiting read tells it.
  virtual long read_cached(int fd, std::span<char> buffer, std::size_t offset) noexcept;
  virtual int stat(int fd, struct ::stat& out) noexcept;
  /// Whether there is a file of this name: 0, or -ENOENT, or what is wrong.
  virtual int check_exists(int directory, const char* file) noexcept;
  /// Appends the entries of a directory, without "." and "..".
  virtual int list(int directory, std::vector<DirectoryEntry>& out) noexcept;
  /// Begins to write a file's data to the disk. Only a hint.
  virtual void start_writing(int fd) noexcept;
  /// The time that the kernel stamps files with just now: a change that is stamped earlier has been
  /// made.
  virtual timespec stamp_time() noexcept;

  // --- The calls, made of them --------------------------------------------------------------

  /// Paths and buffers must live until the call has returned.
  SystemCall open_at(int directory, const char* path, int flags, unsigned mode,
                     const Wait& wait = {}) noexcept;
  /// The same by the reactor in any case, for what is not cached.
  SystemCall open_waiting(int directory, const char* path, int flags,
                          const Wait& wait = {}) noexcept;
  SystemCall read_waiting(int fd, std::span<std::byte> buffer, std::size_t offset,
                          const Wait& wait = {}) noexcept;
  /// In place what takes no longer than others can wait: up to 256 KiB.
  SystemCall write(int fd, std::string_view bytes, std::uint64_t offset,
                   const Wait& wait = {}) noexcept;
  SystemCall link_at(int from_directory, const char* from, int to_directory, const char* to,
                     int flags, const Wait& wait = {}) noexcept;
  SystemCall rename_at(int directory, const char* from, const char* to,
                       const Wait& wait = {}) noexcept;
  SystemCall unlink_at(int directory, const char* path, int flags, const Wait& wait = {}) noexcept;
  SystemCall make_dir_at(int directory, const char* path, unsigned mode,
                         const Wait& wait = {}) noexcept;
  SystemCall statx(int directory, const char* path, int flags, unsigned mask, struct ::statx& out,
                   const Wait& wait = {}) noexcept;
  SystemCall sync_data(int fd) noexcept;
  SystemCall sync_all(int fd) noexcept;
  /// Of the file system that the descriptor at `fd` is on; it must live until the call has
  /// returned.
  SystemCall sync_file_system(int& fd) noexcept;

  /// An open that was refused for want of descriptors, tried again for a while. Throws `exhausted`
  /// in the end.
  Task<int> open_patiently(int directory, const char* path, int flags, unsigned mode, Wait wait);
  /// What is in a directory. Throws, naming it.
  Task<std::vector<DirectoryEntry>> entries(int directory, Wait wait);
  /// The same in place and at once, for destructors.
  void remove_now(int directory, const char* path) noexcept;
  /// Whether the directory was removed while it was open here: there may be a new one of its name.
  bool is_gone(int directory) noexcept;

  Reactor& reactor() const noexcept { return reactor_; }
  bool is_slow() const noexcept { return is_slow_; }
  /// Found out when the store is opened.
  void set_slow(bool slow) noexcept { is_slow_ = slow; }

 private:
  SystemCall call(const Request& request, const Wait& wait) noexcept {
    return {*this, request, wait, !is_slow_};
  }

  Reactor& reactor_;
  bool is_slow_ = false;
};

inline bool SystemCall::await_ready() noexcept {
  if (!in_place_) return false;
  do result_ = calls_.execute(request_);
  while (result_ == -EINTR);
  return true;
}

}  // namespace unum::fs
