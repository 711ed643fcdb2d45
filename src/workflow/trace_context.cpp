// See trace_context.hpp.
#include "workflow/trace_context.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include "base/digest.hpp"

namespace unum {
namespace {

constexpr std::size_t kTraceIdSize = 32;
constexpr std::size_t kSpanIdSize = 16;
constexpr std::size_t kSize = 2 + 1 + kTraceIdSize + 1 + kSpanIdSize + 1 + 2;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char digit) {
    return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
  });
}

/// The digest of texts that are alike differs in few places; samplers and backends want all of an
/// id's bits to look random.
std::string mixed(std::string_view text) { return digest(digest(text)); }

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != text.npos;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace_id = text.substr(3, kTraceIdSize);
  const std::string_view span_id = text.substr(36, kSpanIdSize);
  const std::string_view flags = text.substr(53, 2);
  const bool ends =
      version == "00" ? text.size() == kSize : text.size() == kSize || text[kSize] == '-';
  const bool is_known = is_hex(version) && version != "ff" && ends;
  if (!is_known || !is_id(trace_id) || !is_id(span_id) || !is_hex(flags)) return std::nullopt;
  unsigned bits = 0;
  std::from_chars(flags.data(), flags.data() + flags.size(), bits, 16);
  return TraceContext{std::string(trace_id), std::string(span_id), (bits & 1u) != 0};
}

std::string to_traceparent(const TraceContext& context) {
  std::string text = "00-";
  text.append(context.trace_id).append(1, '-').append(context.span_id);
  return text.append(context.sampled ? "-01" : "-00");
}

TraceContext trace_of_session(std::string_view session, double ratio) {
  TraceContext context;
  context.trace_id = mixed("trace of session " + std::string(session));
  // The rule of OpenTelemetry's TraceIdRatioBased sampler: by the last 56 bits of the id.
  constexpr double kAll = 72057594037927936.0;  // 2^56
  std::uint64_t random = 0;
  const char* const end = context.trace_id.data() + kTraceIdSize;
  std::from_chars(end - 14, end, random, 16);
  context.sampled = static_cast<double>(random) < ratio * kAll;
  return context;
}

std::string span_id_of(std::string_view trace_id, std::string_view session,
                       std::string_view instance, int attempt) {
  std::string text(trace_id);
  text.append(1, '\0').append(session).append(1, '\0').append(instance);
  if (attempt > 0) text.append(1, '\0').append(std::to_string(attempt));
  return mixed(text).substr(0, kSpanIdSize);
}

}  // namespace unum
