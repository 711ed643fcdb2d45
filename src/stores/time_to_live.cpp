// Reading a time to live from the environment.
#include "stores/time_to_live.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "unum/error.hpp"

namespace unum {
namespace {

// Far above any use, and far below where Redis' and DynamoDB's sums overflow.
constexpr std::int64_t kSecondsMax = 100LL * 366 * 24 * 3600;

}  // namespace

std::optional<std::chrono::seconds> time_to_live(const char* variable) {
  const char* given = std::getenv(variable);
  if (given == nullptr || *given == '\0') return std::nullopt;
  const std::string_view text(given);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds <= 0 ||
      seconds > kSecondsMax) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidSetting",
                std::string(variable) + " is \"" + std::string(text) +
                    "\"; it must be a number of seconds above 0, at most 100 years");
  }
  return std::chrono::seconds(seconds);
}

std::string time_to_live_warning(std::string_view store, std::chrono::seconds time,
                                 std::string_view variable) {
  return "items of " + std::string(store) + " expire " + std::to_string(time.count()) +
         " s after they were written (" + std::string(variable) +
         "): a session that runs for longer loses checkpoints and claims";
}

}  // namespace unum
