// The lines' words.
#include "aws/notices.hpp"

#include <algorithm>
#include <cmath>

namespace unum::aws {
namespace {

std::string in_seconds(Clock::duration time) {
  return std::to_string(std::chrono::round<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

void Notices::say(Deadline now, const std::string& text) {
  next_ = now + kEvery;
  tell_(store_ + ' ' + text);
}

void Notices::slowed(Deadline now, std::string_view code, double rate) {
  say(now, "answers only some requests (" + std::string(code) + "); slowing down to about " +
               std::to_string(std::max(1L, std::lround(rate))) + " requests a second");
}

void Notices::away(Deadline now, Clock::duration failing, Clock::duration patience,
                   std::string_view why) {
  std::string text = "does not do what it is asked";
  if (failing >= kWorthTelling) text += ", for " + in_seconds(failing) + " now";
  text += "; waiting for it, at most " + in_seconds(patience) + " (";
  say(now, text.append(why) + ")");
}

void Notices::asked_to_wait(Deadline now, Clock::duration asked, Clock::duration kept) {
  std::string text = "asks to wait for " + in_seconds(asked) + " (Retry-After)";
  text += kept < asked ? "; waiting for " + in_seconds(kept) : "; waiting";
  say(now, text);
}

}  // namespace unum::aws
