// Puts invocations that come from outside into a queue: the entry of a workflow, by `unum invoke`.
#pragma once

#include <cstddef>

#include "hosts/platform_invoker.hpp"
#include "hosts/redis_streams/queue.hpp"
#include "unum/runtime.hpp"

namespace unum::streams {

/// What a message of this size or less is sent by value; results that are larger as pointers.
inline constexpr std::size_t kPayloadBytesMax = 256u * 1024;
/// For how long the queue keeps a message back: the sorted set has no limit of its own.
inline constexpr std::chrono::milliseconds kDelayMax = std::chrono::hours(24 * 366);

struct QueueInvokerOptions {
  /// While so many messages or more are there, an invocation waits for room,
  std::size_t length_max = 1'000'000;
  /// for at most so long; then it is refused.
  std::chrono::milliseconds room_wait{60'000};
};

/// The queue is open, and outlives this object.
class QueueInvoker final : public Invoker {
 public:
  QueueInvoker(Reactor& reactor, Queue& queue, QueueInvokerOptions options = {})
      : reactor_(reactor), queue_(queue), options_(options) {}

  /// Throws `throttled`, code "Unum.QueueFull", if there was no room in time; nothing was sent
  /// then.
  Task<void> invoke(Invocation invocation, Wait wait) override;
  std::size_t payload_bytes_max() const noexcept override { return kPayloadBytesMax; }
  std::chrono::milliseconds delay_max() const noexcept override { return kDelayMax; }

 private:
  Reactor& reactor_;
  Queue& queue_;
  const QueueInvokerOptions options_;
};

/// For `unum invoke redis:NAME`: the application's queue at the server `where`.
Task<std::unique_ptr<PlatformInvoker>> open_queue_platform(Reactor& reactor,
                                                           const CheckedApplication& application,
                                                           std::string_view where, Wait wait);

}  // namespace unum::streams
