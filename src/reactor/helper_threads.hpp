// A few helper threads for requests that the kernel can only do by blocking.
//
// Shared by both ports: EpollPort does all file operations here, UringPort only `Opcode::call`.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "reactor/descriptor.hpp"
#include "reactor/port.hpp"

namespace unum {

class HelperThreads {
 public:
  /// Throws `exhausted` when there is no descriptor for the event counter.
  explicit HelperThreads(unsigned threads_max);
  ~HelperThreads();
  HelperThreads(const HelperThreads&) = delete;
  HelperThreads& operator=(const HelperThreads&) = delete;

  /// An eventfd, readable when `collect` has something.
  int event_fd() const noexcept { return event_.get(); }

  /// Hands over operations; called with all of a tick's at once, so that one wake-up serves many.
  /// 0, or a negative errno, with `operations` left as it was, when not even one thread could be
  /// started.
  int submit(OperationList& operations) noexcept;
  /// Takes back an operation that no thread has begun. False: it will come out of `collect`.
  bool take_back(Operation& operation) noexcept;
  /// Moves finished operations (their result set) to `finished` and clears the event.
  void collect(OperationList& finished) noexcept;

 private:
  void run() noexcept;
  void start_threads(std::size_t wanted) noexcept;

  const unsigned threads_max_;
  Descriptor event_;
  std::mutex mutex_;
  std::condition_variable work_;
  OperationList waiting_;
  std::size_t waiting_count_ = 0;
  OperationList finished_;
  unsigned idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace unum
