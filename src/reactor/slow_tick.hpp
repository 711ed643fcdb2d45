// A tick that ran long holds up everything else on its thread: it is told in the log.
#pragma once

#include <chrono>
#include <string>

#include "base/activity.hpp"
#include "base/log.hpp"
#include "reactor/port.hpp"
#include "unum/time.hpp"

namespace unum {

/// Measures what runs while it lives, if the log wants to know.
class SlowTick {
 public:
  /// Above what a disk or a signature takes, below what a person notices.
  static constexpr std::chrono::milliseconds kLong{50};

  explicit SlowTick(Port& port) noexcept : port_(port) {
    if (log::is_on(LogLevel::warn, LogArea::reactor)) begun_ = port_.now();
  }
  ~SlowTick() {
    if (begun_ != Deadline{}) tell(port_.now() - begun_);
  }
  SlowTick(const SlowTick&) = delete;
  SlowTick& operator=(const SlowTick&) = delete;

 private:
  static void tell(Clock::duration took) noexcept {
    if (took < kLong) return;
    log::warn(LogArea::reactor, "a tick ran for {} ms; the last to change in it: {}",
              std::chrono::duration_cast<std::chrono::milliseconds>(took).count(),
              Activity::last_changed());
  }
  Port& port_;
  Deadline begun_{};
};

}  // namespace unum
