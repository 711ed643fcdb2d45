// The local host's delayed deliveries: attempts of `Retry` that wait for their time.
#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "hosts/blocked_fan_ins.hpp"
#include "hosts/local_host.hpp"
#include "runtime/session_owner.hpp"
#include "workflow/ir.hpp"
#include "workflow/payload.hpp"

namespace unum {

/// Looks once whether an earlier run of the session left some; only a `Retry` makes them.
Task<void> LocalHost::Impl::find_delayed() {
  const bool retries = std::any_of(functions_.begin(), functions_.end(), [](const auto& item) {
    return !item.second.function.ir().retriers.empty();
  });
  if (!retries) co_return;
  SessionContext context = session_context(session_);
  if (options_.session_is_new) {
    delayed_items_.begin(std::move(context));
  } else {
    const Wait wait = store_wait();
    co_await delayed_items_.find(std::move(context), wait);
  }
}

/// Accepts another attempt of a step. One that is on its way already, or has been overtaken, is
/// accepted, too: nothing more is to be done for it.
Task<void> LocalHost::Impl::delay(const Entry& entry, Invocation invocation, Wait wait) {
  const auto known = attempts_.find(invocation.instance);
  if (known != attempts_.end() && known->second >= invocation.attempt) co_return;
  if (delayed_ >= kDelayedMax) {
    // They wait in its timers; what is full passes.
    throw Error(ErrorKind::exhausted, "reactor", "Unum.TooManyDelayed",
                std::to_string(delayed_) +
                    " failed steps wait for another attempt, the most that are kept");
  }
  co_await delayed_items_.keep(invocation.instance, invocation.not_before, invocation.payload,
                               wait);
  attempts_[invocation.instance] = invocation.attempt;
  const Payload payload = parse_payload(invocation.payload);
  Delivery delivery{&entry, std::move(invocation.instance), std::move(invocation.payload), 1,
                    invocation.attempt};
  wait_for(std::move(delivery), invocation.not_before, payload.retry.error);
}

void LocalHost::Impl::wait_for(Delivery delivery, WallTime not_before, std::string_view error) {
  using std::chrono::milliseconds;
  // The time of day may have been set since: no list asks for more than this.
  const milliseconds longest = delivery.entry->function.longest_delay();
  const auto left = std::chrono::ceil<milliseconds>(not_before - reactor_.wall_time());
  const milliseconds delay = std::clamp(left, milliseconds(0), longest);
  log::info(LogArea::host, {session_, delivery.instance}, "attempt {} begins in {} ms",
            delivery.retry_attempt, delay.count());
  if (options_.observer != nullptr) {
    options_.observer->delayed(delivery.instance, delivery.retry_attempt, delay, error);
  }
  steps_.spawn(queue_when_due(std::move(delivery), reactor_.now() + delay));
}

Task<void> LocalHost::Impl::queue_when_due(Delivery delivery, Deadline due) {
  ++delayed_;
  const bool came = co_await reactor_.sleep_until(due, stop_->token());
  --delayed_;
  if (!came) co_return;
  if (attempts_[delivery.instance] != delivery.retry_attempt) co_return;  // overtaken
  enqueue(std::move(delivery));
}

/// Whether an instance that came up waits for the attempt that an earlier run left, instead of
/// beginning its list of attempts anew.
Task<bool> LocalHost::Impl::wait_as_left(const Delivery& first) {
  const Wait wait = store_wait();
  std::optional<DelayedDelivery> left =
      co_await delayed_items_.take(first.entry->function, first.instance, wait);
  attempts_[first.instance] = 1;  // so that its item goes with the step's end
  if (!left) co_return false;
  const bool fits = co_await may_begin_with(first, *left);
  if (!fits) co_return false;
  attempts_[first.instance] = left->attempt;
  Delivery delivery{first.entry, first.instance, std::move(left->payload), 1, left->attempt};
  wait_for(std::move(delivery), left->not_before, left->error);
  co_return true;
}

/// Whether the entry is asked for with what the session was begun with, by the application that
/// began it. If not, the step itself says so when it is delivered; at once, not after the delay.
Task<bool> LocalHost::Impl::may_begin_with(const Delivery& first, const DelayedDelivery& left) {
  if (first.entry != entry_) co_return true;
  const Wait wait = store_wait();
  const Payload asked = parse_payload(first.payload);
  const Payload kept = parse_payload(left.payload);
  const bool by_value =
      asked.data.shape == PayloadData::Shape::value && kept.data.shape == PayloadData::Shape::value;
  if (by_value && json::minify(asked.data.value) != json::minify(kept.data.value).text()) {
    co_return false;
  }
  if (options_.runtime.application) {
    co_await claim_session(store_, session_context(session_), entry_->function.name(),
                           *options_.runtime.application, wait);
  }
  co_return true;
}

/// Records how a step ended. Its delayed delivery goes once nothing more is to come.
Task<void> LocalHost::Impl::settle(const Delivery& delivery, StepReport report) {
  const bool ended = report.status != StepReport::Status::will_retry;
  record(delivery, std::move(report));
  if (!ended || attempts_.erase(delivery.instance) == 0) co_return;
  const Wait wait = store_wait();
  co_await delayed_items_.drop(delivery.instance, wait);
}

/// Notes the fan-ins that will never be complete because this step failed.
void LocalHost::Impl::record_blocked(const Delivery& failed) {
  const Payload payload = parse_payload(failed.payload);
  const auto ir_of = [&](std::string_view name) -> const FunctionIr* {
    const auto found = functions_.find(name);
    return found == functions_.end() ? nullptr : &found->second.function.ir();
  };
  for (BlockedFanIn& fan_in : fan_ins_behind(failed.entry->function.ir(), payload.frames, ir_of)) {
    KnownFanIn& record = fan_ins_[fan_in.aggregator];
    record.blocked_by.emplace(std::move(fan_in.contributor), failed.instance);
    if (record.set != nullptr) continue;
    record.digest = fan_in.list->digest();
    record.set = std::move(fan_in.list);
  }
}

}  // namespace unum
