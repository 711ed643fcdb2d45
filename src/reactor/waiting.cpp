// The list of what waits: activities of the thread, operations by kind, timers.
#include "unum/waiting.hpp"

#include <array>
#include <cstdio>
#include <string_view>

#include "base/activity.hpp"
#include "reactor/port.hpp"
#include "reactor/timer_heap.hpp"

namespace unum {
namespace {

/// What fits a few screens.
constexpr std::size_t kLinesMax = 400;

constexpr std::array<std::string_view, static_cast<std::size_t>(Opcode::poll) + 1> kKinds = {
    "nop",  "open",   "close",  "read",  "write",       "fdatasync",   "fsync",        "statx",
    "link", "rename", "unlink", "mkdir", "helper call", "stream read", "stream write", "poll"};

}  // namespace

std::string describe_waiting(Reactor& reactor) {
  std::string text = "what is under way, and for how long:\n" + Activity::list(kLinesMax);
  text += "reactor: " + reactor.backend_reason() + "\n";
  const std::chrono::nanoseconds now = coarse_time();
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    const Port::UnderWay& kind = reactor.port_->under_way[i];
    if (kind.count == 0) continue;
    text += "  " + std::to_string(kind.count) + " " + std::string(kKinds[i]) +
            ", none begun or ended for " + seconds_text(now - kind.changed) + "\n";
  }
  if (!reactor.timers_->empty()) {
    const auto until = std::max(Clock::duration{}, reactor.timers_->nearest() - reactor.now());
    text += "  " + std::to_string(reactor.timers_->size()) + " timers";
    if (reactor.timers_->nearest() != kNoDeadline) {
      text += ", the next is due in " + seconds_text(until);
    }
    text += "\n";
  }
  return text;
}

}  // namespace unum
