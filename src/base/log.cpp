// Levels by area, and one line an event.
#include "base/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>

#include "base/secrets.hpp"
#include "base/utf8.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

constexpr std::array<std::string_view, 6> kLevelNames = {"off",  "error", "warn",
                                                         "info", "debug", "trace"};
constexpr std::array<std::string_view, log::kAreas> kAreaNames = {
    "reactor", "http", "redis", "aws", "store", "runtime", "worker", "host"};
/// A longer text is cut: a line is for a person.
constexpr std::size_t kTextBytesMax = 2048;

using Levels = std::array<LogLevel, log::kAreas>;

std::mutex& mutex() {
  static std::mutex one;
  return one;
}

/// Guarded by the mutex.
LogSink& sink() {
  static LogSink one;
  return one;
}
bool levels_are_set = false;

Error wrong(std::string_view part, std::string_view what) {
  return Error(ErrorKind::invalid, "log", "Unum.LogLevels",
               fmt::format("\"{}\" {}; write LEVEL[,AREA=LEVEL...], for example info,redis=trace: "
                           "a level is {}, an area {}",
                           part, what, fmt::join(kLevelNames, ", "), fmt::join(kAreaNames, ", ")));
}

template <std::size_t kCount>
std::optional<std::size_t> place_of(const std::array<std::string_view, kCount>& names,
                                    std::string_view name) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

LogLevel parse_level(std::string_view part, std::string_view name) {
  const std::optional<std::size_t> level = place_of(kLevelNames, name);
  if (!level) throw wrong(part, "names no level");
  return static_cast<LogLevel>(*level);
}

Levels parse_levels(std::string_view text) {
  LogLevel others = LogLevel::off;
  std::array<std::optional<LogLevel>, log::kAreas> named;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      others = parse_level(part, part);
    } else {
      const std::optional<std::size_t> area = place_of(kAreaNames, part.substr(0, equals));
      if (!area) throw wrong(part, "names no area");
      named[*area] = parse_level(part, part.substr(equals + 1));
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  Levels levels{};
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = named[i].value_or(others);
  return levels;
}

void apply(const Levels& levels) {
  for (std::size_t i = 0; i < levels.size(); ++i) {
    log::detail::levels[i].store(levels[i], std::memory_order_relaxed);
  }
  levels_are_set = true;
}

/// On one line, as UTF-8, without a password, not longer than a person reads.
std::string readable(std::string_view text) {
  std::string line;
  const std::string hidden = hide_passwords(text.substr(0, kTextBytesMax));
  line.reserve(hidden.size());
  const bool is_text = is_utf8(hidden);
  for (const char c : hidden) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text)) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  if (text.size() > kTextBytesMax) line += "...";
  return line;
}

void write_line(const LogEvent& event) {
  using std::chrono::floor;
  const auto now = std::chrono::system_clock::now();
  const auto seconds = floor<std::chrono::seconds>(now);
  const auto micros = floor<std::chrono::microseconds>(now - seconds).count();
  std::string line = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z {:<5} {:<7} ",
                                 fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), micros,
                                 to_string(event.level), to_string(event.area));
  if (!event.session.empty()) line.append("session=").append(event.session) += ' ';
  if (!event.instance.empty()) line.append("instance=").append(event.instance) += ' ';
  line += event.text;
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);  // one write: stderr is not buffered
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  return kLevelNames[static_cast<std::size_t>(level)];
}
std::string_view to_string(LogArea area) noexcept {
  return kAreaNames[static_cast<std::size_t>(area)];
}

void set_log_sink(LogSink wanted) {
  const std::lock_guard lock(mutex());
  sink() = std::move(wanted);
}

void set_log_levels(std::string_view text) {
  const Levels levels = parse_levels(text);
  const std::lock_guard lock(mutex());
  apply(levels);
}

namespace log {

void detail::write(LogLevel level, LogArea area, std::string_view session,
                   std::string_view instance, fmt::string_view format,
                   fmt::format_args arguments) noexcept {
  try {
    const std::string text = readable(fmt::vformat(format, arguments));
    const std::string readable_session = readable(session);
    const std::string readable_instance = readable(instance);
    const LogEvent event{level, area, readable_session, readable_instance, text};
    const std::lock_guard lock(mutex());
    if (sink()) {
      sink()(event);
    } else {
      write_line(event);
    }
  } catch (...) {  // no memory, perhaps: nothing depends on a line
  }
}

void read_environment() noexcept {
  try {
    const std::lock_guard lock(mutex());
    if (levels_are_set) return;
    levels_are_set = true;
    const char* value = std::getenv("UNUM_LOG");
    if (value != nullptr && *value != '\0') apply(parse_levels(value));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unum: UNUM_LOG: %s\n", error.what());
  }
}

}  // namespace log
}  // namespace unum
