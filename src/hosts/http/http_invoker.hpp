// Invocations as HTTP requests: to a URL of each function's own, to a queue, to a broker.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hosts/http/metrics.hpp"
#include "reactor/http/client.hpp"
#include "unum/runtime.hpp"

namespace unum::http_host {

/// Where invocations go, as the command line says it.
struct InvokeTarget {
  /// "http://{function}.apps:8080/": scheme to path, with `{function}` for the function's name or
  /// `{name}` for the same as a DNS label (lower case, "-" for "_").
  std::string url;
  /// As a CloudEvent whose extension `unumfunction` names the function: for a broker, which has one
  /// URL for all.
  bool is_event = false;
  /// Whether whatever answers there has stored an invocation that it accepted, and delivers it
  /// until it ended, as far as is known. For what is said at the start.
  bool is_queue = false;
};

/// From `--invoke`: "openfaas:URL" of a gateway, "knative:URL" of a broker, or a URL template of
/// `--invoke-url`. Throws `invalid` (origin "host").
InvokeTarget parse_invoke(std::string_view text);
InvokeTarget parse_invoke_url(std::string_view url);
/// Throws `invalid` if two functions would get one URL.
void check_names(const InvokeTarget& target, std::span<const std::string> functions);

struct HttpInvokerOptions {
  InvokeTarget target;
  std::string application;  ///< The source of its events.
  std::size_t payload_bytes_max = 512u * 1024;
  /// Until an invocation is accepted, attempts and pauses included.
  std::chrono::milliseconds timeout{30'000};
  /// How long an attempt of `Retry` may wait here, with its delivery unacknowledged meanwhile.
  std::chrono::milliseconds delay_max{10'000};
  std::optional<StopToken> stop{};  ///< Heard instead of each call's own.
};

/// Returns when the other end has answered with a status of 2xx. Sends again while it cannot know
/// whether an invocation was accepted, and while it is told to come again (408, 425, 429, and 500
/// and above; `Retry-After` is heeded). Other statuses are errors of origin "http".
class HttpInvoker final : public Invoker {
 public:
  HttpInvoker(Reactor& reactor, http::Client& client, Metrics& metrics, HttpInvokerOptions options);

  Task<void> invoke(Invocation invocation, Wait wait) override;
  std::size_t payload_bytes_max() const noexcept override { return options_.payload_bytes_max; }
  std::chrono::milliseconds delay_max() const noexcept override { return options_.delay_max; }

 private:
  Task<void> send(const Invocation& invocation, const Wait& wait);
  Task<void> pause(unsigned failures, std::string_view retry_after, const Wait& wait);

  Reactor& reactor_;
  http::Client& client_;
  Metrics& metrics_;
  const HttpInvokerOptions options_;
};

}  // namespace unum::http_host
