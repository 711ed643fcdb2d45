// See queue_invoker.hpp.
#include "hosts/redis_streams/queue_invoker.hpp"

#include <fmt/format.h>

namespace unum::streams {
namespace {

/// Between two looks whether there is room again.
constexpr std::chrono::milliseconds kRoomEvery{200};

}  // namespace

Task<void> QueueInvoker::invoke(Invocation invocation, Wait wait) {
  Message message;
  message.function = invocation.function;
  message.payload = std::move(invocation.payload).text();
  if (invocation.not_before > reactor_.wall_time()) {
    const Link link = co_await queue_.link(wait);
    co_await queue_.send(link, message, invocation.not_before, wait);
    co_return;
  }
  const Deadline give_up = reactor_.now() + options_.room_wait;
  for (;;) {
    const bool sent = co_await queue_.submit(message, options_.length_max, wait);
    if (sent) co_return;
    const Deadline next = reactor_.now() + kRoomEvery;
    if (next > give_up) {
      throw Error(ErrorKind::throttled, "redis", "Unum.QueueFull",
                  fmt::format("{} or more messages are in the queue redis:{} ({}): nothing was "
                              "sent; start more workers, or try again later",
                              options_.length_max, queue_.name(), queue_.keys().stream));
    }
    const bool came = co_await reactor_.sleep_until(std::min(next, wait.deadline), wait.stop);
    if (!came || reactor_.now() >= wait.deadline) {
      throw Error(came ? ErrorKind::timeout : ErrorKind::cancelled, "redis", "Unum.QueueFull",
                  "the wait for room in the queue redis:" + queue_.name() + " has ended");
    }
  }
}

}  // namespace unum::streams
