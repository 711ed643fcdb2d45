// Opening and opening again.
#include "reactor/redis/node.hpp"

#include <algorithm>
#include <utility>

#include "unum/error.hpp"

namespace unum::redis {

std::shared_ptr<Connection> Node::current() noexcept {
  const bool usable = connection_ && connection_->alive() &&
                      !connection_->stalled(reactor_.now(), patience_.silence);
  if (!usable) connection_.reset();
  return connection_;
}

void Node::end(const std::string& reason) noexcept {
  if (connection_) connection_->end(reason);
}

Task<std::shared_ptr<Connection>> Node::connection(Wait wait) {
  for (;;) {
    if (std::shared_ptr<Connection> usable = current()) co_return usable;
    if (!opening_) break;
    const std::uint64_t failed_before = failed_;
    const int woken = co_await opening_ended_.wait(reactor_, wait);
    if (woken < 0) throw_wait_ended(woken, wait, "waiting for " + address_.endpoint());
    if (failed_ != failed_before) std::rethrow_exception(failure_);
  }
  struct Opening {
    Node& node;
    ~Opening() {
      node.opening_ = false;
      node.opening_ended_.wake_all();
    }
  };
  opening_ = true;
  const Opening opening{*this};
  co_return co_await open(wait);
}

Task<std::shared_ptr<Connection>> Node::open(Wait wait) {
  if (not_before_ > reactor_.now()) {
    const bool in_time = not_before_ < wait.deadline;
    const bool came =
        co_await reactor_.sleep_until(std::min(not_before_, wait.deadline), wait.stop);
    if (!came) throw_wait_ended(-ECANCELED, wait, "waiting for " + address_.endpoint());
    if (!in_time) {
      if (failure_) std::rethrow_exception(failure_);
      throw_wait_ended(-ETIME, wait, "waiting for " + address_.endpoint());
    }
  }
  Wait connecting = wait;
  connecting.deadline = std::min(wait.deadline, reactor_.now() + patience_.connect);
  try {
    connection_ = co_await Connection::open(reactor_, address_, connecting);
    ++opened_;
    failed_in_a_row_ = 0;
    co_return connection_;
  } catch (const Error& error) {
    const bool callers_own =
        error.kind() == ErrorKind::cancelled ||
        (error.kind() == ErrorKind::timeout && wait.deadline <= reactor_.now());
    if (!callers_own) {
      failure_ = std::current_exception();
      ++failed_;
      not_before_ = reactor_.now() + kBackoff.pause(failed_in_a_row_++, reactor_.random_fraction());
    }
    throw;
  }
}

}  // namespace unum::redis
