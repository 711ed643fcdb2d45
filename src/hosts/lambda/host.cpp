// See host.hpp.
#include "hosts/lambda/host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/secrets.hpp"
#include "unum/task_group.hpp"
#include "workflow/payload.hpp"

namespace unum::lambda {
namespace {

using std::chrono::milliseconds;

// Deliveries of one event whose code crashes: as many as `unum run` makes.
constexpr int kDeliveriesMax = 3;
// So long an answer may wait for its span to get through.
constexpr milliseconds kTraceTime{200};
// A store that is away is waited for as long as the event's time allows.
constexpr std::chrono::minutes kStorePatience{90};

/// Kept free at the end of an event's time for the checkpoint and for what it invokes; user code is
/// stopped before.
Clock::duration checkpoint_margin(Clock::duration time) {
  return std::clamp<Clock::duration>(time / 10, milliseconds(200), milliseconds(5'000));
}
/// The same for the answer.
Clock::duration answer_margin(Clock::duration time) {
  return std::clamp<Clock::duration>(time / 50, milliseconds(50), milliseconds(500));
}

/// For whoever invoked the function synchronously, and for an on-success destination. The result
/// itself stands in the store.
std::string answer_of(const StepReport& report) {
  std::string out = fmt::format(R"({{"status":"{}","session":)", to_string(report.status));
  json::append_string(out, report.session);
  out += ",\"instance\":";
  json::append_string(out, report.instance);
  out += fmt::format(R"(,"attempt":{},"invocations":{})", report.attempt, report.invocations);
  if (!report.error.empty()) {
    out += ",\"error\":";
    json::append_string(out, report.error);
  }
  return out + '}';
}

}  // namespace

/// The function's code within the time of one event.
class Host::TimedCode final : public UserCode {
 public:
  TimedCode(Host& host, Deadline deadline) : host_(host), deadline_(deadline) {}

  Task<UserResult> call(const UserCall& call, Wait wait) override {
    began_ = host_.reactor_.now();
    wait.deadline = std::min(wait.deadline, deadline_);
    return host_.code_->call(call, wait);
  }
  bool streams_input() const noexcept override { return host_.code_->streams_input(); }

  /// Whether the last call had at least half of `time`: another event would not give it much more.
  bool had_its_time(Clock::duration time) const noexcept {
    return began_ && 2 * (deadline_ - *began_) >= time;
  }

 private:
  Host& host_;
  const Deadline deadline_;
  std::optional<Deadline> began_;
};

Host::Host(Reactor& reactor, RuntimeApi& api, const HostSettings& settings)
    : reactor_(reactor),
      api_(api),
      concurrency_(settings.concurrency),
      linked_(read_linked_function(settings.linked, settings.function, settings.code)),
      application_(linked_.application),
      function_(application_.functions.front().ir),
      choice_(choose_store(application_, settings.store)),
      invoker_(reactor, settings.names, settings.invoker) {
  if (!choice_.named || choice_.type == "memory") {
    throw Error(ErrorKind::invalid, "host", "Unum.NoSharedStore",
                "the functions of an application on Lambda need a data store that all of them "
                "reach; name one in the template (UnumIntermediaryDataStoreType) or in UNUM_STORE");
  }
  identity_.name = application_.name;
  identity_.functions = linked_.digests;
  check_delays(invoker_, function_);
}

Host::~Host() = default;

Task<void> Host::open(UserCode& code, TraceExporter* traces, Wait wait) {
  code_ = &code;
  traces_ = traces;
  StoreOptions options;
  options.read_consistency = application_.read_consistency;
  options.patience = kStorePatience;
  options.waiting = [](std::string_view text) {
    log::warn(LogArea::host, "{}", hide_passwords(text));
  };
  store_ = co_await open_store(reactor_, choice_.type, choice_.name, options, wait);
  RuntimeOptions runtime_options;
  runtime_options.collects_garbage = application_.collects_garbage;
  runtime_options.application = identity_;
  if (traces_ != nullptr) runtime_options.traces = traces_->ratio();
  runtime_ = std::make_unique<Runtime>(*store_, invoker_, runtime_options);
}

Task<void> Host::serve(StopToken stop) {
  StopSource ended(stop);
  TaskGroup slots;
  for (unsigned slot = 0; slot < concurrency_; ++slot) slots.spawn(serve_in_turn(ended));
  co_await slots.drain();
}

/// Ends the others with it: no event is taken any more when the Runtime API has gone.
Task<void> Host::serve_in_turn(StopSource& stop) {
  std::exception_ptr failure;
  try {
    while (!stop.requested()) {
      const Event event = co_await api_.next({kNoDeadline, stop.token()});
      // The environment may have been frozen. What the network did meanwhile is seen before
      // anything is sent on a connection that the other end has closed.
      co_await reactor_.nop();
      function_arn_ = event.function_arn;
      co_await handle(event, stop.token());
    }
  } catch (const Error& error) {
    if (!(error.kind() == ErrorKind::cancelled && stop.requested())) {
      failure = std::current_exception();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  stop.request("the Runtime API gives no more events");
  if (failure) std::rethrow_exception(failure);
}

Task<void> Host::handle(const Event& event, StopToken stop) {
  std::optional<Error> failure;
  StepReport report;
  try {
    report = co_await deliver(event, stop);
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ErrorKind::exhausted, "host", "Unum.Exception", error.what());
  }
  if (failure) {
    log::error(LogArea::host, "request {} is to be delivered again: {} ({})", event.request_id,
               failure->message(), failure->code());
    co_await api_.fail(event, *failure);
    co_return;
  }
  for (const std::string& text : report.disagreements) {
    log::error(LogArea::host, {report.session, report.instance}, "{}", text);
  }
  if (traces_ != nullptr) {
    traces_->add(function_.name(), report);
    // Before the answer: after it the environment may be frozen. With several events at once it is
    // not, and one call of `flush` is enough.
    if (concurrency_ == 1) co_await traces_->flush(kTraceTime);
  }
  const std::string answer = answer_of(report);
  co_await api_.succeed(event, answer);
}

Task<StepReport> Host::deliver(const Event& event, StopToken stop) {
  const Clock::duration time = event.deadline - reactor_.now();
  const Wait wait{event.deadline - answer_margin(time), stop};
  const json::Text payload = payload_of(event);
  const json::View view = payload;
  TimedCode code(*this, event.deadline - checkpoint_margin(time));
  std::optional<Error> failure;
  int attempt = 0;
  for (bool again = true; again;) {
    ++attempt;
    failure.reset();
    const Deadline began = reactor_.now();
    StepReport report;
    try {
      report = co_await runtime_->step(function_, view, code, attempt, wait);
    } catch (const Error& error) {
      failure = error;
    }
    if (!failure) co_return report;
    // What Invoke refuses is not the step's fault: giving that up would end nothing but the way on.
    if (failure->delivery() != Delivery::bounded || failure->origin() == "lambda") throw *failure;
    log::warn(LogArea::host, "delivery {} of request {}: {}", attempt, event.request_id,
              failure->message());
    const Deadline now = reactor_.now();
    again = attempt < kDeliveriesMax && wait.deadline - now > now - began;
  }
  // No time is left for another try. What was cut short has a whole event's time at Lambda's next
  // delivery; what had that already would only meet the same end.
  const bool timed_out = failure->kind() == ErrorKind::timeout;
  if (attempt < kDeliveriesMax && !(timed_out && code.had_its_time(time))) throw *failure;
  const std::string cause = hide_passwords(failure->message());
  co_return co_await runtime_->give_up(function_, view, failure->code(), cause, attempt, wait);
}

/// An event of an entry that names no session begins one under the request's id, which Lambda's
/// own retries keep.
json::Text Host::payload_of(const Event& event) const {
  const json::View given = validate_payload(event.body);
  if (!function_.is_entry()) return json::Text(given);
  const std::optional<Payload> payload = parse_if_payload(given);
  if (payload && !payload->session.empty()) return json::Text(given);
  return entry_payload(event.body, event.request_id);
}

Task<void> Host::close() {
  if (store_) co_await store_->close();
  co_await invoker_.close();
}

}  // namespace unum::lambda
