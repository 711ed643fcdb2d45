// Helper threads: a queue in, a queue out, an eventfd to wake the reactor.
#include "reactor/helper_threads.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>

#include "unum/error.hpp"

namespace unum {

HelperThreads::HelperThreads(unsigned threads_max) : threads_max_(std::max(1u, threads_max)) {
  event_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_) throw system_error("reactor", errno, "eventfd");
  threads_.reserve(threads_max_);
}

HelperThreads::~HelperThreads() {
  {
    const std::lock_guard lock(mutex_);
    UNUM_ASSERT(waiting_.empty() && finished_.empty());
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

int HelperThreads::submit(OperationList& operations) noexcept {
  std::size_t added = 0;
  for (Operation* operation = operations.front(); operation != nullptr;
       operation = operation->next) {
    ++added;
  }
  {
    const std::lock_guard lock(mutex_);
    if (const std::size_t wanted = waiting_count_ + added; wanted > idle_) {
      start_threads(wanted - idle_);
    }
    if (threads_.empty()) return -EAGAIN;
    while (Operation* operation = operations.pop_front()) waiting_.push_back(*operation);
    waiting_count_ += added;
  }
  if (added == 1) {
    work_.notify_one();
  } else {
    work_.notify_all();
  }
  return 0;
}

void HelperThreads::start_threads(std::size_t wanted) noexcept {
  if (threads_.size() == threads_max_) return;
  // Signals are the main thread's: a helper that took one would hide it from a signalfd.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (wanted-- > 0 && threads_.size() < threads_max_) {
    try {
      threads_.emplace_back([this] { run(); });
    } catch (const std::exception&) {
      break;  // No thread or no memory: fewer threads do the work, too.
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool HelperThreads::take_back(Operation& operation) noexcept {
  const std::lock_guard lock(mutex_);
  for (Operation* waiting = waiting_.front(); waiting != nullptr; waiting = waiting->next) {
    if (waiting == &operation) {
      waiting_.remove(operation);
      --waiting_count_;
      return true;
    }
  }
  return false;
}

void HelperThreads::collect(OperationList& finished) noexcept {
  std::uint64_t count = 0;
  // The counter only says "look"; nothing there means that an earlier look has seen it all.
  [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  while (Operation* operation = finished_.pop_front()) finished.push_back(*operation);
}

void HelperThreads::run() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    while (waiting_.empty() && !stopping_) {
      ++idle_;
      work_.wait(lock);
      --idle_;
    }
    if (stopping_) return;
    Operation* operation = waiting_.pop_front();
    --waiting_count_;
    lock.unlock();
    operation->result = execute_blocking(operation->request);
    lock.lock();
    const bool first = finished_.empty();
    finished_.push_back(*operation);
    if (first) {
      // Later ones ride on this one's event: `collect` takes all.
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t sent = ::write(event_.get(), &one, sizeof one);
    }
  }
}

namespace {

/// One attempt: -1 and errno, or the result.
long attempt(const Request& r) noexcept {
  const auto path = static_cast<const char*>(r.address2);
  switch (r.opcode) {
    case Opcode::nop: return 0;
    case Opcode::open_at: return ::openat(r.fd, path, static_cast<int>(r.flags), r.mode);
    case Opcode::close: return ::close(r.fd);
    case Opcode::read: return ::pread(r.fd, r.address, r.length, static_cast<off_t>(r.offset));
    case Opcode::write: return ::pwrite(r.fd, r.address2, r.length, static_cast<off_t>(r.offset));
    case Opcode::stream_read: return ::read(r.fd, r.address, r.length);
    case Opcode::stream_write: return ::write(r.fd, r.address2, r.length);
    case Opcode::sync_data: return ::fdatasync(r.fd);
    case Opcode::sync_all: return ::fsync(r.fd);
    case Opcode::statx:
      return ::statx(r.fd, path, static_cast<int>(r.flags), r.mode,
                     static_cast<struct ::statx*>(r.address));
    case Opcode::link_at:
      return ::linkat(r.fd, static_cast<const char*>(r.address), r.fd2, path,
                      static_cast<int>(r.flags));
    case Opcode::rename_at:
      return ::renameat2(r.fd, static_cast<const char*>(r.address), r.fd2, path, r.flags);
    case Opcode::unlink_at: return ::unlinkat(r.fd, path, static_cast<int>(r.flags));
    case Opcode::make_dir_at: return ::mkdirat(r.fd, path, r.mode);
    case Opcode::poll:
      errno = EINVAL;  // readiness is not this function's
      return -1;
    case Opcode::call: break;
  }
  UNUM_ASSERT(!"not a system call");
}

}  // namespace

int execute_once(const Request& request) noexcept {
  if (request.opcode == Opcode::call) {
    using Function = int (*)(void*) noexcept;
    return reinterpret_cast<Function>(request.offset)(request.address);
  }
  const long result = attempt(request);
  return result >= 0 ? static_cast<int>(result) : -errno;
}

int execute_blocking(const Request& request) noexcept {
  while (true) {
    const int result = execute_once(request);
    // A close has taken place all the same; what a call answers is its own.
    const bool once = request.opcode == Opcode::close || request.opcode == Opcode::call;
    if (result != -EINTR || once) return result;
  }
}

}  // namespace unum
