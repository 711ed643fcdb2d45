// How the library's own code tells an event: one line at the call site, a load and a branch when it
// is off.
//
//   log::info(LogArea::store, "opened {}:{}", type, name);
//   log::debug(LogArea::runtime, {session, instance}, "ended: {}", status);
#pragma once

#include <fmt/core.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "unum/log.hpp"

namespace unum::log {

inline constexpr std::size_t kAreas = 8;

namespace detail {
/// By area. Constant-initialized, so that it can be read before main.
inline constinit std::array<std::atomic<LogLevel>, kAreas> levels{};
void write(LogLevel level, LogArea area, std::string_view session, std::string_view instance,
           fmt::string_view format, fmt::format_args arguments) noexcept;
}  // namespace detail

/// Whether such events are told: for call sites that have something to find out first.
inline bool is_on(LogLevel level, LogArea area) noexcept {
  return detail::levels[static_cast<std::size_t>(area)].load(std::memory_order_relaxed) >= level;
}

/// Whom an event is about.
struct About {
  std::string_view session;
  std::string_view instance;
};

/// Tells an event; nothing fails if it cannot be written. No value of a user's and no secret among
/// the arguments: passwords of URLs are hidden in any case.
template <class... Arguments>
void event(LogLevel level, LogArea area, About about, fmt::format_string<Arguments...> format,
           Arguments&&... arguments) noexcept {
  if (!is_on(level, area)) return;
  const fmt::string_view text = format;
  detail::write(level, area, about.session, about.instance, text,
                fmt::make_format_args(arguments...));
}

#define UNUM_LOG_FUNCTION(level)                                                          \
  template <class... Arguments>                                                           \
  void level(LogArea area, About about, fmt::format_string<Arguments...> format,          \
             Arguments&&... arguments) noexcept {                                         \
    event(LogLevel::level, area, about, format, std::forward<Arguments>(arguments)...);   \
  }                                                                                       \
  template <class... Arguments>                                                           \
  void level(LogArea area, fmt::format_string<Arguments...> format,                       \
             Arguments&&... arguments) noexcept {                                         \
    event(LogLevel::level, area, About{}, format, std::forward<Arguments>(arguments)...); \
  }
UNUM_LOG_FUNCTION(error)
UNUM_LOG_FUNCTION(warn)
UNUM_LOG_FUNCTION(info)
UNUM_LOG_FUNCTION(debug)
UNUM_LOG_FUNCTION(trace)
#undef UNUM_LOG_FUNCTION

/// Reads UNUM_LOG, the first time only and unless levels were set. What is wrong there is told
/// once, on stderr, and nothing is logged then.
void read_environment() noexcept;

}  // namespace unum::log
