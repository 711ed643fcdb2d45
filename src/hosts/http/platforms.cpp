// See platforms.hpp.
#include "hosts/http/platforms.hpp"

#include <ctime>

#include <optional>

#include "base/json.hpp"

namespace unum::http_host {
namespace {

/// A text that is JSON is that; any other value is itself.
std::string unquoted(json::View value) {
  if (json::type_of(value) != json::Type::string) return std::string(value.text());
  std::string text = json::string_value(value);
  try {
    json::validate(text, "the message", 1);
    return text;
  } catch (const Error&) {
    return std::string(value.text());  // a text that is just a text
  }
}

}  // namespace

std::string event_in_envelope(const std::string& body) {
  const json::View envelope = json::validate(body, "the request's body", 4);
  if (json::type_of(envelope) != json::Type::object) return body;
  const std::optional<json::View> data = json::member(envelope, "Data");
  const bool is_envelope =
      data && json::member(envelope, "Metadata") && json::type_of(*data) == json::Type::object;
  if (!is_envelope) return body;
  json::MemberReader bindings(*data);
  json::View name;
  json::View event;
  if (!bindings.next(name, event)) return "{}";  // a timer, say
  if (json::type_of(event) == json::Type::object && json::member(event, "Method")) {
    const std::optional<json::View> request_body = json::member(event, "Body");
    return request_body ? unquoted(*request_body) : "{}";
  }
  return unquoted(event);
}

void put_into_envelope(http_server::Response& response) {
  const bool is_json =
      http_server::header_of(response.headers, "content-type") == "application/json";
  if (!is_json) return;
  response.body = "{\"Outputs\":{},\"Logs\":[],\"ReturnValue\":" + response.body + "}";
}

void make_fn_answer(http_server::Response& response) {
  response.headers.push_back(
      http_server::Header{"Fn-Http-Status", std::to_string(response.status)});
  response.status = response.status < 400 ? 200 : 502;
}

Deadline deadline_of(std::string_view text, Reactor& reactor) {
  const std::string owned(text);
  std::tm parts{};
  const char* const rest = ::strptime(owned.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  const bool is_utc = rest != nullptr && owned.ends_with('Z');
  if (!is_utc) return kNoDeadline;
  const auto when = std::chrono::system_clock::from_time_t(::timegm(&parts));
  return reactor.now() + std::chrono::duration_cast<Clock::duration>(when - reactor.wall_time());
}

}  // namespace unum::http_host
