// CloudEvents 1.0 over HTTP: what a request's event is, and how an invocation becomes one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "reactor/http_server/message.hpp"

namespace unum::http_host {

/// What a request brings, whatever form it has.
struct Delivered {
  std::string body;  ///< JSON, unchecked.
  /// The same for each delivery of one event, and for no other event. Empty where the request says
  /// nothing of the kind.
  std::string identity;
  std::string traceparent;
};

/// Takes the event out of a request: structured or binary mode, or a plain body, whose identity is
/// that of an Idempotency-Key. Throws `invalid` (origin "payload") for an event without what the
/// specification requires, and for a batch.
Delivered take_event(http_server::Request& request);

/// Bytes of Base64 (RFC 4648, 4); nothing for text that is none.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace unum::http_host
