// The output of user code, line by line.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace unum {

/// A line that user code wrote to stdout or stderr. Both share one pipe, so lines arrive in the
/// order in which the program wrote them. The views are valid until the sink returns.
struct OutputLine {
  std::string_view function;
  /// The instance whose call was running; empty before the first call and between calls.
  std::string_view instance;
  std::string_view session;
  std::string_view text;  ///< Without the newline; any bytes.
  /// The line is longer than kOutputLineBytesMax and continues in the next OutputLine.
  bool continues = false;
};

/// Called on the reactor's thread, before the call that printed the line returns. Must not throw.
using OutputSink = std::function<void(const OutputLine&)>;

/// A longer line is delivered in pieces, so that memory stays bounded even for endless lines.
inline constexpr std::size_t kOutputLineBytesMax = 16 * 1024;

}  // namespace unum
