// Steps as spans, sent to an OpenTelemetry collector: OTLP over HTTP as JSON.
//
// By the variables that OpenTelemetry's SDKs read (specification, "Environment Variable
// Specification" and "OTLP Exporter"): OTEL_EXPORTER_OTLP_ENDPOINT, _TRACES_ENDPOINT, _HEADERS,
// _TIMEOUT, _COMPRESSION, _PROTOCOL, _CERTIFICATE, each also as OTEL_EXPORTER_OTLP_TRACES_*;
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER(_ARG), OTEL_TRACES_EXPORTER,
// OTEL_SDK_DISABLED. Without an endpoint nothing is traced.
//
// Spans are kept in memory until they are sent, at most kSpansMax; what does not get through within
// its time is dropped, counted and told once. Tracing never fails a step.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reactor/http/client.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/stop.hpp"
#include "unum/task_group.hpp"

namespace unum {

struct TraceSettings {
  std::string origin;  ///< "http://localhost:4318"
  std::string target;  ///< "/v1/traces"
  std::vector<std::string> headers;
  std::string certificate;  ///< File of CA certificates; empty: the system's.
  std::chrono::milliseconds timeout{10'000};
  bool gzip = false;
  double ratio = 1;
  /// Of the resource, by name; service.name is among them.
  std::vector<std::pair<std::string, std::string>> attributes;
};

/// The value of a variable; nothing if it is not set, or empty.
using Environment = std::function<std::optional<std::string>(const char*)>;

/// Nothing if nobody wants traces. `application` is the service's name where the environment names
/// none. As that specification demands, a value that a variable cannot have is told (in the log)
/// and counts as not set.
std::optional<TraceSettings> trace_settings(const Environment& environment,
                                            std::string_view application);

class TraceExporter {
 public:
  static constexpr std::size_t kSpansMax = 8192;

  TraceExporter(Reactor& reactor, TraceSettings settings);
  /// `close` must have ended.
  ~TraceExporter();

  double ratio() const noexcept { return settings_.ratio; }
  /// Keeps the step's span, if it has one, and sends what is kept when enough of it is.
  void add(std::string_view function, const StepReport& report);
  /// Sends what is kept, and drops what has not got through when the budget is over: nothing is
  /// under way then, as a host that may be frozen needs it. One call at a time.
  Task<void> flush(std::chrono::milliseconds budget);
  /// The same within the settings' timeout, then closes the connections.
  Task<void> close();

  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Batch {
    std::string spans;
    std::size_t count = 0;
  };
  Task<void> send_later();
  Task<void> send(Batch batch);
  Task<bool> send_once(std::string_view body, std::span<const std::string> headers, Wait wait,
                       std::chrono::milliseconds& pause);
  std::string request_of(const Batch& batch) const;
  void drop(const Batch& batch, std::string_view why);
  static void tell_rejected(std::string_view answer);

  Reactor& reactor_;
  const TraceSettings settings_;
  http::Client http_;
  std::optional<StopSource> stop_{std::in_place};  ///< Of what is being sent.
  StopSource closing_;
  Batch kept_;
  std::size_t under_way_ = 0;  ///< Spans.
  TaskGroup sending_;
  TaskGroup later_;
  detail::WaitList ended_;  ///< Who waits for a batch to be sent.
  std::uint64_t sent_ = 0;
  std::uint64_t dropped_ = 0;
  bool told_ = false;
};

}  // namespace unum
