// Turns, and the rate that they follow.
#include "aws/pace.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>

#include "base/log.hpp"

namespace unum {
namespace {

using Seconds = std::chrono::duration<double>;

// Of the SDKs' adaptive mode.
constexpr double kCutTo = 0.7;
constexpr double kGrowth = 0.4;
constexpr double kNewestCounts = 0.8;
constexpr auto kWindow = std::chrono::milliseconds(500);
// A service that refuses before it answered anything: the first rate is cut from this one.
constexpr double kFirstRate = 10;
constexpr double kRefusalsBorne = 0.1;
// So long after the rate is back at what it was, and nothing was refused, there is no limit.
constexpr double kCalmSeconds = 20;
// Turns that nobody took may be taken a little later.
constexpr auto kCredit = std::chrono::milliseconds(250);
// Those that wait are planned anew when the rate has grown by this.
constexpr double kGrownEnough = 1.25;

double seconds(Clock::duration time) noexcept { return Seconds(time).count(); }

}  // namespace

double Pace::rate() const noexcept {
  if (!throttled_) return kRateAway;
  return away_ ? std::min(rate_, kRateAway) : rate_;
}

Task<bool> Pace::turn(Wait wait) {
  while (is_limited()) {
    const Deadline now = reactor_.now();
    next_ = std::max(next_, now - kCredit);
    const Deadline mine = next_;
    planned_rate_ = rate();
    next_ += std::chrono::duration_cast<Clock::duration>(Seconds(1 / planned_rate_));
    if (mine <= now) break;
    const Wait until{std::min(mine, wait.deadline), wait.stop};
    const int result = co_await waiting_.wait(reactor_, until);
    if (result == -ECANCELED) co_return false;
    if (result == -ETIME) co_return mine <= wait.deadline;
  }
  co_return true;
}

void Pace::answered(Deadline now) noexcept {
  last_answer_ = now;
  if (now - window_began_ >= kWindow) roll(now);
  now_.answers += 1;
  if (!is_limited()) return;
  if (away_) {
    away_ = false;
    plan_anew();
  }
  if (throttled_) grow(now);
}

void Pace::refused(unsigned epoch, Deadline now) noexcept {
  if (now - window_began_ >= kWindow) roll(now);
  now_.refusals += 1;
  if (away_) {
    away_ = false;  // it answers, after all
    plan_anew();
  }
  const bool told_before = throttled_ && epoch != epoch_;
  if (told_before || share_refused() <= kRefusalsBorne) return;
  cut(now);
}

void Pace::lost() noexcept {
  if (away_) return;
  away_ = true;
  plan_anew();
}

void Pace::roll(Deadline now) noexcept {
  const Clock::duration length = now - window_began_;
  const double rate = now_.answers / std::max(seconds(length), seconds(kWindow));
  // What was long ago says nothing.
  const bool follows = length < 4 * kWindow;
  measured_before_ = follows ? kNewestCounts * rate + (1 - kNewestCounts) * measured_before_ : rate;
  before_ = follows ? now_ : Counts{};
  now_ = Counts{};
  window_began_ = now;
}

/// Answers a second, lately.
double Pace::measured(Deadline now) const noexcept {
  const double length = std::max(seconds(now - window_began_), seconds(kWindow));
  return std::max(measured_before_, now_.answers / length);
}

double Pace::share_refused() const noexcept {
  const double refusals = now_.refusals + before_.refusals;
  return refusals / (refusals + now_.answers + before_.answers);
}

void Pace::cut(Deadline now) noexcept {
  const double answered = measured(now);
  rate_max_ = throttled_ ? std::clamp(answered, rate_ / 2, rate_) : std::max(answered, kFirstRate);
  rate_ = std::max(kRateMin, kCutTo * rate_max_);
  back_after_s_ = std::cbrt(rate_max_ * (1 - kCutTo) / kGrowth);
  cut_at_ = now;
  throttled_ = true;
  ++epoch_;
  ++cuts_;
  log::info(LogArea::aws, "paced: at most {:.1f} requests a second after a refusal", rate_);
  plan_anew();
}

void Pace::grow(Deadline now) noexcept {
  const double since_back = seconds(now - cut_at_) - back_after_s_;
  if (since_back > kCalmSeconds) {
    throttled_ = false;
    cuts_ = 0;
    plan_anew();
    return;
  }
  rate_ = std::max(rate_, rate_max_ + kGrowth * since_back * since_back * since_back);
  if (rate_ > kGrownEnough * planned_rate_ && !waiting_.empty()) plan_anew();
}

/// Those that wait take their turns again, in their order, by the rate that there is now.
void Pace::plan_anew() noexcept {
  next_ = reactor_.now();
  waiting_.wake_all();
}

}  // namespace unum
