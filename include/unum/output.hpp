// What user code prints, line by line.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace unum {

/// A line that user code wrote to stdout or stderr (they share one pipe, so the order is the
/// program's own). Views die when the sink returns.
struct OutputLine {
  std::string_view function;
  std::string_view
      instance;  ///< Whose call was running; empty before the first call and between calls.
  std::string_view session;
  std::string_view text;  ///< Without the newline; any bytes.
  /// The line goes on in the next one: it is longer than kOutputLineBytesMax.
  bool continues = false;
};

/// Called on the reactor's thread, before the call that wrote the line returns. Must not throw.
using OutputSink = std::function<void(const OutputLine&)>;

/// A longer line is handed on in pieces: what is held for a line that never ends is bounded.
inline constexpr std::size_t kOutputLineBytesMax = 16 * 1024;

}  // namespace unum
