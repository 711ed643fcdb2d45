// The time that a call has left while its event comes in pieces.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "unum/reactor.hpp"
#include "unum/time.hpp"

namespace unum {

/// Passes while the worker is waited for, and stands still while the next piece of its event is.
class CallTime {
 public:
  /// `limit` 0: none.
  CallTime(Reactor& reactor, std::chrono::milliseconds limit)
      : reactor_(reactor), is_limited_(limit.count() > 0), left_(limit), since_(reactor.now()) {}

  void stand_still() { left_ -= reactor_.now() - since_; }
  void go_on() { since_ = reactor_.now(); }
  /// While it passes: when it is over, kNoDeadline if never.
  Deadline end() const { return is_limited_ ? since_ + left_ : kNoDeadline; }
  Deadline end(Deadline other) const { return std::min(other, end()); }

 private:
  Reactor& reactor_;
  const bool is_limited_;
  Clock::duration left_;
  Deadline since_;
};

}  // namespace unum
