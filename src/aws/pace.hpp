// How fast requests leave: without any limit until the service asks for a slower pace, then at a
// rate that is cut when it goes on refusing and grows while it answers.
//
// What the SDKs' "adaptive" retry mode does, with its constants (cut to 0.7, cubic growth of 0.4),
// and three differences that many requests in flight and tables of many partitions ask for: the
// rate begins from what the service answered, not from what was sent; all that was under way when
// the rate was cut cuts it once; and a tenth of refusals is borne, since one key may be throttled
// alone. docs/decisions/0011-signing.md.
#pragma once

#include <cstdint>

#include "unum/detail/wait_list.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum {

class Pace {
 public:
  /// Requests a second. Nobody is burdened by fewer, so a rate is never cut to less.
  static constexpr double kRateMin = 5;
  /// All calls together while the service does not answer at all.
  static constexpr double kRateAway = 10;

  explicit Pace(Reactor& reactor) noexcept : reactor_(reactor) {}

  /// Whether requests have to wait for their turn. While this is false nothing else need be asked.
  bool is_limited() const noexcept { return throttled_ || away_; }
  /// Waits for the turn of one request, first come, first served. False when the wait ended first.
  Task<bool> turn(Wait wait);
  /// What a request is sent in; told again when it is refused.
  unsigned epoch() const noexcept { return epoch_; }

  /// The service did what it was asked.
  void answered(Deadline now) noexcept;
  /// It refused a request that was sent in `epoch`, as one too many.
  void refused(unsigned epoch, Deadline now) noexcept;
  /// Nobody answers, and retries have used up what they may.
  void lost() noexcept;

  /// Requests a second; only while limited.
  double rate() const noexcept;
  /// How often the rate was cut since the service answered everything.
  unsigned cuts() const noexcept { return cuts_; }
  /// Calls that wait for their turn.
  std::size_t waiting() const noexcept { return waiting_.size(); }
  /// When the service last did what it was asked; the beginning of time if it never did.
  Deadline last_answer() const noexcept { return last_answer_; }

 private:
  /// What came in a stretch of time.
  struct Counts {
    double answers = 0;
    double refusals = 0;
  };
  void roll(Deadline now) noexcept;
  double measured(Deadline now) const noexcept;
  double share_refused() const noexcept;
  void cut(Deadline now) noexcept;
  void grow(Deadline now) noexcept;
  void plan_anew() noexcept;

  Reactor& reactor_;
  detail::WaitList waiting_;
  bool throttled_ = false;
  bool away_ = false;
  unsigned epoch_ = 0;
  unsigned cuts_ = 0;
  double rate_ = 0;
  double planned_rate_ = 0;  ///< What the turns of those that wait were planned by.
  double rate_max_ = 0;      ///< Before the last cut.
  double back_after_s_ = 0;  ///< So long after the cut the rate is what it was before.
  Deadline cut_at_{};
  Deadline next_{};  ///< The next turn.
  Deadline last_answer_{};
  Deadline window_began_{};
  Counts now_;     ///< Of the window that has begun.
  Counts before_;  ///< Of the one before.
  double measured_before_ = 0;
};

}  // namespace unum
