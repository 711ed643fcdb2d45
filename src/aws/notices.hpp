// What is told while a service is waited for: a line at most every few seconds.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "unum/time.hpp"

namespace unum::aws {

class Notices {
 public:
  using Tell = std::function<void(std::string_view)>;
  static constexpr std::chrono::seconds kEvery{5};
  /// What is over sooner is not worth a line.
  static constexpr std::chrono::seconds kWorthTelling{1};

  /// `store` as the user named it: "dynamodb:orders". Without `tell` nothing is told.
  Notices(std::string store, Tell tell) : store_(std::move(store)), tell_(std::move(tell)) {}

  /// Whether a line would be told now: then it is worth being made.
  bool is_due(Deadline now) const noexcept { return tell_ && now >= next_; }
  /// The service answers some requests and refuses others with `code`.
  void slowed(Deadline now, std::string_view code, double rate);
  /// It fails, for so long now, in this way.
  void away(Deadline now, Clock::duration failing, Clock::duration patience, std::string_view why);
  /// It asks not to be asked for so long; `kept` of it is kept.
  void asked_to_wait(Deadline now, Clock::duration asked, Clock::duration kept);

 private:
  void say(Deadline now, const std::string& text);

  std::string store_;
  Tell tell_;
  Deadline next_{};
};

}  // namespace unum::aws
