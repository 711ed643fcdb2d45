// The calls of the runtime, and the payloads that they take.
//
// The order is the protocol: the own outcome is looked up first, everything is evaluated before
// anything is written, the checkpoint stands before any look or invocation, and edges are run from
// the stored outcome only.
#include "unum/runtime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/activity.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"
#include "runtime/step.hpp"
#include "unum/scan_and_claim.hpp"
#include "workflow/payload.hpp"
#include "workflow/trace_context.hpp"

namespace unum {
namespace {

// As many as a span may have by default (OTEL_SPAN_LINK_COUNT_LIMIT).
constexpr std::size_t kTraceLinksMax = 128;

Payload read_payload(const FunctionIr& ir, json::View text) {
  if (!ir.start) return parse_payload(text);
  if (std::optional<Payload> payload = parse_if_payload(text)) return std::move(*payload);
  Payload payload;
  payload.data.source = "http";
  payload.data.value = text;
  return payload;
}

}  // namespace

Runtime::Runtime(Store& store, Invoker& invoker, RuntimeOptions options)
    : store_(store),
      invoker_(invoker),
      options_(std::move(options)),
      readers_(std::make_unique<ScanAndClaim>(store)) {}
Runtime::~Runtime() = default;

/// Names the instance a payload is for and binds the step to its session.
Runtime::Step Runtime::begin(const Function& function, const Payload& payload, int delivery,
                             Wait wait) {
  if (payload.session.empty() && !function.is_entry()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.NoSession",
                "the input payload of " + function.name() +
                    " has no \"Session\": only an entry function (\"Start\": "
                    "true) may begin one");
  }
  const SessionContext context =
      payload.session.empty() ? create_session_context(store_) : session_context(payload.session);
  const std::string instance = instance_name(function.name(), payload.frames);
  Step step{*this, function, payload, context.bound_to(instance), wait, delivery};
  step.report.session = context.session();
  step.report.instance = instance;
  step.report.attempt = function.ir().retriers.empty() ? delivery : payload.retry.attempt;
  step.traceparent = payload.traceparent;
  if (options_.traces) step.begin_trace();
  return step;
}

Task<StepReport> Runtime::step(const Function& function, json::View payload_text, UserCode& code,
                               int attempt, Wait wait) {
  const Payload payload = read_payload(function.ir(), payload_text);
  Step step = begin(function, payload, attempt, wait);
  Activity activity("step", step.report.instance, step.report.session);
  step.activity = &activity;
  log::debug(LogArea::runtime, step.about(), "step begins, attempt {}", attempt);
  co_await step.run(code);
  step.end_trace();
  step.tell_end();
  co_return std::move(step.report);
}

Task<StepReport> Runtime::give_up(const Function& function, json::View payload_text,
                                  std::string_view error, std::string_view cause, int attempt,
                                  Wait wait) {
  const Payload payload = read_payload(function.ir(), payload_text);
  Step step = begin(function, payload, attempt, wait);
  Activity activity("step", step.report.instance, step.report.session);
  step.activity = &activity;
  log::warn(LogArea::runtime, step.about(), "given up after attempt {}: {}", attempt, error);
  std::optional<std::string> outcome =
      co_await store_.get(step.context, step.own_item(ItemKind::outcome), wait);
  if (step.may_collect()) co_await step.begin_collecting(outcome);
  if (outcome) {
    co_await step.or_report(step.adopt(std::move(*outcome)));
  } else {
    co_await step.or_report(step.fail(std::string(error), std::string(cause), nullptr));
  }
  if (step.report.collects) co_await step.collect();
  step.end_trace();
  co_return std::move(step.report);
}

void Runtime::Step::begin_trace() {
  std::optional<TraceContext> parent = parse_traceparent(payload.traceparent);
  TraceContext own = parent ? *parent : trace_of_session(report.session, *runtime.options_.traces);
  own.span_id = span_id_of(own.trace_id, report.session, report.instance);
  if (!own.sampled) {
    if (!parent) traceparent = to_traceparent(own);  // so that nobody else decides otherwise
    return;
  }
  traceparent = to_traceparent(own);
  StepTrace& trace = report.trace.emplace();
  trace.trace_id = own.trace_id;
  trace.span_id = own.span_id;
  if (parent) trace.parent_span_id = parent->span_id;
  trace.begun = store().reactor().wall_time();
  if (payload.data.shape != PayloadData::Shape::list) return;
  const std::size_t count = std::min(payload.data.names.size(), kTraceLinksMax);
  for (std::size_t i = 0; i < count; ++i) {
    trace.links.push_back(span_id_of(own.trace_id, report.session, payload.data.names.name(i)));
  }
}

void Runtime::Step::end_trace() {
  if (!report.trace) return;
  StepTrace& trace = *report.trace;
  trace.ended = store().reactor().wall_time();
  // Another attempt follows, which may be the one that counts.
  if (report.status == StepReport::Status::will_retry) {
    trace.span_id = span_id_of(trace.trace_id, report.session, report.instance, report.attempt);
  }
}

void Runtime::Step::tell_end() const {
  constexpr std::array<std::string_view, 4> kEndings = {"succeeded", "caught a failure", "failed",
                                                        "will be tried again"};
  const LogLevel level =
      report.status == StepReport::Status::failed ? LogLevel::warn : LogLevel::debug;
  log::event(level, LogArea::runtime, about(),
             "step {}{}{}{}: {} invocations, {} fan-ins, {} bytes",
             kEndings[static_cast<std::size_t>(report.status)],
             report.adopted ? ", its outcome was there" : "", report.error.empty() ? "" : ", ",
             report.error, report.invocations, report.fan_ins.size(), report.result_bytes);
}

std::string_view to_string(StepReport::Status status) noexcept {
  switch (status) {
    case StepReport::Status::succeeded: return "succeeded";
    case StepReport::Status::caught: return "caught";
    case StepReport::Status::failed: return "failed";
    case StepReport::Status::will_retry: return "will_retry";
  }
  return "unknown";
}

UserResult UserResult::success(std::string text, std::string_view what) {
  try {
    return success(json::Text::parse(std::move(text), what));
  } catch (const Error& error) {
    return failure("Runtime.MarshalError", error.message());
  }
}

json::View validate_payload(std::string_view text) {
  return json::validate(text, "the input payload", kPayloadLevels);
}

namespace {

void require_utf8(std::string_view text, std::string_view what) {
  if (is_utf8(text)) return;
  throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
              std::string(what) + " is not UTF-8, as all text of a payload must be");
}

}  // namespace

json::Text entry_payload_by_value(std::string_view input, std::string_view session,
                                  std::string_view traceparent) {
  require_utf8(session, "the session's name");
  require_utf8(traceparent, "the trace context");
  const json::View value = json::validate(input, "the input");
  return payload_by_value(value, session, {}, traceparent);
}

json::Text entry_payload(std::string_view input, std::string_view session) {
  require_utf8(session, "the session's name");
  json::View value;
  std::optional<Payload> payload;
  try {
    value = json::validate(input, "the input");
    payload = parse_if_payload(value);
  } catch (const json::SyntaxError& error) {
    // Only a payload may be deeper, by its own levels.
    if (error.kind() != ErrorKind::exhausted) throw;
    value = json::validate(input, "the input", kPayloadLevels);
    payload = parse_if_payload(value);
    if (!payload) throw;
  }
  if (!payload) return payload_by_value(value, session, {}, {});
  if (payload->data.shape != PayloadData::Shape::value || !payload->frames.empty()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input of a workflow must be given by value and without \"Fan-out\"");
  }
  if (!payload->session.empty() && !session.empty() && payload->session != session) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input names session " + payload->session + ", but session " +
                    std::string(session) + " was asked for");
  }
  return payload_by_value(payload->data.value,
                          payload->session.empty() ? session : payload->session, {},
                          payload->traceparent);
}

std::chrono::milliseconds Invoker::delay_max() const noexcept { return {}; }

void check_delays(const Invoker& invoker, const Function& function) {
  const std::chrono::milliseconds longest = function.longest_delay();
  const std::chrono::milliseconds max = invoker.delay_max();
  if (longest <= max) return;
  throw Error(
      ErrorKind::invalid, "host", "Unum.DelayTooLong",
      fmt::format("the Retry of function {} can wait {} s before an attempt, but the platform "
                  "keeps an invocation for at most {} s; lower IntervalSeconds or "
                  "BackoffRate, or set MaxDelaySeconds",
                  function.name(), longest.count() / 1000, max.count() / 1000));
}

PayloadIdentity identify_payload(const Function& function, json::View text) {
  const Payload payload = read_payload(function.ir(), text);
  return {payload.session, instance_name(function.name(), payload.frames)};
}

}  // namespace unum
