// Logging: one line per event, off by default.
//
// The environment variable UNUM_LOG=LEVEL[,AREA=LEVEL...] turns it on; it is read when the process
// creates its first Reactor. A program calls `set_log_levels` instead. Lines go to stderr or to a
// callback. No line contains a secret or a user's value; at most its length.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "unum/api.hpp"

namespace unum {

/// Each level includes those before it.
enum class LogLevel : std::uint8_t { off, error, warn, info, debug, trace };

/// The part of the library that an event comes from.
enum class LogArea : std::uint8_t { reactor, http, redis, aws, store, runtime, worker, host };

UNUM_API std::string_view to_string(LogLevel level) noexcept;
UNUM_API std::string_view to_string(LogArea area) noexcept;

/// One event. The views are valid until the callback returns.
struct LogEvent {
  LogLevel level = LogLevel::info;
  LogArea area = LogArea::host;
  std::string_view session;   ///< Empty if the event belongs to none.
  std::string_view instance;  ///< Empty if the event belongs to none.
  std::string_view text;      ///< One line without control characters, of bounded length.
};

/// Called for each event, on the thread where it occurred, one call at a time. Must not throw,
/// block or call set_log_sink.
using LogSink = std::function<void(const LogEvent&)>;

/// Directs events to `sink`, or back to stderr if it is empty. May be called on any thread.
UNUM_API void set_log_sink(LogSink sink);

/// Sets the levels, in the form of UNUM_LOG: "warn", "info,redis=trace", "off". An area that is not
/// named gets the level without an area, or `off`. Overrides UNUM_LOG, even if that is read later.
/// Throws `invalid` (origin "log"), naming the wrong part and the valid ones, and changes nothing
/// then. May be called on any thread.
UNUM_API void set_log_levels(std::string_view levels);

}  // namespace unum
