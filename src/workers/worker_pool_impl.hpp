// What a pool knows of its functions, processes and calls; worker_pool.cpp says what it does.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/activity.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/task_group.hpp"
#include "workers/shortage.hpp"
#include "workers/worker.hpp"
#include "workers/worker_pool.hpp"
#include "workers/worker_programs.hpp"

namespace unum {

using SharedWorker = std::shared_ptr<Worker>;

/// A function and what is known about running it.
struct WorkerEntry {
  FunctionCode code;
  Variables variables;
  std::vector<std::string> command;  ///< Empty until it was looked for.
  bool forked = false;               ///< Its workers come from the fork server.
  bool begun = false;                ///< It has had a worker.
};

class WorkerPool::Impl {
 public:
  Impl(Reactor& reactor, std::vector<FunctionCode> functions, WorkerPoolOptions options);

  void prepare();
  Task<UserResult> call(const UserCall& call, Wait wait);
  Task<void> shutdown();
  WorkerPoolCounters counters() const noexcept;

 private:
  using Entry = WorkerEntry;

  std::string describe() const;
  struct Place;
  struct RunningProgram;

  Entry& entry_of(std::string_view function);
  void look_up(Entry& entry);

  Task<void> wait_for_place(const UserCall& call, Wait wait);
  void release_place(bool hand_over_here) noexcept;

  Task<UserResult> call_worker(Entry& entry, const UserCall& call, Activity& activity, Wait wait);
  Task<UserResult> call_executable(Entry& entry, const UserCall& call, Wait wait);
  void settle_fault(const SharedWorker& worker, const Error& error);

  Task<SharedWorker> obtain_worker(Entry& entry, const UserCall& call, Wait wait);
  bool is_full() const noexcept;
  bool evict_one();
  Task<void> make_room(const UserCall& call, std::optional<ShortageError> why, Wait wait);
  Task<bool> wait_alone(ShortageError why, Wait wait);

  SharedWorker take_idle(const Entry& entry);
  void keep_idle(SharedWorker worker);
  Task<SharedWorker> start_worker(Entry& entry);
  SharedWorker spawn_worker(const Entry& entry);
  Task<SharedWorker> fork_worker(const Entry& entry);
  Task<void> watch_fork_server(std::shared_ptr<ForkServer> server);
  SharedWorker adopt(WorkerProcess process, WorkerPipes pipes);
  Task<void> live(SharedWorker worker);
  void want_spare();
  Task<void> add_spare();
  void forget(const SharedWorker& worker);

  Reactor& reactor_;
  WorkerPoolOptions options_;
  std::map<std::string, Entry, std::less<>> entries_;
  Descriptor null_;
  detail::WaitList places_;
  detail::WaitList room_;   ///< Calls that could not start a process.
  detail::WaitList ended_;  ///< Waits for the end of calls, and of a shutdown that is under way.
  WorkerPoolCounters counters_{};
  bool handing_over_ = false;
  std::vector<SharedWorker> all_;
  std::vector<SharedWorker> idle_;  ///< The one idle longest first.
  unsigned idle_weight_ = 0;
  std::size_t processes_max_ = 0;
  std::size_t programs_running_ = 0;     ///< Processes of executables.
  std::optional<Deadline> alone_since_;  ///< No process could be started, and there is none.
  SharedWorker spare_;                   ///< Forked ahead, nobody's yet.
  bool adding_spare_ = false;
  std::size_t forkable_not_begun_ = 0;
  std::shared_ptr<ForkServer> fork_server_;
  bool fork_server_useless_ = false;
  Activity activity_{"workers"};
  StopSource stop_;
  enum class Shutdown : std::uint8_t { no, running, done } shutdown_ = Shutdown::no;
  TaskGroup tasks_;
};

}  // namespace unum
