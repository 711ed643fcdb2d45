// See queue_invoker.hpp.
#include "hosts/redis_streams/queue_invoker.hpp"

#include <fmt/format.h>

namespace unum::streams {
namespace {

/// Between two looks whether there is room again.
constexpr std::chrono::milliseconds kRoomEvery{200};

/// A queue, and what sends to it.
class QueuePlatform final : public PlatformInvoker {
 public:
  QueuePlatform(Reactor& reactor, std::string_view name, std::string_view application)
      : queue_(reactor, name, application), invoker_(reactor, queue_) {}

  Task<void> open(Wait wait) { return queue_.open(wait); }
  Task<void> invoke(Invocation invocation, Wait wait) override {
    return invoker_.invoke(std::move(invocation), wait);
  }
  std::size_t payload_bytes_max() const noexcept override { return invoker_.payload_bytes_max(); }
  std::chrono::milliseconds delay_max() const noexcept override { return invoker_.delay_max(); }
  Task<void> close() override {
    queue_.close();
    co_return;
  }

 private:
  Queue queue_;
  QueueInvoker invoker_;
};

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

Task<std::unique_ptr<PlatformInvoker>> open_queue_platform(Reactor& reactor,
                                                           const CheckedApplication& application,
                                                           std::string_view where, Wait wait) {
  // Of redis://HOST the scheme was taken off.
  const std::string name = (where.starts_with("//") ? "redis:" : "") + std::string(where);
  auto platform = std::make_unique<QueuePlatform>(reactor, name, application.name());
  co_await platform->open(wait);
  co_return std::unique_ptr<PlatformInvoker>(std::move(platform));
}

}  // namespace unum::streams
