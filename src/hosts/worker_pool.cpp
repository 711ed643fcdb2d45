// Who runs what: places for calls, idle workers, workers started ahead, and their end.
#include "hosts/worker_pool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <thread>

#include "hosts/executable_worker.hpp"
#include "hosts/worker.hpp"
#include "hosts/worker_programs.hpp"
#include "reactor/wait_list.hpp"
#include "unum/error.hpp"
#include "unum/task_group.hpp"

namespace unum {
namespace {

/// What an idle process counts: one of Node takes some 40 MB, a forked one of Python 2.
constexpr unsigned kNodeWeight = 8;
/// Runs of a call that nobody began to execute, because its worker had died while it was idle.
constexpr int kStartsMax = 5;

using SharedWorker = std::shared_ptr<Worker>;

/// A function and what is known about running it.
struct Entry {
  FunctionCode code;
  Variables variables;
  std::vector<std::string> command;  ///< Empty until it was looked for.
  bool forked = false;               ///< Its workers come from the fork server.
  bool begun = false;                ///< It has had a worker.
};

unsigned weight_of(const Worker& worker) {
  return worker.code()->kind == CodeKind::node ? kNodeWeight : 1;
}

Error cancelled(const UserCall& call, std::string_view reason) {
  return Error(ErrorKind::cancelled, "worker", "Unum.Cancelled",
               fmt::format("{}: its call was stopped before it began{}{}", call.instance,
                           reason.empty() ? "" : ": ", reason));
}

}  // namespace

class WorkerPool::Impl {
 public:
  Impl(Reactor& reactor, std::vector<FunctionCode> functions, WorkerPoolOptions options);

  void prepare();
  Task<UserResult> call(const UserCall& call, Wait wait);
  Task<void> shutdown();
  WorkerPoolCounters counters() const noexcept;

 private:
  struct Place;

  Entry& entry_of(std::string_view function);
  void look_up(Entry& entry);

  Task<void> wait_for_place(const UserCall& call, Wait wait);
  void release_place(bool hand_over_here) noexcept;

  Task<UserResult> call_worker(Entry& entry, const UserCall& call, Wait wait);
  Task<UserResult> call_executable(Entry& entry, const UserCall& call, Wait wait);
  void settle_fault(const SharedWorker& worker, const Error& error);

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
  WaitList places_;
  WaitList ended_;  ///< Waits for the end of calls, and of a shutdown that is under way.
  WorkerPoolCounters counters_{};
  bool handing_over_ = false;
  std::vector<SharedWorker> all_;
  std::vector<SharedWorker> idle_;  ///< The one idle longest first.
  unsigned idle_weight_ = 0;
  SharedWorker spare_;  ///< Forked ahead, nobody's yet.
  bool adding_spare_ = false;
  std::size_t forkable_not_begun_ = 0;
  std::shared_ptr<ForkServer> fork_server_;
  bool fork_server_useless_ = false;
  StopSource stop_;
  enum class Shutdown : std::uint8_t { no, running, done } shutdown_ = Shutdown::no;
  TaskGroup tasks_;
};

// --- The pool's face
// ---------------------------------------------------------------------------------------

WorkerPool::WorkerPool(Reactor& reactor, std::vector<FunctionCode> functions,
                       WorkerPoolOptions options)
    : impl_(std::make_unique<Impl>(reactor, std::move(functions), std::move(options))) {}
WorkerPool::~WorkerPool() = default;
void WorkerPool::prepare() { impl_->prepare(); }
Task<UserResult> WorkerPool::call(const UserCall& call, Wait wait) {
  return impl_->call(call, wait);
}
Task<void> WorkerPool::shutdown() { return impl_->shutdown(); }
WorkerPoolCounters WorkerPool::counters() const noexcept { return impl_->counters(); }

WorkerPool::Impl::Impl(Reactor& reactor, std::vector<FunctionCode> functions,
                       WorkerPoolOptions options)
    : reactor_(reactor),
      options_(std::move(options)),
      null_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  if (options_.running_max == 0) {
    options_.running_max = std::max(1u, std::thread::hardware_concurrency());
  }
  for (FunctionCode& code : functions) {
    Entry entry;
    entry.variables = function_variables(code);
    entry.forked = options_.fork_python && code.kind == CodeKind::python && !needs_own_start(code);
    if (entry.forked) ++forkable_not_begun_;
    std::string name = code.function;
    entry.code = std::move(code);
    entries_.emplace(std::move(name), std::move(entry));
  }
}

WorkerPoolCounters WorkerPool::Impl::counters() const noexcept {
  WorkerPoolCounters counters = counters_;
  counters.waiting = places_.size();
  counters.processes = all_.size();
  return counters;
}

void WorkerPool::Impl::prepare() {
  for (auto& [name, entry] : entries_) look_up(entry);
  want_spare();
}

Entry& WorkerPool::Impl::entry_of(std::string_view function) {
  const auto found = entries_.find(function);
  if (found == entries_.end()) {
    throw Error(ErrorKind::not_found, "worker", "Unum.NoWorker",
                fmt::format("no code is known for the function \"{}\"", function));
  }
  return found->second;
}

void WorkerPool::Impl::look_up(Entry& entry) {
  if (!entry.command.empty()) return;
  check_code(entry.code);
  entry.command = worker_command(entry.code);
}

// --- Places: how many calls run at once
// -----------------------------------------------------------------

/// Holds a place while it lives.
struct WorkerPool::Impl::Place {
  Impl* pool;
  ~Place() {
    if (pool != nullptr) pool->release_place(false);
  }
  /// Gives it to the next call at once, which so reaches a worker before this call's result is
  /// looked at.
  void hand_over() { std::exchange(pool, nullptr)->release_place(true); }
};

Task<void> WorkerPool::Impl::wait_for_place(const UserCall& call, Wait wait) {
  const int woken = co_await places_.wait(reactor_, wait);
  if (woken == 0) co_return;  // whoever woke us left its place to us
  if (woken == -ETIME) {
    throw Error(ErrorKind::timeout, "worker", "States.Timeout",
                fmt::format("{}: no worker was free before the deadline", call.instance));
  }
  throw cancelled(call, wait.stop.stop_requested() ? wait.stop.reason() : stop_.reason());
}

void WorkerPool::Impl::release_place(bool hand_over_here) noexcept {
  if (!places_.empty() && shutdown_ == Shutdown::no) {
    // In this call, unless it comes out of another's: a chain of calls that fail at once must not
    // pile up.
    if (hand_over_here && !handing_over_) {
      handing_over_ = true;
      places_.wake_one_here();
      handing_over_ = false;
    } else {
      places_.wake_one();
    }
    return;
  }
  --counters_.running;
  if (shutdown_ != Shutdown::no) ended_.wake_all();
}

// --- Calls
// ------------------------------------------------------------------------------------------------

Task<UserResult> WorkerPool::Impl::call(const UserCall& call, Wait wait) {
  Entry& entry = entry_of(call.function);
  if (shutdown_ != Shutdown::no) throw cancelled(call, stop_.reason());
  if (wait.stop.stop_requested()) throw cancelled(call, wait.stop.reason());
  if (counters_.running < options_.running_max && places_.empty()) {
    ++counters_.running;
  } else {
    co_await wait_for_place(call, wait);
  }
  Place place{this};
  ++counters_.calls;
  look_up(entry);
  UserResult result;
  if (entry.code.kind == CodeKind::executable) {
    result = co_await call_executable(entry, call, wait);
  } else {
    result = co_await call_worker(entry, call, wait);
  }
  place.hand_over();
  co_return result;
}

Task<UserResult> WorkerPool::Impl::call_executable(Entry& entry, const UserCall& call, Wait wait) {
  StopSource stop(wait.stop);
  StopCallback ours(
      stop_.token(),
      [](void* source) noexcept {
        static_cast<StopSource*>(source)->request("the workers are shutting down");
      },
      &stop);
  ++counters_.started;
  try {
    co_return co_await run_executable(reactor_, entry.code, entry.command, entry.variables, call,
                                      Wait{wait.deadline, stop.token()}, options_.output,
                                      options_.stop_grace);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::disconnected || error.kind() == ErrorKind::timeout) {
      ++counters_.crashed;
    }
    throw;
  }
}

Task<UserResult> WorkerPool::Impl::call_worker(Entry& entry, const UserCall& call, Wait wait) {
  for (int start = 1;; ++start) {
    SharedWorker worker = take_idle(entry);
    if (!worker) worker = co_await start_worker(entry);
    if (shutdown_ != Shutdown::no) {
      worker->kill();
      throw cancelled(call, stop_.reason());
    }
    try {
      UserResult result = co_await worker->call(call, wait);
      keep_idle(std::move(worker));
      co_return result;
    } catch (const Error& error) {
      settle_fault(worker, error);
      if (!worker->call_never_began() || start == kStartsMax) throw;
    }
  }
}

void WorkerPool::Impl::settle_fault(const SharedWorker& worker, const Error& error) {
  if (error.kind() == ErrorKind::cancelled && !worker->ended()) {
    tasks_.spawn([](SharedWorker ending, Deadline patience) -> Task<void> {
      co_await ending->terminate(patience);
    }(worker, reactor_.now() + options_.stop_grace));
  } else if (error.kind() == ErrorKind::disconnected || error.kind() == ErrorKind::timeout) {
    if (!worker->call_never_began()) ++counters_.crashed;
  } else {
    worker->kill();
  }
}

// --- Workers
// ---------------------------------------------------------------------------------------------

SharedWorker WorkerPool::Impl::take_idle(const Entry& entry) {
  // The one used last: its caches are warm, and the others may be given up.
  for (std::size_t i = idle_.size(); i-- > 0;) {
    if (idle_[i]->code() != &entry.code) continue;
    SharedWorker worker = std::move(idle_[i]);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    idle_weight_ -= weight_of(*worker);
    if (worker->usable()) return worker;
  }
  return nullptr;
}

void WorkerPool::Impl::keep_idle(SharedWorker worker) {
  if (!worker->usable()) return;  // it ends by itself
  if (shutdown_ != Shutdown::no) {
    worker->kill();
    return;
  }
  idle_weight_ += weight_of(*worker);
  idle_.push_back(std::move(worker));
  while (idle_weight_ > options_.idle_max) {
    idle_weight_ -= weight_of(*idle_.front());
    idle_.front()->kill();
    idle_.erase(idle_.begin());
    ++counters_.evicted;
  }
}

Task<SharedWorker> WorkerPool::Impl::start_worker(Entry& entry) {
  if (!entry.begun) {
    entry.begun = true;
    if (entry.forked) --forkable_not_begun_;
  }
  SharedWorker worker;
  if (entry.forked && !fork_server_useless_) {
    worker = std::exchange(spare_, nullptr);
    if (!worker || !worker->usable()) {
      worker = co_await fork_worker(entry);
    }
  }
  const bool forked = worker != nullptr;
  if (!forked) worker = spawn_worker(entry);
  worker->load(entry.code, forked ? &entry.variables : nullptr);
  if (forked) want_spare();
  co_return worker;
}

SharedWorker WorkerPool::Impl::spawn_worker(const Entry& entry) {
  WorkerPipes near;
  WorkerFarEnds far;
  make_worker_pipes(near, far);
  SpawnOptions options;
  options.argv = entry.command;
  options.environment = merged_environment(entry.variables);
  options.directory = entry.code.directory;
  options.descriptors = {{0, null_.get()},
                         {1, far.output.get()},
                         {2, far.output.get()},
                         {worker::kRequestDescriptor, near.requests_far.get()},
                         {worker::kResponseDescriptor, far.responses.get()}};
  return adopt(WorkerProcess(Process::spawn(options)), std::move(near));
}

/// Nothing if there is no fork server to be had: then workers are started one by one.
Task<SharedWorker> WorkerPool::Impl::fork_worker(const Entry& entry) {
  while (!fork_server_useless_) {
    if (!fork_server_ || !fork_server_->alive()) {
      fork_server_ = ForkServer::start(reactor_, entry.command, STDERR_FILENO);
      tasks_.spawn(watch_fork_server(fork_server_));
    }
    const std::shared_ptr<ForkServer> server = fork_server_;
    WorkerPipes near;
    WorkerFarEnds far;
    make_worker_pipes(near, far);
    try {
      WorkerProcess process =
          co_await server->fork(near.requests_far.get(), far.responses.get(), far.output.get());
      co_return adopt(std::move(process), std::move(near));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::disconnected) throw;
      if (shutdown_ != Shutdown::no) throw;
      // One that never answered cannot run here; one that did was ended by somebody.
      if (!server->proven()) fork_server_useless_ = true;
    }
  }
  co_return nullptr;
}

Task<void> WorkerPool::Impl::watch_fork_server(std::shared_ptr<ForkServer> server) {
  co_await server->watch();
  // The kernel ends what it forked; no call must meet one of them meanwhile.
  for (const SharedWorker& worker : std::vector<SharedWorker>(all_)) {
    if (worker->fork_server() == server.get()) worker->kill();
  }
}

SharedWorker WorkerPool::Impl::adopt(WorkerProcess process, WorkerPipes pipes) {
  auto worker =
      std::make_shared<Worker>(reactor_, std::move(process), std::move(pipes), options_.output);
  all_.push_back(worker);
  ++counters_.started;
  tasks_.spawn(live(worker));
  return worker;
}

Task<void> WorkerPool::Impl::live(SharedWorker worker) {
  co_await worker->tend();
  forget(worker);
}

void WorkerPool::Impl::forget(const SharedWorker& worker) {
  std::erase(all_, worker);
  const auto idle = std::find(idle_.begin(), idle_.end(), worker);
  if (idle != idle_.end()) {
    idle_weight_ -= weight_of(*worker);
    idle_.erase(idle);
  }
  if (spare_ == worker) spare_ = nullptr;
  if (shutdown_ != Shutdown::no) ended_.wake_all();
}

/// A worker for the next function that has had none is forked while others compute: functions of a
/// chain then find theirs ready.
void WorkerPool::Impl::want_spare() {
  if (forkable_not_begun_ == 0 || spare_ || adding_spare_ || fork_server_useless_ ||
      shutdown_ != Shutdown::no) {
    return;
  }
  adding_spare_ = true;
  tasks_.spawn(add_spare());
}

Task<void> WorkerPool::Impl::add_spare() {
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [](const auto& candidate) {
    return candidate.second.forked && !candidate.second.begun;
  });
  try {
    look_up(entry->second);
    spare_ = co_await fork_worker(entry->second);
    if (spare_ && shutdown_ != Shutdown::no) spare_->kill();
  } catch (const Error&) {
    // It is only a convenience; the call that needs a worker meets the same and says so.
  }
  adding_spare_ = false;
  if (shutdown_ != Shutdown::no) ended_.wake_all();
}

// --- The end
// -----------------------------------------------------------------------------------------------

Task<void> WorkerPool::Impl::shutdown() {
  if (shutdown_ != Shutdown::no) {
    while (shutdown_ != Shutdown::done) co_await ended_.wait(reactor_, Wait{});
    co_return;
  }
  shutdown_ = Shutdown::running;
  stop_.request("the workers are shutting down");
  places_.stop_all();
  for (const SharedWorker& worker : std::vector<SharedWorker>(idle_)) worker->kill();
  if (spare_) spare_->kill();
  for (const SharedWorker& worker : std::vector<SharedWorker>(all_)) worker->stop_call();
  while (counters_.running > 0 || adding_spare_ || !all_.empty())
    co_await ended_.wait(reactor_, Wait{});
  // Last: its end would be the end of workers that are still being asked to end.
  if (fork_server_) fork_server_->kill();
  co_await tasks_.drain();
  shutdown_ = Shutdown::done;
  ended_.wake_all();
}

}  // namespace unum
