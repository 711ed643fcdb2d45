// See stream_worker.hpp. The loops come first, then one delivery.
#include "hosts/redis_streams/stream_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "hosts/redis_streams/queue_invoker.hpp"
#include "workflow/payload.hpp"

namespace unum::streams {
namespace {

/// How long one read waits: a worker that is told to end waits for its read, so that no entry comes
/// to a process that is gone.
constexpr std::chrono::milliseconds kBlock{1'000};
/// Delayed messages are looked for at least so often, since any process may have sent one.
constexpr std::chrono::milliseconds kDueEvery{1'000};
/// Consumers without entries that told nothing for so long are removed, looked for so often.
constexpr std::chrono::hours kConsumerIdle{1};
constexpr std::chrono::minutes kSweepEvery{10};
/// After a call to the queue failed although its client had waited.
constexpr std::chrono::milliseconds kAfterFailure{1'000};
/// How long results that are computed may take to be stored when the process is to end.
constexpr std::chrono::milliseconds kStoreGrace{5'000};
/// Pauses before a message is delivered again whose step met something that passes.
constexpr Backoff kAgain{std::chrono::milliseconds(500), std::chrono::milliseconds(60'000)};
/// Messages for functions that this application does not have may be of a newer deployment: they
/// come again for about an hour.
constexpr unsigned kUnknownTriesMax = 100;
/// Processes that may be lost with an entry before it counts as the entry's fault. Rolling updates
/// and machines that are taken away stay below.
constexpr unsigned kLostWithMax = 100;
/// So much work may wait here for a process: functions that take less than a read's way need not
/// wait for one.
constexpr double kAheadMs = 20;
constexpr std::size_t kAheadMax = 256;
constexpr std::size_t kCauseBytesMax = 8 * 1024;

}  // namespace

void WorkerObserver::ended(std::string_view, const StepReport&) {}
void WorkerObserver::told(std::string_view) {}

/// One entry on its way through here.
struct StreamWorker::Delivery {
  explicit Delivery(Entry from) : entry(std::move(from)) {}
  Entry entry;
  StopSource lost;                ///< Another consumer has the entry.
  StopSource code{lost.token()};  ///< The same, or this process ends.
  bool in_code = true;            ///< User code has not ended yet.
};

/// What one delivery at a time uses. Its runtime's invoker sends by the delivery's link.
struct StreamWorker::Slot final : Invoker {
  Slot(Queue& queue_in, Store& store, const RuntimeOptions& options)
      : queue(queue_in), runtime(store, *this, options) {}

  Task<void> invoke(Invocation invocation, Wait wait) override {
    Message message;
    message.function = invocation.function;
    message.payload = std::move(invocation.payload).text();
    co_await queue.send(link, message, invocation.not_before, wait);
  }
  std::size_t payload_bytes_max() const noexcept override { return kPayloadBytesMax; }
  std::chrono::milliseconds delay_max() const noexcept override { return kDelayMax; }

  Queue& queue;
  Link link;
  Runtime runtime;
};

/// User code that ends when its entry is lost or the process is to end. Stores do not hear of the
/// latter, so that what was computed is kept.
class StreamWorker::Code final : public UserCode {
 public:
  Code(StreamWorker& worker, Delivery& delivery, UserCode& code)
      : worker_(worker), delivery_(delivery), code_(code) {}
  Task<UserResult> call(const UserCall& call, Wait wait) override {
    wait.stop = delivery_.code.token();
    const Deadline begun = worker_.reactor_.now();
    UserResult result = co_await code_.call(call, wait);
    worker_.took(worker_.reactor_.now() - begun);
    delivery_.in_code = false;
    worker_.room_.wake_all();
    co_return result;
  }
  bool streams_input() const noexcept override { return code_.streams_input(); }

 private:
  StreamWorker& worker_;
  Delivery& delivery_;
  UserCode& code_;
};

StreamWorker::StreamWorker(Reactor& reactor, Queue& queue, Store& store,
                           StreamWorkerOptions options)
    : reactor_(reactor), queue_(queue), store_(store), options_(std::move(options)) {}

StreamWorker::~StreamWorker() = default;

void StreamWorker::add(Function function, UserCode& code) {
  const QueueInvoker invoker(reactor_, queue_);
  check_delays(invoker, function);
  std::string name = function.name();
  functions_.insert_or_assign(std::move(name), Known{std::move(function), &code});
}

void StreamWorker::tell(std::string_view text) const {
  log::warn(LogArea::host, "{}", text);
  if (options_.observer != nullptr) options_.observer->told(text);
}

StreamWorker::Slot& StreamWorker::slot() {
  if (spare_.empty()) return slots_.emplace_back(queue_, store_, options_.runtime);
  Slot& slot = *spare_.back();
  spare_.pop_back();
  return slot;
}

void StreamWorker::took(std::chrono::nanoseconds time) noexcept {
  const double ms = std::chrono::duration<double, std::milli>(time).count();
  call_ms_ = call_ms_ == 0 ? ms : call_ms_ * 0.9 + ms * 0.1;
}

/// An entry that nobody could run here would be kept from others.
std::size_t StreamWorker::free_slots() const noexcept {
  std::size_t room = options_.workers;
  if (call_ms_ > 0) {
    const double ahead = kAheadMs / call_ms_ * static_cast<double>(options_.workers);
    room += static_cast<std::size_t>(std::min(ahead, static_cast<double>(kAheadMax)));
  }
  if (running_.size() >= 2 * room || store_.is_held_back()) return 0;
  const auto in_code = static_cast<std::size_t>(std::count_if(
      running_.begin(), running_.end(), [](const auto& each) { return each.second->in_code; }));
  return in_code >= room ? 0 : room - in_code;
}

// --- Loops ----------------------------------------------------------------------------------

Task<void> StreamWorker::run(StopToken drain, StopToken stop) {
  StopSource done;
  StopSource abandon(stop);
  TaskGroup readers;
  TaskGroup keepers;
  stop_ = stop;
  readers.spawn(read_entries(drain, abandon.token()));
  readers.spawn(take_entries(drain));
  keepers.spawn(keep_entries(done.token()));
  keepers.spawn(move_due(done.token()));
  co_await readers.drain();
  StopSource drained;
  StopSource either(stop);
  keepers.spawn(cancel_late(stop, drained.token(), either.token()));
  co_await deliveries_.drain();
  drained.request("all deliveries have ended");
  either.request("all deliveries have ended");
  done.request("the worker ends");
  co_await keepers.drain();
  try {
    const Wait wait{reactor_.now() + 2 * kBlock, {}};
    co_await queue_.leave(options_.consumer, wait);
  } catch (const Error& error) {
    tell(fmt::format("what this worker had is taken over after the lease: {}", error.message()));
  }
}

/// User code is to end once `stop` is requested, and a little later whatever waits for a store or a
/// queue that is away. `either` is `stop` or `drained`.
Task<void> StreamWorker::cancel_late(StopToken stop, StopToken drained, StopToken either) {
  co_await reactor_.sleep_until(kNoDeadline, either);
  if (!stop.stop_requested()) co_return;
  for (const auto& each : running_) each.second->code.request("the worker ends");
  const bool late = co_await pause(kStoreGrace, drained);
  if (!late) co_return;
  for (const auto& each : running_) each.second->lost.request("the worker ends");
}

Task<bool> StreamWorker::pause(std::chrono::milliseconds time, StopToken stop) {
  co_return co_await reactor_.sleep_until(reactor_.now() + time, stop);
}

void StreamWorker::begin(std::vector<Entry> entries) {
  for (Entry& entry : entries) {
    // One that this process took over from itself, having been cut off for longer than the lease.
    if (running_.contains(entry.id)) continue;
    deliveries_.spawn(deliver(std::move(entry)));
  }
}

/// Never ends while a read may be under way in the server, unless the server is away.
Task<void> StreamWorker::read_entries(StopToken drain, StopToken abandon) {
  while (!drain.stop_requested()) {
    const std::size_t count = free_slots();
    if (count == 0) {
      const Wait until{reactor_.now() + kBlock, drain};
      co_await room_.wait(reactor_, until);
      continue;
    }
    std::optional<Error> failure;
    try {
      const Wait wait{kNoDeadline, abandon};
      std::vector<Entry> entries = co_await queue_.read(options_.consumer, count, kBlock, wait);
      begin(std::move(entries));
    } catch (const Error& error) {
      failure = error;
    }
    if (!failure) continue;
    if (drain.stop_requested()) co_return;
    tell(fmt::format("no messages can be read: {}", failure->message()));
    co_await pause(kAfterFailure, drain);
  }
}

Task<void> StreamWorker::take_entries(StopToken drain) {
  const auto every = std::max<std::chrono::milliseconds>(options_.lease / 4, kAfterFailure / 10);
  std::string cursor = "0-0";
  while (!drain.stop_requested()) {
    const std::size_t count = free_slots();
    std::optional<Error> failure;
    if (count > 0) {
      try {
        const Wait wait{kNoDeadline, drain};
        std::vector<Entry> entries =
            co_await queue_.take(options_.consumer, options_.lease, cursor, count, wait);
        begin(std::move(entries));
        if (cursor != "0-0") continue;
      } catch (const Error& error) {
        failure = error;
      }
    }
    if (failure && failure->kind() != ErrorKind::cancelled) {
      tell(fmt::format("messages of workers that are gone cannot be taken over: {}",
                       failure->message()));
    }
    co_await pause(every, drain);
  }
}

Task<void> StreamWorker::beat() {
  std::vector<std::string> ids;
  ids.reserve(running_.size());
  for (const auto& each : running_) ids.push_back(each.first);
  if (ids.empty()) co_return;
  // Later the entries may be another one's anyway, and the next beat says so.
  const Wait wait{reactor_.now() + options_.lease, {}};
  const std::vector<std::string> lost = co_await queue_.beat(options_.consumer, ids, wait);
  for (const std::string& id : lost) {
    const auto found = running_.find(id);
    if (found == running_.end()) continue;  // settled meanwhile
    log::warn(LogArea::host, "entry {} was taken over: its step is cancelled here", id);
    found->second->lost.request("its message was taken over by another worker");
  }
}

Task<void> StreamWorker::keep_entries(StopToken done) {
  // Not all workers at once.
  Deadline sweep_at = reactor_.now() + std::chrono::duration_cast<Clock::duration>(
                                           kSweepEvery * reactor_.random_fraction());
  for (;;) {
    const bool came = co_await pause(options_.lease / 3, done);
    if (!came) co_return;
    std::optional<Error> failure;
    try {
      co_await beat();
      if (reactor_.now() >= sweep_at) {
        sweep_at = reactor_.now() + kSweepEvery;
        const Wait wait{kNoDeadline, done};
        co_await queue_.sweep(kConsumerIdle, wait);
      }
    } catch (const Error& error) {
      failure = error;
    }
    if (failure && failure->kind() != ErrorKind::cancelled) {
      tell(fmt::format("a heartbeat failed, and the messages of this worker may go to others: {}",
                       failure->message()));
    }
  }
}

Task<void> StreamWorker::move_due(StopToken done) {
  while (!done.stop_requested()) {
    std::chrono::milliseconds wait = kDueEvery;
    try {
      const Wait until{kNoDeadline, done};
      const std::optional<std::chrono::milliseconds> next = co_await queue_.move_due(until);
      if (next) wait = std::min(wait, *next);
    } catch (const Error& error) {
      log::warn(LogArea::host, "delayed messages cannot be moved: {}", error.message());
    }
    const Wait until{reactor_.now() + wait, done};
    co_await due_soon_.wait(reactor_, until);
  }
}

// --- One delivery ---------------------------------------------------------------------------

Task<void> StreamWorker::deliver(Entry entry) {
  Delivery delivery(std::move(entry));
  running_.emplace(delivery.entry.id, &delivery);
  if (stop_.stop_requested()) delivery.code.request("the worker ends");
  Slot& used = slot();
  try {
    co_await deliver_in(used, delivery);
  } catch (const Error& error) {
    // Nothing was acknowledged: it is delivered again when the lease is over.
    if (error.kind() != ErrorKind::cancelled) {
      tell(fmt::format("message {} is left to be delivered again: {}", delivery.entry.id,
                       error.message()));
    }
  } catch (const std::exception& error) {
    tell(fmt::format("message {} is left to be delivered again: {}", delivery.entry.id,
                     error.what()));
  }
  used.link.reset();
  spare_.push_back(&used);
  running_.erase(delivery.entry.id);
  room_.wake_all();
}

Task<void> StreamWorker::deliver_in(Slot& slot, Delivery& delivery) {
  const auto known = functions_.find(delivery.entry.message.function);
  const Wait wait{kNoDeadline, delivery.lost.token()};
  bool again = false;
  for (;;) {
    slot.link = co_await queue_.link(wait);
    End end = End::link_lost;
    try {
      if (again) {
        const bool mine =
            co_await queue_.is_mine(slot.link, options_.consumer, delivery.entry.id, wait);
        if (!mine) co_return;
      }
      if (known == functions_.end()) {
        co_await deliver_unknown(slot, delivery);
        co_return;
      }
      end = co_await deliver_once(slot, delivery, known->second.function, *known->second.code);
    } catch (const LinkLost& lost) {
      log::info(LogArea::host, "message {}: {}; begun again", delivery.entry.id, lost.message());
    }
    if (end == End::settled) co_return;
    again = true;
  }
}

/// A message that somebody put there as it is: the session is that of its entry, so that whoever
/// delivers it again goes on with the same one.
void add_session(Message& message, const Function& function, std::string_view id) {
  if (!function.is_entry()) return;
  const json::View view = validate_payload(message.payload);
  const std::optional<Payload> payload = parse_if_payload(view);
  if (payload && !payload->session.empty()) return;
  message.payload = entry_payload(message.payload, id).text();
}

Task<StreamWorker::End> StreamWorker::deliver_once(Slot& slot, Delivery& delivery,
                                                   const Function& function, UserCode& code) {
  Message& message = delivery.entry.message;
  std::optional<Error> failure;
  try {
    add_session(message, function, delivery.entry.id);
    if (delivery.entry.deliveries > kLostWithMax) {
      message.error = "Unum.WorkerLost";
      message.cause = fmt::format("{} processes were lost while they worked on it", kLostWithMax);
      message.crashes = options_.crashes_max;
    }
    if (message.crashes < options_.crashes_max) {
      const End end = co_await run_step(slot, delivery, function, code);
      co_return end;
    }
    co_await give_up(slot, delivery, function);
    co_return End::settled;
  } catch (const LinkLost&) {
    throw;
  } catch (const Error& error) {
    if (delivery.code.requested() && error.kind() == ErrorKind::cancelled) throw;
    failure = error;
  }
  if (!slot.link->alive()) co_return End::link_lost;
  co_await settle_failure(slot, delivery, function, *failure);
  co_return End::settled;
}

Task<StreamWorker::End> StreamWorker::run_step(Slot& slot, Delivery& delivery,
                                               const Function& function, UserCode& code) {
  const Message& message = delivery.entry.message;
  Code stoppable(*this, delivery, code);
  const Wait wait{kNoDeadline, delivery.lost.token()};
  const json::View payload = validate_payload(message.payload);
  const int attempt = static_cast<int>(message.crashes + delivery.entry.deliveries);
  const StepReport report = co_await slot.runtime.step(function, payload, stoppable, attempt, wait);
  // Last of all, and only as the owner.
  const bool mine =
      co_await queue_.acknowledge(slot.link, options_.consumer, delivery.entry.id, wait);
  if (mine && options_.observer != nullptr) options_.observer->ended(function.name(), report);
  co_return End::settled;
}

Task<void> StreamWorker::settle_failure(Slot& slot, Delivery& delivery, const Function& function,
                                        const Error& error) {
  Message& message = delivery.entry.message;
  const unum::Delivery what = error.delivery();
  if (what == unum::Delivery::final) {
    co_await bury(slot.link, delivery, error.code(), error.message());
    co_return;
  }
  if (what == unum::Delivery::again || message.crashes >= options_.crashes_max) {
    const std::chrono::milliseconds delay = pause_after(message.tries++);
    tell(fmt::format("{}: delivered again in {:.1f} s: {}", function.name(),
                     static_cast<double>(delay.count()) / 1000, error.message()));
    co_await deliver_later(slot.link, delivery, delay);
    co_return;
  }
  ++message.crashes;
  message.error = error.code();
  message.cause = error.message().substr(0, kCauseBytesMax);
  tell(fmt::format("{}: crash {} of {}: {}", function.name(), message.crashes, options_.crashes_max,
                   error.message()));
  if (message.crashes < options_.crashes_max) {
    co_await deliver_later(slot.link, delivery, std::chrono::milliseconds(0));
    co_return;
  }
  std::optional<Error> failure;
  try {
    co_await give_up(slot, delivery, function);
  } catch (const LinkLost&) {
    throw;
  } catch (const Error& given) {
    failure = given;
  }
  if (failure) co_await deliver_later(slot.link, delivery, pause_after(message.tries++));
}

/// The step has an outcome, then the message is dead.
Task<void> StreamWorker::give_up(Slot& slot, Delivery& delivery, const Function& function) {
  const Message& message = delivery.entry.message;
  const Wait wait{kNoDeadline, delivery.lost.token()};
  const json::View payload = validate_payload(message.payload);
  const std::string error = message.error;
  const std::string cause = message.cause;
  const StepReport report = co_await slot.runtime.give_up(function, payload, error, cause,
                                                          static_cast<int>(message.crashes), wait);
  co_await bury(slot.link, delivery, error, cause);
  if (options_.observer != nullptr) options_.observer->ended(function.name(), report);
}

Task<void> StreamWorker::deliver_later(const Link& link, Delivery& delivery,
                                       std::chrono::milliseconds delay) {
  const Wait wait{kNoDeadline, delivery.lost.token()};
  const WallTime when = reactor_.wall_time() + delay;
  co_await queue_.deliver_again(link, options_.consumer, delivery.entry.id, delivery.entry.message,
                                when, wait);
  due_soon_.wake_all();
}

Task<void> StreamWorker::bury(const Link& link, Delivery& delivery, std::string_view error,
                              std::string_view cause) {
  const Wait wait{kNoDeadline, delivery.lost.token()};
  Message dead = delivery.entry.message;
  dead.error = error;
  dead.cause = cause.substr(0, kCauseBytesMax);
  const bool mine = co_await queue_.bury(link, options_.consumer, delivery.entry.id, dead, wait);
  if (mine) tell(fmt::format("{}: a dead letter: {}: {}", dead.function, error, cause));
}

Task<void> StreamWorker::deliver_unknown(Slot& slot, Delivery& delivery) {
  Message& message = delivery.entry.message;
  if (message.function.empty() || message.payload.empty()) {
    co_await bury(slot.link, delivery, "Unum.Message",
                  "an entry without the fields \"function\" and \"payload\"");
    co_return;
  }
  const std::string what =
      fmt::format("this worker's application has no function {}", message.function);
  if (message.tries >= kUnknownTriesMax) {
    co_await bury(slot.link, delivery, "Unum.UnknownFunction", what);
    co_return;
  }
  const std::chrono::milliseconds delay = pause_after(message.tries++);
  tell(fmt::format("{}: delivered again in {:.1f} s, to a newer one", what,
                   static_cast<double>(delay.count()) / 1000));
  co_await deliver_later(slot.link, delivery, delay);
}

std::chrono::milliseconds StreamWorker::pause_after(unsigned tries) {
  return std::chrono::ceil<std::chrono::milliseconds>(
      kAgain.pause(tries, 0.5 + reactor_.random_fraction() / 2));
}

}  // namespace unum::streams
