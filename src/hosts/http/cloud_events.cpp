// See cloud_events.hpp.
#include "hosts/http/cloud_events.hpp"

#include <fmt/format.h>

#include <cstdint>

#include "base/json.hpp"
#include "unum/error.hpp"

namespace unum::http_host {
namespace {

using http_server::same_word;

[[noreturn]] void refuse(std::string text) {
  throw Error(ErrorKind::invalid, "payload", "Unum.CloudEvent", std::move(text));
}

/// The media type alone.
std::string_view media_type(const http_server::Request& request) {
  std::string_view type = request.header("content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

/// Source and id together are one event's (the specification, "Required Attributes").
std::string identity_of(std::string_view source, std::string_view id) {
  std::string both(source);
  both.append(1, '\0').append(id);
  return both;
}

std::string required(json::View event, std::string_view name) {
  const std::optional<json::View> value = json::member(event, name);
  const bool is_text = value && json::type_of(*value) == json::Type::string;
  std::string text = is_text ? json::string_value(*value) : std::string();
  if (text.empty()) refuse(fmt::format("the CloudEvent has no \"{}\", a text", name));
  return text;
}

void check_version(std::string_view version) {
  if (version.starts_with("1.")) return;
  refuse(fmt::format("the CloudEvent is of version \"{}\"; 1.0 is spoken here", version));
}

Delivered structured(const http_server::Request& request) {
  const json::View event = json::validate(request.body, "the CloudEvent", 1);
  if (json::type_of(event) != json::Type::object) refuse("a CloudEvent is a JSON object");
  check_version(required(event, "specversion"));
  required(event, "type");
  Delivered out;
  out.identity = identity_of(required(event, "source"), required(event, "id"));
  if (json::member(event, "traceparent")) out.traceparent = required(event, "traceparent");
  if (const std::optional<json::View> data = json::member(event, "data")) {
    out.body = data->text();
  } else if (json::member(event, "data_base64")) {
    const auto bytes = decode_base64(required(event, "data_base64"));
    if (!bytes) refuse("the CloudEvent's \"data_base64\" is not Base64");
    out.body = *bytes;
  } else {
    out.body = "null";
  }
  return out;
}

Delivered binary(http_server::Request& request) {
  check_version(request.header("ce-specversion"));
  for (const std::string_view name : {"ce-id", "ce-source", "ce-type"}) {
    if (request.header(name).empty()) refuse(fmt::format("the CloudEvent has no {}", name));
  }
  Delivered out;
  out.identity = identity_of(request.header("ce-source"), request.header("ce-id"));
  out.traceparent = request.header("ce-traceparent");
  out.body = std::move(request.body);
  return out;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char digit : text) {
    const std::size_t value = kDigits.find(digit);
    if (value == kDigits.npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xFF);
    }
  }
  return out;
}

Delivered take_event(http_server::Request& request) {
  const std::string_view type = media_type(request);
  if (same_word(type, "application/cloudevents-batch+json")) {
    refuse(
        "a batch of CloudEvents cannot be acknowledged one by one; send each in its own request");
  }
  Delivered out;
  if (same_word(type, "application/cloudevents+json")) {
    out = structured(request);
  } else if (!request.header("ce-specversion").empty()) {
    out = binary(request);
  } else {
    const std::string_view key = request.header("idempotency-key");
    if (!key.empty()) out.identity = key;
    out.body = std::move(request.body);
  }
  if (out.traceparent.empty()) out.traceparent = request.header("traceparent");
  return out;
}

}  // namespace unum::http_host
