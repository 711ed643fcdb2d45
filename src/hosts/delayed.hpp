// Delayed deliveries as a session keeps them: a step's next attempt and when it may begin, in an
// item of the instance (`-delayed`), so that a killed host finds them again.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "unum/runtime.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum {

/// What such an item holds.
struct DelayedDelivery {
  WallTime not_before{};
  json::Text payload;
  int attempt = 1;    ///< As the payload says.
  std::string error;  ///< Of the attempt before, as the payload says.
};

/// `{"NotBefore": <milliseconds since 1970>, "Payload": ...}`.
std::string stored_delay(WallTime not_before, json::View payload);
/// Throws `corrupt` or `invalid` for text that is no such item.
DelayedDelivery read_delay(std::string_view stored);

/// Those that one run of a session found and makes.
class DelayedItems {
 public:
  /// `store` must outlive this.
  explicit DelayedItems(Store& store) : store_(store) {}

  /// Looks what earlier runs of the session left; an instance that has an outcome needs none.
  Task<void> find(SessionContext context, Wait wait);
  /// For a session that has nothing yet.
  void begin(SessionContext context);

  /// Takes what was left for an instance; nothing, and a word in the log, if it is damaged. Once
  /// for each instance.
  Task<std::optional<DelayedDelivery>> take(const Function& function, std::string instance,
                                            Wait wait);
  bool was_left(const std::string& instance) const { return left_.contains(instance); }

  /// Returns once it is stored.
  Task<void> keep(std::string instance, WallTime not_before, const json::Text& payload, Wait wait);
  /// For a step that has ended. An item that stays does no harm: failing to remove it is no error.
  Task<void> drop(std::string instance, Wait wait);

 private:
  Store& store_;
  std::optional<SessionContext> context_;
  std::set<std::string> left_;
};

}  // namespace unum
