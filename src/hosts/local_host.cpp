// The local host's queue and deliveries.
#include "hosts/local_host.hpp"

#include <algorithm>
#include <tuple>

#include "base/activity.hpp"
#include "base/log.hpp"
#include "unum/application.hpp"
#include "workflow/ir.hpp"

namespace unum {
namespace {

constexpr std::string_view kOriginOfEntry = "the run itself";

/// A payload below this is sent by value whatever is queued: a pointer would not be much smaller.
constexpr std::size_t kPayloadBytesMin = 2048;

/// Of what passes: what may have passed a moment later. The rest waits for somebody (to make room
/// on a disk, to permit something); then the session is resumed.
bool may_pass_at_once(ErrorKind kind) {
  return kind == ErrorKind::conflict || kind == ErrorKind::throttled ||
         kind == ErrorKind::timeout || kind == ErrorKind::disconnected;
}

}  // namespace

/// User code that hears of the run's end; stores do not, so that what was computed is still kept.
class LocalHost::Impl::StoppableCode final : public UserCode {
 public:
  StoppableCode(UserCode& code, StopToken stop, RunObserver* observer)
      : code_(code), stop_(stop), observer_(observer) {}
  Task<UserResult> call(const UserCall& call, Wait wait) override {
    if (observer_ != nullptr) observer_->running(call.instance, call.attempt);
    wait.stop = stop_;
    return code_.call(call, wait);
  }
  bool streams_input() const noexcept override { return code_.streams_input(); }

 private:
  UserCode& code_;
  StopToken stop_;
  RunObserver* observer_;
};

// --- The public face -----------------------------------------------------------------------------

LocalHost::LocalHost(Reactor& reactor, Store& store, const LocalHostOptions& options)
    : LocalHost(reactor, store, LocalHostTuning{options}) {}
LocalHost::LocalHost(Reactor& reactor, Store& store, const LocalHostTuning& tuning)
    : impl_(std::make_unique<Impl>(reactor, store, tuning)) {}
LocalHost::~LocalHost() = default;
void LocalHost::add(Function function, UserCode& code) { impl_->add(std::move(function), code); }
Task<RunResult> LocalHost::run(std::string_view session, std::string_view input, Wait wait) {
  return impl_->run(session, input, wait);
}

// --- Functions and invocations -------------------------------------------------------------------

LocalHost::Impl::Impl(Reactor& reactor, Store& store, const LocalHostTuning& options)
    : reactor_(reactor),
      store_(store),
      options_(options),
      runtime_(store, *this, options.runtime),
      delayed_items_(store) {}

LocalHost::Impl::~Impl() = default;

void LocalHost::Impl::add(Function function, UserCode& code) {
  const std::string name = function.name();
  const bool is_entry = function.is_entry();
  const auto [place, added] = functions_.emplace(name, Entry{std::move(function), &code});
  if (!added) {
    throw Error(ErrorKind::invalid, "host", "Unum.Function",
                "function " + name + " was added twice");
  }
  if (!is_entry) return;
  if (entry_ != nullptr) {
    throw Error(
        ErrorKind::invalid, "host", "Unum.Function",
        "both " + entry_->function.name() + " and " + name + " are entry functions; one must be");
  }
  entry_ = &place->second;
}

Task<void> LocalHost::Impl::invoke(Invocation invocation, Wait wait) {
  const auto found = functions_.find(invocation.function);
  if (found == functions_.end()) {
    throw Error(ErrorKind::invalid, "host", "Unum.UnknownFunction",
                invocation.instance + " cannot be invoked: there is no function " +
                    std::string(invocation.function));
  }
  if (invocation.attempt > 1) {
    co_await delay(found->second, std::move(invocation), wait);
    co_return;
  }
  const auto [known, is_new] = origins_.try_emplace(invocation.instance, invocation.origin);
  if (!is_new) {
    // The same invocation again (its step was delivered again) is already on its way.
    if (collection_.on) collection_.claimed_again.insert(invocation.instance);
    if (known->second.empty()) {
      known->second = std::move(invocation.origin);
    } else if (known->second != invocation.origin) {
      second_ways_.push_back({known->first, known->second, std::move(invocation.origin)});
    }
    co_return;
  }
  log::debug(LogArea::host, {session_, invocation.instance}, "accepted from {}", invocation.origin);
  if (options_.observer != nullptr)
    options_.observer->queued(invocation.function, invocation.instance);
  enqueue({&found->second, std::move(invocation.instance), std::move(invocation.payload), 1});
}

/// By value, which spares a child its read, as far as the queue's memory allows it.
std::size_t LocalHost::Impl::payload_bytes_max() const noexcept {
  const std::size_t room =
      options_.queued_bytes_max - std::min(queued_bytes_, options_.queued_bytes_max);
  return std::max(room, kPayloadBytesMin);
}

std::string LocalHost::Impl::describe(const void* host_address) {
  const auto& host = *static_cast<const Impl*>(host_address);
  return std::to_string(host.steps_in_flight_) + " steps in flight, " +
         std::to_string(host.queue_.size()) + " invocations queued, " +
         std::to_string(host.delayed_) + " delayed, " + std::to_string(host.instances_) +
         " instances done" +
         (host.store_.is_held_back() ? "; the data store holds new ones back" : "");
}

void LocalHost::Impl::enqueue(Delivery delivery) {
  queued_bytes_ += delivery.payload.text().size();
  queue_.push_back(std::move(delivery));
  start_queued();
}

/// Begins queued steps as far as the bound allows. Not nested: a step that begins here may invoke.
void LocalHost::Impl::start_queued() {
  if (starting_) return;
  starting_ = true;
  while (!queue_.empty() && steps_in_flight_ < options_.steps_in_flight_max &&
         !stop_->requested()) {
    // Each step that ends looks again, so one in flight is enough to go on later.
    if (steps_in_flight_ > 0 && store_.is_held_back()) break;
    Delivery delivery = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= delivery.payload.text().size();
    ++steps_in_flight_;
    steps_.spawn(deliver(std::move(delivery)));
  }
  starting_ = false;
}

Task<void> LocalHost::Impl::deliver(Delivery delivery) {
  // Steps that never wait (native code, a store in memory) still let signals and timers have their
  // turn.
  constexpr std::size_t kStepsPerTurn = 64;
  if (++steps_begun_ % kStepsPerTurn == 0) co_await reactor_.yield();
  try {
    bool waits = false;
    if (delivery.retry_attempt == 1 && delayed_items_.was_left(delivery.instance)) {
      waits = co_await wait_as_left(delivery);
    }
    if (!waits) co_await deliver_once(delivery);
  } catch (...) {
    abort_run(std::current_exception());
  }
  --steps_in_flight_;
  start_queued();
}

Task<void> LocalHost::Impl::deliver_once(const Delivery& first) {
  const Wait wait = store_wait();
  int attempt = first.attempt;
  while (true) {
    std::optional<Error> failure;
    try {
      StoppableCode code(*first.entry->code, stop_->token(), options_.observer);
      StepReport report =
          co_await runtime_.step(first.entry->function, first.payload, code, attempt, wait);
      if (attempts_.empty()) {
        record(first, std::move(report));  // as nearly always: without a coroutine more
      } else {
        co_await settle(first, std::move(report));
      }
      co_return;
    } catch (const Error& error) {
      if (stop_->requested() && error.kind() == ErrorKind::cancelled) co_return;
      const bool last = attempt >= options_.deliveries_max;
      switch (error.delivery()) {
        case unum::Delivery::final: throw;
        case unum::Delivery::bounded: break;
        case unum::Delivery::again:
          if (last || !may_pass_at_once(error.kind())) throw;
      }
      failure = error;
    }
    if (failure->delivery() == unum::Delivery::again) {
      // A store that is away was waited for by its client already, for as long as it is to be.
      const bool answers = co_await store_answers();
      if (!answers) throw Error(*failure);
    } else if (attempt >= options_.deliveries_max) {
      // A named object: GCC 12 frees an aggregate made inside of a co_await twice.
      const Delivery last{first.entry, first.instance, first.payload, attempt, first.retry_attempt};
      co_await give_up(last, *failure);
      co_return;
    }
    ++attempt;
    log::warn(LogArea::host, {session_, first.instance}, "delivered again, attempt {}: {}", attempt,
              failure->code());
    if (options_.observer != nullptr)
      options_.observer->delivered_again(first.instance, attempt, *failure);
  }
}

/// Whether any item can be read.
Task<bool> LocalHost::Impl::store_answers() {
  const Wait wait{reactor_.now() + options_.store_grace, stop_->token()};
  const ItemId item{entry_->function.name(), ItemKind::outcome};
  try {
    const SessionContext context = session_context(session_);
    co_await store_.get(context, item, wait);
  } catch (const Error&) {
    co_return false;
  }
  co_return true;
}

Task<void> LocalHost::Impl::give_up(const Delivery& delivery, const Error& error) {
  const Wait wait = store_wait();
  StepReport report =
      co_await runtime_.give_up(delivery.entry->function, delivery.payload, error.code(),
                                error.message(), delivery.attempt, wait);
  co_await settle(delivery, std::move(report));
}

void LocalHost::Impl::record(const Delivery& delivery, StepReport report) {
  if (report.user_code_ran) ++user_code_runs_;
  if (report.status == StepReport::Status::will_retry) {
    if (options_.observer != nullptr) {
      options_.observer->attempted(delivery.entry->function.name(), report);
    }
    return;
  }
  if (options_.observer != nullptr) {
    options_.observer->ended(delivery.entry->function.name(), report);
  }
  record_collected(report);
  if (report.status == StepReport::Status::failed) {
    failures_.push_back({report.instance, report.error, report.cause, report.attempt});
    record_blocked(delivery);
    return;
  }
  ++instances_;
  for (const FanInReport& fan_in : report.fan_ins) record_fan_in(report, fan_in);
  for (std::string& text : report.disagreements) {
    failures_.push_back({"", "Unum.UnequalFanIn", std::move(text)});
  }
  const bool caught = report.status == StepReport::Status::caught;
  // Without a result it was collected: what followed from it is done.
  if (report.invocations > 0 || !report.fan_ins.empty() || (!caught && !report.result)) {
    return;
  }
  FinalCandidate candidate;
  if (report.result) candidate.result = std::move(*report.result).text();
  if (caught) {
    candidate.failure = RunFailure{report.instance, report.error, report.cause, report.attempt};
  }
  finals_.insert_or_assign(report.instance, std::move(candidate));
}

void LocalHost::Impl::record_fan_in(const StepReport& report, const FanInReport& fan_in) {
  KnownFanIn& known = fan_ins_[fan_in.aggregator];
  known.taken |= fan_in.status == FanInState::Status::taken;
  std::string digest = fan_in.set->digest();
  if (known.set == nullptr) {
    known.set = fan_in.set;
    known.digest = std::move(digest);
  } else if (known.digest != digest && fan_in.status != FanInState::Status::mismatch) {
    failures_.push_back({"", "Unum.UnequalFanIn",
                         "the contributors of " + fan_in.aggregator +
                             " disagree about its fan-in: " + report.instance + " has " +
                             fan_in.set->summary() + ", another one has " + known.set->summary()});
  }
}

/// Something that no delivery can mend: the run ends with it once what runs has ended.
void LocalHost::Impl::abort_run(const std::exception_ptr& error) {
  if (!abort_error_) abort_error_ = error;
  stop_->request("the run failed");
}

void LocalHost::Impl::begin_entry(json::Text payload) {
  const std::string& name = entry_->function.name();
  origins_.try_emplace(name, kOriginOfEntry);
  if (options_.observer != nullptr) options_.observer->queued(name, name);
  enqueue({entry_, name, std::move(payload), 1});
}

Task<RunResult> LocalHost::Impl::run(std::string_view session, std::string_view input, Wait wait) {
  if (entry_ == nullptr) {
    throw Error(ErrorKind::invalid, "host", "Unum.Function",
                "no function is an entry (\"Start\": true)");
  }
  link();
  const json::Text payload = entry_payload(input, session);
  reset();
  session_ = session;
  stop_ = std::make_unique<StopSource>(wait.stop);
  stores_stop_ = std::make_unique<StopSource>();
  StopSource run_ended;
  StopSource told_to_end(stop_->token());
  Activity activity("run", entry_->function.name(), session_);
  activity.describe_by(&LocalHost::Impl::describe, this);
  TaskGroup watchdogs;
  if (wait.deadline != kNoDeadline) {
    watchdogs.spawn(watch_time(wait.deadline, run_ended.token()));
  }
  watchdogs.spawn(watch_store(told_to_end.token(), run_ended.token()));
  std::exception_ptr error;
  try {
    co_await run_steps(payload);
  } catch (const Error& given_up) {
    const bool expected = stop_->requested() && given_up.kind() == ErrorKind::cancelled;
    if (!expected) error = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  run_ended.request("the run ended");
  told_to_end.request("the run ended");
  co_await watchdogs.drain();
  if (error) std::rethrow_exception(error);
  co_return conclude();
}

Task<void> LocalHost::Impl::run_steps(const json::Text& payload) {
  co_await find_delayed();
  begin_entry(payload);
  co_await steps_.drain();
  // Delivering everything again finds a claim's owner, and tells the store again who is there.
  // Behind a fan-in that went on so there may be another one.
  std::set<std::string> told_again;
  bool at_rest = false;
  while (!at_rest) {
    co_await deliver_uncollected();
    bool has_new = false;
    if (options_.delivers_again_when_idle && !stop_->requested() && !has_failed()) {
      std::vector<std::string> stalled = co_await stalled_fan_ins();
      for (std::string& aggregator : stalled) {
        has_new |= told_again.insert(std::move(aggregator)).second;
      }
    }
    if (has_new) {
      log::info(LogArea::host, {session_, {}}, "a second look: fan-ins are complete and unclaimed");
      origins_.clear();
      finals_.clear();
      instances_ = 0;
      begin_entry(payload);
      co_await steps_.drain();
      continue;
    }
    if (!stop_->requested()) co_await drop_collected_results();
    if (!stop_->requested() && !collection_.look_again) co_await report_incomplete();
    at_rest = !collection_.look_again || stop_->requested() || has_failed();
  }
  if (!stop_->requested() && !has_failed()) co_await sweep();
}

Task<void> LocalHost::Impl::watch_time(Deadline deadline, StopToken run_ended) {
  const bool time_is_up = co_await reactor_.sleep_until(deadline, run_ended);
  if (!time_is_up) co_return;
  timed_out_ = true;
  stop_->request("the run's time is up");
}

/// A store that does not answer holds a run that was told to end for store_grace, not for ever.
Task<void> LocalHost::Impl::watch_store(StopToken told_to_end, StopToken run_ended) {
  co_await reactor_.sleep_until(kNoDeadline, told_to_end);
  const Deadline last = reactor_.now() + options_.store_grace;
  const bool still_runs = co_await reactor_.sleep_until(last, run_ended);
  if (!still_runs) co_return;
  store_is_silent_ = steps_in_flight_ > 0;
  stores_stop_->request("the run has ended and the data store does not answer");
}

/// The aggregators that have all they need and that nobody here went on to: another run of the
/// session claimed them, or whoever did died before it invoked, or the store lost what a
/// contributor told it.
Task<std::vector<std::string>> LocalHost::Impl::stalled_fan_ins() {
  const Wait wait = store_wait();
  const SessionContext context = session_context(session_);
  std::vector<std::string> stalled;
  for (auto& [aggregator, record] : fan_ins_) {
    if (went_on(aggregator, record)) continue;
    bool complete = record.taken;
    if (!complete) {
      std::vector<Pointer> inputs;
      inputs.reserve(record.set->size());
      for (std::size_t place = 0; place < record.set->size(); ++place) {
        inputs.push_back(pointer(context, record.set->name(place)));
      }
      complete = co_await check_values_exist(store_, context, inputs, wait);
    }
    if (!complete) continue;
    const bool is_done = co_await went_on_elsewhere(aggregator, record);
    if (!is_done) stalled.push_back(aggregator);
  }
  co_return stalled;
}

void LocalHost::Impl::link() {
  std::vector<Function> functions;
  for (const auto& [name, entry] : functions_) functions.push_back(entry.function);
  functions = link_functions(std::move(functions));
  std::size_t place = 0;
  for (auto& [name, entry] : functions_) entry.function = std::move(functions[place++]);
}

/// Whether this run has invoked the aggregator on account of this fan-in.
bool LocalHost::Impl::went_on(const std::string& aggregator, const KnownFanIn& record) const {
  if (record.went_on_before) return true;
  const auto origin = origins_.find(aggregator);
  return origin != origins_.end() && origin->second == fan_in_origin(*record.set);
}

/// A contributor is whoever the list of a fan-in that went on names, whatever it knew of it.
void LocalHost::Impl::drop_contributors() {
  for (const auto& [aggregator, record] : fan_ins_) {
    if (finals_.empty()) return;
    if (!went_on(aggregator, record)) continue;
    std::erase_if(finals_,
                  [&](const auto& item) { return record.set->place_of(item.first).has_value(); });
  }
}

/// Fan-ins that were to happen and did not, also where their aggregator ran for another reason.
Task<void> LocalHost::Impl::report_incomplete() {
  const Wait wait = store_wait();
  constexpr std::size_t kNamedMax = 10;
  const bool has_failed_before = has_failed();
  const SessionContext context = session_context(session_);
  for (auto& [aggregator, record] : fan_ins_) {
    if (went_on(aggregator, record)) continue;
    std::string missing;
    std::size_t count = 0;
    for (std::size_t place = 0; place < record.set->size(); ++place) {
      const std::string name = record.set->name(place);
      const Pointer outcome = pointer(context, name);
      if (co_await check_value_exist(store_, context, outcome, wait)) continue;
      if (++count > kNamedMax) continue;
      missing += (missing.empty() ? "" : ", ") + describe_missing(record, name);
    }
    if (count == 0) {
      const bool is_done = co_await went_on_elsewhere(aggregator, record);
      if (has_failed_before || is_done) continue;  // that is why
      failures_.push_back({"", "Unum.UnclaimedFanIn",
                           aggregator + " has all its inputs, and the data store told none of " +
                               "their writers to go on: it has lost an update"});
      continue;
    }
    if (count > kNamedMax) missing += " and " + std::to_string(count - kNamedMax) + " more";
    failures_.push_back({"", "Unum.IncompleteFanIn",
                         aggregator +
                             (record.blocked_by.empty() ? " waits for instances that never ran: "
                                                        : " never started; it waits for: ") +
                             missing});
  }
}

std::string LocalHost::Impl::describe_missing(const KnownFanIn& record,
                                              const std::string& name) const {
  if (record.blocked_by.empty()) return name;
  const auto blocked = record.blocked_by.find(name);
  if (blocked == record.blocked_by.end()) return name + " (never ran)";
  if (blocked->second == name) return name + " (failed)";
  return name + " (never ran, since " + blocked->second + " failed)";
}

void LocalHost::Impl::report_second_ways() {
  for (const SecondWay& way : second_ways_) {
    failures_.push_back(
        {"", "Unum.SecondWayIn",
         way.instance + " was invoked by " + readable_origin(way.instance, way.first) + " and by " +
             readable_origin(way.instance, way.second) + "; an instance must have one way in"});
  }
}

std::string LocalHost::Impl::readable_origin(const std::string& instance,
                                             const std::string& origin) const {
  const auto fan_in = fan_ins_.find(instance);
  if (fan_in == fan_ins_.end() || origin != fan_in_origin(*fan_in->second.set)) return origin;
  return "the fan-in of " + fan_in->second.set->summary();
}

RunResult LocalHost::Impl::conclude() {
  if (abort_error_) std::rethrow_exception(abort_error_);
  report_second_ways();
  RunResult result;
  result.user_code_runs = user_code_runs_;
  if (stop_->requested()) {
    result.status = timed_out_ ? RunResult::Status::timed_out : RunResult::Status::interrupted;
    if (store_is_silent_) {
      failures_.push_back(
          {"", "Unum.StoreSilent",
           "the data store " + std::string(store_.type()) + ":" + store_.name() + " did not answer",
           1});
    }
  }
  std::sort(failures_.begin(), failures_.end(), [](const RunFailure& a, const RunFailure& b) {
    // What became of the run follows from what became of its instances.
    const bool run_a = a.instance.empty();
    const bool run_b = b.instance.empty();
    return std::tie(run_a, a.instance, a.cause) < std::tie(run_b, b.instance, b.cause);
  });
  failures_.erase(std::unique(failures_.begin(), failures_.end(),
                              [](const RunFailure& a, const RunFailure& b) {
                                return a.instance == b.instance && a.error == b.error &&
                                       a.cause == b.cause;
                              }),
                  failures_.end());
  result.failures = std::move(failures_);
  result.instances = collection_.on ? collection_.outcomes.size() : instances_;
  if (result.status != RunResult::Status::succeeded) return result;
  drop_contributors();
  for (auto& [instance, candidate] : finals_) {
    if (candidate.failure) result.failures.push_back(std::move(*candidate.failure));
  }
  if (finals_.empty() && result.failures.empty()) {
    result.failures.push_back(
        {"", "Unum.NoResult",
         "no instance of session " + session_ +
             " is an end of the workflow: all values went into fan-ins (a "
             "loop whose list became empty), or the data store has lost some, "
             "or they were collected"});
  }
  if (!result.failures.empty()) {
    result.status = RunResult::Status::failed;
    return result;
  }
  if (finals_.size() == 1) {
    result.result = std::move(finals_.begin()->second.result);
    return result;
  }
  result.result = "{";
  for (const auto& [instance, candidate] : finals_) {
    if (result.result.size() > 1) result.result += ',';
    result.result += '"' + instance + "\":" + candidate.result;
  }
  result.result += '}';
  return result;
}

void LocalHost::Impl::reset() {
  UNUM_ASSERT(steps_in_flight_ == 0 && delayed_ == 0);
  queue_.clear();
  queued_bytes_ = 0;
  attempts_.clear();
  timed_out_ = false;
  store_is_silent_ = false;
  abort_error_ = nullptr;
  origins_.clear();
  fan_ins_.clear();
  finals_.clear();
  failures_.clear();
  second_ways_.clear();
  instances_ = 0;
  user_code_runs_ = 0;
  collection_ = {};
}

}  // namespace unum
