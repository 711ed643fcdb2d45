// Whether the next of many files is in the page cache, so that a plain read of it does not wait.
//
// preadv2(RWF_NOWAIT) never waits for the disk, but costs 4 % of a small value's read more than a
// plain one. So a file in eight is asked for so; when its data was there, the seven after it are
// read plainly. A run that took long has met the disk: from then on each file is asked for, and so
// it goes on after any that was not there, until many in a row were. So what blocks the loop is at
// most one run of plain reads between long stretches of others.
#pragma once

#include <chrono>

#include "unum/reactor.hpp"

namespace unum::fs {

class CacheGuess {
 public:
  static constexpr int kRun = 7;
  /// Files in a row whose data must have been there, after one whose data was not.
  static constexpr int kHitsAfterMiss = 64;
  /// A run from the page cache takes 30 us with small values, and with those of 64 KB 100 us; one
  /// read of a disk takes longer than this or is no trouble.
  static constexpr std::chrono::microseconds kRunTimeMax{500};

  explicit CacheGuess(Reactor& reactor) noexcept : reactor_(reactor) {}

  /// Whether to read the next file plainly (and to say `was_read`), or to ask (and `was_asked`).
  bool is_cached() const noexcept { return run_left_ > 0; }

  void was_read() noexcept { was_read(run_left_ == 1 ? reactor_.exact_now() : begun_); }
  void was_asked(bool was_cached) noexcept {
    was_asked(was_cached, was_cached && hits_needed_ == 0 ? reactor_.exact_now() : begun_);
  }
  /// Other things have happened since the last file: the run that was under way is over.
  void restart() noexcept { run_left_ = 0; }

  // The same with the time given, for tests.
  void was_read(Deadline now) noexcept {
    if (--run_left_ == 0 && now - begun_ > kRunTimeMax) hits_needed_ = kHitsAfterMiss;
  }
  void was_asked(bool was_cached, Deadline now) noexcept {
    run_left_ = 0;
    if (!was_cached) {
      hits_needed_ = kHitsAfterMiss;
    } else if (hits_needed_ > 0) {
      --hits_needed_;
    } else {
      run_left_ = kRun;
      begun_ = now;
    }
  }

 private:
  Reactor& reactor_;
  int run_left_ = 0;
  int hits_needed_ = 0;
  Deadline begun_{};
};

}  // namespace unum::fs
