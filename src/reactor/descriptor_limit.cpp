// See descriptor_limit.hpp.
#include "reactor/descriptor_limit.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace unum {
namespace {

// Far longer than a durable write takes, and not so long that a lack which does not pass seems to
// be a hang.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kPauseMax{50};

std::optional<rlimit> before_raising;

}  // namespace

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) before_raising = limit;
}

rlimit descriptor_limit_of_children() noexcept {
  rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (before_raising) limit.rlim_cur = std::min(limit.rlim_cur, before_raising->rlim_cur);
  return limit;
}

std::size_t descriptors_max() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return limit.rlim_cur;
}

Task<bool> DescriptorPatience::wait(Reactor& reactor, Wait until) {
  const Deadline now = reactor.now();
  if (last_ == kNoDeadline) last_ = now + kPatience;
  if (now >= last_ || now >= until.deadline) co_return false;
  const Deadline next = std::min(now + pause_, until.deadline);
  pause_ = std::min(2 * pause_, kPauseMax);
  co_return co_await reactor.sleep_until(next, until.stop);
}

}  // namespace unum
