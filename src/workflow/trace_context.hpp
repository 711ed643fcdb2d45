// Whose trace a step belongs to: W3C Trace Context (https://www.w3.org/TR/trace-context/, level 1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace unum {

struct TraceContext {
  std::string trace_id;  ///< 32 hex digits, not all of them 0.
  std::string span_id;   ///< 16, the same.
  bool sampled = true;
};

/// Nothing if the text is not of a version that is known, or a later one that begins like it.
std::optional<TraceContext> parse_traceparent(std::string_view text);
std::string to_traceparent(const TraceContext& context);

/// The trace of a session that was begun without one: the same in every process. `ratio`: which
/// part of all traces is sampled, 0 to 1.
TraceContext trace_of_session(std::string_view session, double ratio);
/// The span of an instance: the same in every process, so that an aggregator can name those of its
/// contributors. `attempt`: of one that failed and is tried again; 0: of the one that counts.
std::string span_id_of(std::string_view trace_id, std::string_view session,
                       std::string_view instance, int attempt = 0);

}  // namespace unum
