// See runtime_api.hpp.
#include "hosts/lambda/runtime_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/secrets.hpp"

namespace unum::lambda {
namespace {

constexpr std::string_view kVersion = "/2018-06-01";
// Events are 6 MB at most ("Lambda quotas"); some more for what a platform of another kind allows.
constexpr std::size_t kEventBytesMax = 64u * 1024 * 1024;
// Longer than any event may take (Managed Instances: 90 minutes); some emulators send nonsense.
constexpr std::chrono::hours kEventTimeMax{24};
// An answer goes to a process of the same machine.
constexpr std::chrono::seconds kAnswerTime{10};
constexpr std::size_t kMessageBytesMax = 8 * 1024;

http::ClientOptions client_options(unsigned events_max) {
  http::ClientOptions options;
  // Beside the events that are waited for: answers, and the extension's own wait.
  options.connections_per_origin_max = 2 * static_cast<std::size_t>(events_max) + 2;
  options.in_flight_max = options.connections_per_origin_max;
  options.proxies = false;
  return options;
}

Deadline deadline_of(Reactor& reactor, std::string_view header) {
  long long unix_ms = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), unix_ms);
  if (error != std::errc() || end != header.data() + header.size() || unix_ms <= 0) {
    return reactor.exact_now() + kEventTimeMax;
  }
  using std::chrono::milliseconds;
  const auto now =
      std::chrono::duration_cast<milliseconds>(reactor.wall_time().time_since_epoch()).count();
  const long long most = milliseconds(kEventTimeMax).count();
  return reactor.exact_now() + milliseconds(std::clamp(unix_ms - now, 0LL, most));
}

std::string error_body(const Error& error) {
  std::string message = hide_passwords(error.message());
  if (message.size() > kMessageBytesMax) message.resize(kMessageBytesMax);
  std::string body = "{\"errorMessage\":";
  json::append_string(body, message);
  body += ",\"errorType\":";
  json::append_string(body, error.code());
  return body + ",\"stackTrace\":[]}";
}

}  // namespace

std::string function_error_type(std::string_view code) {
  const std::size_t dot = code.rfind('.');
  std::string name;
  for (char c : code.substr(dot == std::string_view::npos ? 0 : dot + 1)) {
    const bool lower = c >= 'a' && c <= 'z';
    if (!lower && !(c >= 'A' && c <= 'Z')) continue;
    if (name.empty() && lower) c = static_cast<char>(c - 'a' + 'A');
    name += c;
  }
  return "Function." + (name.size() < 2 ? std::string("Error") : name);
}

RuntimeApi::RuntimeApi(Reactor& reactor, std::string_view address, unsigned events_max)
    : origin_("http://" + std::string(address)),
      reactor_(reactor),
      http_(reactor, client_options(events_max)) {}

Task<Event> RuntimeApi::next(Wait wait) {
  const std::string target = std::string(kVersion) + "/runtime/invocation/next";
  http::Request request;
  request.origin = origin_;
  request.target = target;
  request.body_bytes_max = kEventBytesMax;
  request.long_body = true;
  http::Response response = co_await http_.send(std::move(request), wait);
  if (response.status != 200) {
    throw Error(ErrorKind::disconnected, "lambda", "Unum.RuntimeApi",
                fmt::format("the Runtime API answered the wait for an event with status {}",
                            response.status));
  }
  Event event;
  event.deadline = deadline_of(reactor_, response.header("lambda-runtime-deadline-ms"));
  event.request_id = response.header("lambda-runtime-aws-request-id");
  event.invocation_id = response.header("lambda-runtime-invocation-id");
  event.function_arn = response.header("lambda-runtime-invoked-function-arn");
  event.body = std::move(response.body);
  if (event.request_id.empty()) {
    throw Error(ErrorKind::corrupt, "lambda", "Unum.RuntimeApi",
                "the Runtime API gave an event without Lambda-Runtime-Aws-Request-Id");
  }
  co_return event;
}

Task<void> RuntimeApi::succeed(const Event& event, std::string_view result) {
  return answer(event, "response", result, {});
}

Task<void> RuntimeApi::fail(const Event& event, const Error& error) {
  const std::string body = error_body(error);
  const std::string type = function_error_type(error.code());
  co_await answer(event, "error", body, type);
}

Task<void> RuntimeApi::answer(const Event& event, std::string_view what, std::string_view body,
                              std::string_view error_type) {
  const std::string target =
      fmt::format("{}/runtime/invocation/{}/{}", kVersion, event.request_id, what);
  std::vector<std::string> headers = {"Content-Type: application/json"};
  if (!event.invocation_id.empty()) {
    headers.push_back("Lambda-Runtime-Invocation-Id: " + event.invocation_id);
  }
  if (!error_type.empty()) {
    headers.push_back("Lambda-Runtime-Function-Error-Type: " + std::string(error_type));
  }
  http::Request request;
  request.method = http::Method::post;
  request.origin = origin_;
  request.target = target;
  request.headers = headers;
  request.body = body;
  const Wait wait{reactor_.now() + kAnswerTime, {}};
  const http::Response response = co_await http_.send(std::move(request), wait);
  if (response.status == 202) co_return;
  if (response.status >= 500) {
    throw Error(ErrorKind::disconnected, "lambda", "Unum.RuntimeApi",
                fmt::format("the Runtime API answered \"{}\" of {} with status {}", what,
                            event.request_id, response.status));
  }
  // 410: its time had passed; 413: too large; 400, 403: it has been answered before. What the step
  // has stored and invoked stands all the same.
  log::warn(LogArea::host, "{} of request {} was not accepted: status {}", what, event.request_id,
            response.status);
}

Task<void> RuntimeApi::fail_init(const Error& error) {
  const std::string target = std::string(kVersion) + "/runtime/init/error";
  const std::string body = error_body(error);
  const std::vector<std::string> headers = {
      "Content-Type: application/json",
      "Lambda-Runtime-Function-Error-Type: " + function_error_type(error.code())};
  http::Request request;
  request.method = http::Method::post;
  request.origin = origin_;
  request.target = target;
  request.headers = headers;
  request.body = body;
  const Wait wait{reactor_.now() + kAnswerTime, {}};
  co_await http_.send(std::move(request), wait);
}

Task<void> RuntimeApi::stand_by_as_extension(Wait wait) {
  std::optional<Error> failure;
  try {
    const std::vector<std::string> headers = {"Lambda-Extension-Name: unum",
                                              "Content-Type: application/json"};
    http::Request registration;
    registration.method = http::Method::post;
    registration.origin = origin_;
    registration.target = "/2020-01-01/extension/register";
    registration.headers = headers;
    registration.body = R"({"events":[]})";
    const http::Response registered = co_await http_.send(std::move(registration), wait);
    if (registered.status != 200) co_return;
    const std::vector<std::string> identified = {
        "Lambda-Extension-Identifier: " +
        std::string(registered.header("lambda-extension-identifier"))};
    http::Request request;
    request.origin = origin_;
    request.target = "/2020-01-01/extension/event/next";
    request.headers = identified;
    co_await http_.send(std::move(request), wait);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure && failure->kind() != ErrorKind::cancelled) {
    log::debug(LogArea::host, "no SIGTERM will come: {}", failure->message());
  }
}

}  // namespace unum::lambda
