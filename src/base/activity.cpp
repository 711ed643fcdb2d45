// A list per thread, in the order in which its members began.
#include "base/activity.hpp"

#include <fmt/format.h>

#include <ctime>

namespace unum {
namespace {

struct List {
  Activity* oldest = nullptr;
  Activity* newest = nullptr;
  Activity* last_changed = nullptr;
};
constinit thread_local List activities;

}  // namespace

std::chrono::nanoseconds coarse_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::string seconds_text(std::chrono::nanoseconds time) {
  return fmt::format("{:.2f} s", std::chrono::duration<double>(time).count());
}

Activity::Activity(std::string_view kind, std::string_view subject,
                   std::string_view session) noexcept
    : kind_(kind),
      subject_(subject),
      session_(session),
      begun_(coarse_time()),
      since_(begun_),
      older_(activities.newest) {
  (older_ != nullptr ? older_->newer_ : activities.oldest) = this;
  activities.newest = this;
  activities.last_changed = this;
}

Activity::~Activity() {
  (older_ != nullptr ? older_->newer_ : activities.oldest) = newer_;
  (newer_ != nullptr ? newer_->older_ : activities.newest) = older_;
  if (activities.last_changed == this) activities.last_changed = nullptr;
}

void Activity::waits_for(std::string_view what, std::size_t number) noexcept {
  what_ = what;
  number_ = number;
  since_ = coarse_time();
  activities.last_changed = this;
}

std::string Activity::name() const {
  return subject_.empty() ? std::string(kind_) : fmt::format("{} {}", kind_, subject_);
}

std::string Activity::list(std::size_t lines_max) {
  const std::chrono::nanoseconds now = coarse_time();
  std::string lines;
  std::size_t count = 0;
  for (const Activity* one = activities.oldest; one != nullptr; one = one->newer_) {
    if (++count > lines_max) continue;
    lines += fmt::format("{:>10}  {}", seconds_text(now - one->begun_), one->name());
    if (!one->session_.empty()) lines += fmt::format(", session {}", one->session_);
    if (one->describe_ != nullptr) {
      lines += ": " + one->describe_(one->context_);
    } else if (!one->what_.empty()) {
      lines += fmt::format(": {}", one->what_);
      if (one->number_ != 0) lines += fmt::format(" {}", one->number_);
      lines += fmt::format(", for {}", seconds_text(now - one->since_));
    }
    lines += '\n';
  }
  if (count > lines_max) lines += fmt::format("{:>10}  and {} more\n", "", count - lines_max);
  return lines;
}

std::string Activity::last_changed() noexcept {
  const Activity* one = activities.last_changed;
  try {
    if (one == nullptr) return "nothing known";
    if (one->session_.empty()) return one->name();
    return fmt::format("{} of session {}", one->name(), one->session_);
  } catch (...) {  // no memory
    return {};
  }
}

}  // namespace unum
