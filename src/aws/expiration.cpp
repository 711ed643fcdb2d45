// Times of expiration, as programs and services write them.
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>

#include "aws/credentials_text.hpp"
#include "aws/service_error.hpp"
#include "base/wall_time.hpp"

namespace unum::aws {
namespace {

/// Takes a text apart from its begin.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const noexcept { return text_.empty(); }
  bool next_is_digit() const noexcept {
    return !text_.empty() && text_.front() >= '0' && text_.front() <= '9';
  }
  bool take(std::string_view what) noexcept {
    if (!text_.starts_with(what)) return false;
    text_.remove_prefix(what.size());
    return true;
  }
  /// So many digits as a number that is at most `most`.
  std::optional<unsigned> number(std::size_t digits, unsigned most) noexcept {
    unsigned value = 0;
    const std::string_view token = text_.substr(0, digits);
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (token.size() != digits || error != std::errc() || end != token.data() + token.size() ||
        value > most) {
      return std::nullopt;
    }
    text_.remove_prefix(digits);
    return value;
  }
  void skip_digits() noexcept {
    while (next_is_digit()) text_.remove_prefix(1);
  }
  bool skip_blanks() noexcept {
    const std::size_t before = text_.size();
    while (take(" ")) continue;
    return text_.size() < before;
  }

 private:
  std::string_view text_;
};

/// YYYY-MM-DD or YYYYMMDD.
std::optional<std::chrono::sys_days> read_date(Reader& reader) {
  const auto year = reader.number(4, 9999);
  const bool separated = reader.take("-");
  const auto month = year ? reader.number(2, 12) : year;
  if (!month || reader.take("-") != separated) return std::nullopt;
  const auto day = reader.number(2, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

/// HH:MM, HH:MM:SS, HHMM or HHMMSS; a fraction behind seconds is left out.
std::optional<std::chrono::seconds> read_time(Reader& reader) {
  const auto hours = reader.number(2, 23);
  const bool separated = reader.take(":");
  const auto minutes = hours ? reader.number(2, 59) : hours;
  if (!minutes) return std::nullopt;
  std::optional<unsigned> seconds = 0;
  if (separated ? reader.take(":") : reader.next_is_digit()) {
    seconds = reader.number(2, 60);  // 60: a leap second
    if (!seconds) return std::nullopt;
    if (reader.take(".") || reader.take(",")) {
      if (!reader.next_is_digit()) return std::nullopt;
      reader.skip_digits();
    }
  }
  return std::chrono::hours(*hours) + std::chrono::minutes(*minutes) +
         std::chrono::seconds(*seconds);
}

/// Z, z, UTC, GMT, +HH:MM, +HHMM or +HH: how far ahead of UTC.
std::optional<std::chrono::minutes> read_zone(Reader& reader) {
  for (const char* utc : {"Z", "z", "UTC", "GMT"}) {
    if (reader.take(utc)) return std::chrono::minutes(0);
  }
  const bool behind = reader.take("-");
  if (!behind && !reader.take("+")) return std::nullopt;
  const auto hours = reader.number(2, 23);
  if (!hours) return std::nullopt;
  std::optional<unsigned> minutes = 0;
  if (reader.take(":") || !reader.at_end()) minutes = reader.number(2, 59);
  if (!minutes) return std::nullopt;
  const auto offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return behind ? -offset : offset;
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> parse_expiration(std::string_view text) {
  if (const auto date = parse_http_date(text)) return date;
  Reader reader(text);
  const auto date = read_date(reader);
  if (!date || !(reader.take("T") || reader.take("t") || reader.skip_blanks())) return std::nullopt;
  const auto time = read_time(reader);
  if (!time) return std::nullopt;
  reader.skip_blanks();
  const auto offset = read_zone(reader);
  if (!offset || !reader.at_end()) return std::nullopt;
  return bounded_wall_time(*date + *time - *offset);
}

}  // namespace unum::aws
