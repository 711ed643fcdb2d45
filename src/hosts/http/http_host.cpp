// See http_host.hpp.
#include "hosts/http/http_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/secrets.hpp"
#include "hosts/http/answers.hpp"
#include "hosts/http/bounded_code.hpp"
#include "hosts/http/cloud_events.hpp"
#include "hosts/http/platforms.hpp"
#include "workflow/payload.hpp"

namespace unum::http_host {
namespace {

using http_server::Header;
using http_server::Request;
using http_server::Response;

/// A place among the deliveries that run.
class Place {
 public:
  explicit Place(std::size_t& count) noexcept : count_(count) { ++count_; }
  ~Place() { --count_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::size_t& count_;
};

Response method_not_allowed(std::string_view allowed) {
  Response response = plain(405, fmt::format("the methods here are {}", allowed));
  response.headers.push_back(Header{"Allow", std::string(allowed)});
  return response;
}

}  // namespace

/// One delivery, as far as it is known.
struct HttpHost::Delivery {
  const Function& function;
  json::Text payload{};
  PayloadIdentity about{};
};

HttpHost::HttpHost(Reactor& reactor, Store& store, Invoker& invoker, UserCode& code,
                   Metrics& metrics, const std::vector<Function>& functions,
                   HttpHostOptions options)
    : reactor_(reactor),
      store_(store),
      code_(code),
      metrics_(metrics),
      options_(std::move(options)),
      runtime_(store, invoker, options_.runtime) {
  for (const Function& function : functions) {
    check_delays(invoker, function);
    functions_.emplace(function.name(), function);
  }
}

/// What is looked at, not delivered.
Response HttpHost::observe(std::string_view path) const {
  if (path == "/metrics") {
    Response response = plain(200, {});
    response.headers.front().value = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics_.text(in_flight_, options_.concurrency, store_.counters().requests);
    return response;
  }
  if (path == "/_/ready") {
    if (is_stopping_) return come_again(503, "stopping");
    if (in_flight_ >= options_.concurrency) return come_again(429, "full");
    return plain(200, "ready");
  }
  if (path == "/_/health" || path == "/") return plain(200, "ok");
  return method_not_allowed("POST");
}

const Function* HttpHost::function_at(const Request& request) const {
  std::string_view path = request.path();
  path.remove_prefix(1);
  const bool is_only = !options_.function.empty() &&
                       (path.empty() || (options_.platform == Platform::fn && path == "call"));
  const auto found = functions_.find(is_only ? std::string_view(options_.function) : path);
  return found == functions_.end() ? nullptr : &found->second;
}

Task<Response> HttpHost::handle(Request& request) {
  const std::string_view path = request.path();
  if (request.method == "GET" || request.method == "HEAD") co_return observe(path);
  if (request.method != "POST") co_return method_not_allowed("GET, HEAD, POST");
  const Function* const function = function_at(request);
  if (function == nullptr) {
    co_return plain(404, fmt::format("there is no function at {}", path));
  }
  if (is_stopping_) co_return come_again(503, "this server is stopping");
  if (in_flight_ >= options_.concurrency) {
    metrics_.turned_away();
    co_return come_again(429, fmt::format("{} deliveries run here, as many as may", in_flight_));
  }
  Response response = co_await deliver(*function, request);
  co_return response;
}

/// The payload and what it is for. A session that begins is named after its event, so that another
/// delivery of that does not begin another one.
void HttpHost::read(Delivery& delivery, Request& request) const {
  if (options_.platform == Platform::azure) request.body = event_in_envelope(request.body);
  const bool is_fn = options_.platform == Platform::fn;
  const std::string call_id(is_fn ? request.header("fn-call-id") : std::string_view());
  Delivered event = take_event(request);
  if (event.identity.empty()) event.identity = call_id;
  if (event.body.empty() && delivery.function.is_entry()) event.body = "{}";
  const json::View given = validate_payload(event.body);
  std::optional<Payload> payload;
  if (delivery.function.is_entry()) payload = parse_if_payload(given);
  const bool begins = delivery.function.is_entry() && (!payload || payload->session.empty());
  if (!begins) {
    delivery.payload = json::Text(given);
  } else {
    std::string session = create_session_context(store_).session();
    if (!event.identity.empty()) {
      std::string application;
      if (options_.runtime.application) application = options_.runtime.application->name;
      session = "event-" + digest(application + '\0' + event.identity);
    }
    delivery.payload = payload ? entry_payload(given, session)
                               : entry_payload_by_value(given, session, event.traceparent);
  }
  delivery.about = identify_payload(delivery.function, delivery.payload);
}

/// Crashes are counted within one delivery: of other deliveries nobody here knows.
Task<StepReport> HttpHost::run(const Delivery& delivery, Wait wait) {
  BoundedCode code(code_, wait);
  std::optional<Error> failure;
  for (int attempt = 1; attempt <= options_.runs_max; ++attempt) {
    try {
      co_return co_await runtime_.step(delivery.function, delivery.payload, code, attempt);
    } catch (const Error& error) {
      const bool is_over = wait.stop.stop_requested() || reactor_.now() >= wait.deadline;
      if (error.delivery() != unum::Delivery::bounded || is_over) throw;
      failure = error;
    }
  }
  co_return co_await runtime_.give_up(delivery.function, delivery.payload, failure->code(),
                                      failure->message(), options_.runs_max);
}

Task<Response> HttpHost::deliver(const Function& function, Request& request) {
  const Place place(in_flight_);
  const Deadline began = reactor_.exact_now();
  Delivery delivery{function};
  Told told;
  try {
    Wait wait{kNoDeadline, options_.stop};
    if (options_.platform == Platform::fn) {
      wait.deadline = deadline_of(request.header("fn-deadline"), reactor_);
      if (wait.deadline <= reactor_.now()) {
        throw Error(ErrorKind::timeout, "http", "Unum.TooLate",
                    "the time that Fn gave this call was over when it came");
      }
    }
    read(delivery, request);
    const StepReport report = co_await run(delivery, wait);
    if (options_.traces != nullptr) options_.traces->add(function.name(), report);
    told = told_of(report, function.name());
  } catch (const Error& error) {
    told = told_of(error, function.name(), delivery.about);
    if (options_.say) {
      options_.say(
          fmt::format("{} {}: {}", function.name(), told.status, hide_passwords(error.message())));
    }
  } catch (const std::exception& error) {
    told = {come_again(500, "an internal error"), "again"};
    if (options_.say) options_.say(fmt::format("{} again: {}", function.name(), error.what()));
  }
  metrics_.step_ended(function.name(), told.status, reactor_.exact_now() - began);
  if (options_.platform == Platform::azure) put_into_envelope(told.response);
  if (options_.platform == Platform::fn) make_fn_answer(told.response);
  co_return std::move(told.response);
}

}  // namespace unum::http_host
