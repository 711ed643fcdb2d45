// See door.hpp.
#include "hosts/http/door.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "base/secrets.hpp"
#include "hosts/http/answers.hpp"
#include "hosts/http/bounded_code.hpp"
#include "hosts/http/object_text.hpp"
#include "unum/run.hpp"

namespace unum::http_host {
namespace {

using http_server::Request;
using http_server::Response;

constexpr std::string_view kPrefix = "/v1/";

[[noreturn]] void refuse(std::string text) {
  throw Error(ErrorKind::invalid, "payload", "Unum.Request", std::move(text));
}

/// Keeps what a step invokes, for whoever asked for the step: it is accepted when the answer is
/// there, and nothing was acknowledged before.
class KeptInvocations final : public Invoker {
 public:
  Task<void> invoke(Invocation invocation, Wait) override {
    if (!out_.empty()) out_ += ',';
    ObjectText one;
    one.text("function", invocation.function);
    one.text("instance", invocation.instance);
    one.key("attempt") += std::to_string(invocation.attempt);
    if (invocation.attempt > 1) {
      using std::chrono::milliseconds;
      const auto since = std::chrono::ceil<milliseconds>(invocation.not_before.time_since_epoch());
      one.key("not_before") += std::to_string(since.count());
    }
    one.key("payload") += invocation.payload.text();
    out_ += std::move(one).end();
    co_return;
  }
  std::chrono::milliseconds delay_max() const noexcept override {
    return std::chrono::milliseconds::max();
  }
  bool accepts_at_once() const noexcept override { return false; }
  const std::string& text() const noexcept { return out_; }

 private:
  std::string out_;
};

int status_of(const Error& error) noexcept {
  if (error.kind() == ErrorKind::not_found && error.origin() == "stores") return 404;
  if (error.delivery() == Delivery::final) return 400;
  return error.kind() == ErrorKind::cancelled ? 503 : 500;
}

std::string told_of_step(const StepReport& report, std::string_view function,
                         const KeptInvocations& kept) {
  ObjectText told;
  add_report(told, report, function);
  ObjectText out;
  out.key("report") += std::move(told).end();
  out.key("invocations") += "[" + kept.text() + "]";
  return std::move(out).end();
}

std::string_view word_of(RunResult::Status status) {
  switch (status) {
    case RunResult::Status::succeeded: return "succeeded";
    case RunResult::Status::failed: return "failed";
    case RunResult::Status::interrupted: return "interrupted";
    case RunResult::Status::timed_out: return "timed_out";
  }
  return "";
}

}  // namespace

/// The object in a request's body.
class Door::Asked {
 public:
  explicit Asked(const Request& request)
      : object_(json::validate(request.body, "the request's body", 4)) {
    if (json::type_of(object_) != json::Type::object) refuse("the request's body is an object");
  }

  json::View value(std::string_view name) const {
    const std::optional<json::View> found = json::member(object_, name);
    if (!found) refuse(fmt::format("\"{}\" is missing", name));
    return *found;
  }
  bool has(std::string_view name) const { return json::member(object_, name).has_value(); }
  std::string text(std::string_view name) const {
    const json::View found = value(name);
    if (json::type_of(found) != json::Type::string) {
      refuse(fmt::format("\"{}\" is not a string", name));
    }
    return json::string_value(found);
  }
  int attempt() const {
    if (!has("attempt")) return 1;
    const std::string_view digits = value("attempt").text();
    int number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ptr != digits.data() + digits.size() || number < 1) {
      refuse("\"attempt\" is a number from 1");
    }
    return number;
  }
  std::vector<Pointer> pointers(const SessionContext& context) const {
    const json::View list = value("instances");
    if (json::type_of(list) != json::Type::array) refuse("\"instances\" is not a list");
    std::vector<Pointer> out;
    for (const json::View& name : json::elements(list)) {
      if (json::type_of(name) != json::Type::string) refuse("\"instances\" is a list of strings");
      out.push_back(pointer(context, json::string_value(name)));
    }
    return out;
  }

 private:
  json::View object_;
};

Door::Door(Reactor& reactor, Store& store, UserCode& code, const std::vector<Function>& functions,
           DoorOptions options)
    : reactor_(reactor), store_(store), code_(code), options_(std::move(options)) {
  for (const Function& function : functions) functions_.emplace(function.name(), function);
}

const std::map<std::string_view, Door::Call>& Door::calls() {
  static const std::map<std::string_view, Call> all{
      {"step", &Door::step},
      {"give-up", &Door::give_up},
      {"run", &Door::run},
      {"create-session-context", &Door::create_session},
      {"write-return-value", &Door::write_value},
      {"read-input", &Door::read_values},
      {"check-value-exist", &Door::check_value},
      {"check-values-exist", &Door::check_values},
  };
  return all;
}

bool Door::takes(const Request& request) noexcept { return request.path().starts_with(kPrefix); }

Task<Response> Door::handle(Request& request) {
  const auto call = calls().find(request.path().substr(kPrefix.size()));
  if (call == calls().end()) co_return plain(404, "there is no such call");
  if (request.method != "POST") {
    Response response = plain(405, "the method here is POST");
    response.headers.push_back(http_server::Header{"Allow", "POST"});
    co_return response;
  }
  Response response;
  try {
    const Asked asked(request);
    response = with_json(200, co_await (this->*call->second)(asked));
  } catch (const Error& error) {
    ObjectText out;
    out.text("delivery", to_string(error.delivery()));
    out.text("kind", to_string(error.kind()));
    out.text("error", error.code());
    out.text("cause", hide_passwords(error.message()));
    response = with_json(status_of(error), std::move(out).end());
  }
  co_return response;
}

const Function& Door::function_of(const Asked& asked) const {
  const std::string name = asked.text("function");
  const auto found = functions_.find(name);
  if (found == functions_.end()) refuse(fmt::format("there is no function {}", name));
  return found->second;
}

Task<std::string> Door::step(const Asked& asked) {
  const Function& function = function_of(asked);
  const json::View payload = asked.value("payload");
  if (identify_payload(function, payload).session.empty()) {
    refuse("the payload has no Session: another delivery of it would begin another one");
  }
  KeptInvocations kept;
  Runtime runtime(store_, kept, options_.runtime);
  const Wait wait{kNoDeadline, options_.stop};
  BoundedCode code(code_, wait);
  const StepReport report = co_await runtime.step(function, payload, code, asked.attempt());
  co_return told_of_step(report, function.name(), kept);
}

Task<std::string> Door::give_up(const Asked& asked) {
  const Function& function = function_of(asked);
  KeptInvocations kept;
  Runtime runtime(store_, kept, options_.runtime);
  const std::string error = asked.text("error");
  const std::string cause = asked.has("cause") ? asked.text("cause") : std::string();
  const StepReport report =
      co_await runtime.give_up(function, asked.value("payload"), error, cause, asked.attempt());
  co_return told_of_step(report, function.name(), kept);
}

Task<std::string> Door::run(const Asked& asked) {
  if (!options_.application) {
    refuse("a run needs all functions of an application: serve its directory, without --function");
  }
  RunOptions options;
  options.input = asked.value("input").text();
  if (asked.has("session")) options.session = asked.text("session");
  options.open_store = &store_;
  for (const auto& [name, function] : functions_) options.code.emplace(name, &code_);
  const Wait wait{kNoDeadline, options_.stop};
  const RunResult result = co_await run_application(reactor_, *options_.application, options, wait);
  ObjectText out;
  out.text("status", word_of(result.status));
  out.text("session", result.session);
  if (result.status == RunResult::Status::succeeded) out.key("result") += result.result;
  std::string failures;
  for (const RunFailure& failure : result.failures) {
    ObjectText one;
    one.text("instance", failure.instance);
    one.text("error", failure.error);
    one.text("cause", hide_passwords(failure.cause));
    failures += (failures.empty() ? "" : ",") + std::move(one).end();
  }
  out.key("failures") += "[" + failures + "]";
  co_return std::move(out).end();
}

Task<std::string> Door::create_session(const Asked&) {
  ObjectText out;
  out.text("session", create_session_context(store_).session());
  co_return std::move(out).end();
}

Task<std::string> Door::write_value(const Asked& asked) {
  const SessionContext context =
      session_context(asked.text("session")).bound_to(asked.text("instance"));
  const json::View value = asked.value("value");
  const WriteResult written = co_await write_return_value(store_, context, value);
  ObjectText out;
  const bool is_new = written.status == WriteResult::Status::written;
  out.key("written") += is_new ? "true" : "false";
  if (!is_new) out.key("stored") += written.stored;
  co_return std::move(out).end();
}

Task<std::string> Door::read_values(const Asked& asked) {
  const SessionContext context = session_context(asked.text("session"));
  const std::vector<Pointer> pointers = asked.pointers(context);
  const std::vector<std::string> values = co_await read_input(store_, context, pointers);
  ObjectText out;
  std::string& list = out.key("values");
  for (const std::string& value : values) {
    list += &value == values.data() ? "[" : ",";
    list += value;
  }
  list += values.empty() ? "[]" : "]";
  co_return std::move(out).end();
}

Task<std::string> Door::check_value(const Asked& asked) {
  const SessionContext context = session_context(asked.text("session"));
  const Pointer place = pointer(context, asked.text("instance"));
  const bool exists = co_await check_value_exist(store_, context, place);
  co_return exists ? "{\"exists\":true}\n" : "{\"exists\":false}\n";
}

Task<std::string> Door::check_values(const Asked& asked) {
  const SessionContext context = session_context(asked.text("session"));
  const std::vector<Pointer> pointers = asked.pointers(context);
  const bool exist = co_await check_values_exist(store_, context, pointers);
  co_return exist ? "{\"exist\":true}\n" : "{\"exist\":false}\n";
}

}  // namespace unum::http_host
