// A process that runs the steps of an application's queue; any number of them share the work.
//
// A message is delivered to one worker at a time, which tells by heartbeats that it works on it.
// One that was killed or cut off falls silent, and another one takes its messages over. What a
// worker does then finds that the entry is not its own any more, and comes to nothing.
//
// A delivery does all it does to the queue by one connection, in this order: outcome to the store,
// messages that follow, acknowledgement. Where the connection is lost the delivery begins again,
// with the question whether the entry is still its own: a server that has taken the place of
// another one may know the entry, but not the messages that were sent before.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hosts/redis_streams/queue.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/function.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/stop.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"
#include "unum/task_group.hpp"

namespace unum::streams {

/// Told what happens; each call returns soon.
class WorkerObserver {
 public:
  virtual ~WorkerObserver() = default;
  /// A step ended and its message was acknowledged.
  virtual void ended(std::string_view function, const StepReport& report);
  /// A message comes again, or is dead: `why` is a line for people.
  virtual void told(std::string_view why);
};

struct StreamWorkerOptions {
  /// Unique among all processes of the queue.
  std::string consumer;
  /// Steps whose user code waits or runs at once.
  std::size_t workers = 1;
  /// A process that told nothing of an entry for so long has lost it. It tells three times as
  /// often.
  std::chrono::milliseconds lease{30'000};
  /// A step whose code crashed or exceeded its time in so many deliveries has failed.
  unsigned crashes_max = 3;
  RuntimeOptions runtime{};
  WorkerObserver* observer = nullptr;  ///< Not owned; may be null.
};

class StreamWorker {
 public:
  /// The queue and the store are open, and outlive this object.
  StreamWorker(Reactor& reactor, Queue& queue, Store& store, StreamWorkerOptions options);
  /// Not while `run` is under way.
  ~StreamWorker();
  StreamWorker(const StreamWorker&) = delete;
  StreamWorker& operator=(const StreamWorker&) = delete;

  /// `code` must outlive this object; functions may share it. Throws `invalid` for a function whose
  /// `Retry` asks for a longer delay than the queue keeps.
  void add(Function function, UserCode& code);

  /// Runs steps until `drain` is requested and those that have begun have ended. `stop`: user code
  /// that still runs then is cancelled, and results that it returned already are stored. At the end
  /// other workers can take at once what was not done. Throws nothing that passes: a queue or a
  /// store that is away is waited for.
  Task<void> run(StopToken drain, StopToken stop);

  /// Entries that this process works on.
  std::size_t running() const noexcept { return running_.size(); }

 private:
  struct Delivery;
  struct Slot;
  class Code;
  enum class End : std::uint8_t {
    settled,    ///< Nothing more is to be done here.
    link_lost,  ///< Begin again.
  };

  std::size_t free_slots() const noexcept;
  void begin(std::vector<Entry> entries);
  Task<void> read_entries(StopToken drain, StopToken abandon);
  Task<void> take_entries(StopToken drain);
  Task<void> keep_entries(StopToken done);
  Task<void> move_due(StopToken done);
  Task<void> cancel_late(StopToken stop, StopToken drained, StopToken either);
  Task<bool> pause(std::chrono::milliseconds time, StopToken stop);
  Task<void> beat();

  Task<void> deliver(Entry entry);
  Task<void> deliver_in(Slot& slot, Delivery& delivery);
  Task<End> deliver_once(Slot& slot, Delivery& delivery, const Function& function, UserCode& code);
  Task<End> run_step(Slot& slot, Delivery& delivery, const Function& function, UserCode& code);
  Task<void> settle_failure(Slot& slot, Delivery& delivery, const Function& function,
                            const Error& error);
  Task<void> give_up(Slot& slot, Delivery& delivery, const Function& function);
  Task<void> deliver_later(const Link& link, Delivery& delivery, std::chrono::milliseconds delay);
  Task<void> bury(const Link& link, Delivery& delivery, std::string_view error,
                  std::string_view cause);
  Task<void> deliver_unknown(Slot& slot, Delivery& delivery);
  Slot& slot();
  void tell(std::string_view text) const;
  std::chrono::milliseconds pause_after(unsigned tries);
  void took(std::chrono::nanoseconds time) noexcept;

  struct Known {
    Function function;
    UserCode* code;
  };

  Reactor& reactor_;
  Queue& queue_;
  Store& store_;
  const StreamWorkerOptions options_;
  std::map<std::string, Known, std::less<>> functions_;
  std::list<Slot> slots_;
  std::vector<Slot*> spare_;
  std::map<std::string, Delivery*, std::less<>> running_;  ///< By entry.
  TaskGroup deliveries_;
  detail::WaitList room_;      ///< Who reads, for a free slot.
  detail::WaitList due_soon_;  ///< Who moves delayed messages.
  StopToken stop_;
  double call_ms_ = 0;  ///< What calls of user code take, their wait for a process included.
};

}  // namespace unum::streams
