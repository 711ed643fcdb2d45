// What the library tells about its own work: one line an event, off unless it is asked for.
//
// UNUM_LOG=LEVEL[,AREA=LEVEL...] in the environment turns it on, read when the first Reactor of the
// process is made; a program can do the same by `set_log_levels`. Lines go to stderr, or to a
// callback. No line holds a secret or a user's value: of values their lengths at most.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "unum/api.hpp"

namespace unum {

/// A level includes all that stand before it.
enum class LogLevel : std::uint8_t { off, error, warn, info, debug, trace };

/// Where an event comes from.
enum class LogArea : std::uint8_t { reactor, http, redis, aws, store, runtime, worker, host };

UNUM_API std::string_view to_string(LogLevel level) noexcept;
UNUM_API std::string_view to_string(LogArea area) noexcept;

/// One event. The views die when the callback returns.
struct LogEvent {
  LogLevel level = LogLevel::info;
  LogArea area = LogArea::host;
  std::string_view session;   ///< Empty where the event belongs to none.
  std::string_view instance;  ///< The same.
  std::string_view text;      ///< One line without control characters, bounded.
};

/// Called for each event on the thread where it happened, one call at a time. Must not throw, wait,
/// or set the sink.
using LogSink = std::function<void(const LogEvent&)>;

/// Events go to `sink` from now on, to stderr again if it is empty. Any thread.
UNUM_API void set_log_sink(LogSink sink);

/// What is told from now on, as UNUM_LOG says it: "warn", "info,redis=trace", "off". An area that
/// is not named has the level that stands alone, or `off`. Takes the place of UNUM_LOG, also if
/// that is read later. Throws `invalid` (origin "log") that names the part which is wrong and what
/// it may be; then nothing is changed. Any thread.
UNUM_API void set_log_levels(std::string_view levels);

}  // namespace unum
