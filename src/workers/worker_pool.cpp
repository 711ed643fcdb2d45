// Who runs what: places for calls, idle workers, workers started ahead, and their end.
#include "workers/worker_pool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <thread>

#include "base/log.hpp"
#include "reactor/descriptor_limit.hpp"
#include "unum/error.hpp"
#include "workers/executable_worker.hpp"
#include "workers/worker_pool_impl.hpp"

namespace unum {
namespace {

/// What an idle process counts: one of Node takes some 40 MB, a forked one of Python 2.
constexpr unsigned kNodeWeight = 8;
/// Runs of a call that nobody began to execute, because its worker had died while it was idle.
constexpr int kStartsMax = 5;
/// What a worker's pipes and its pidfd take. Half of all there may be are for workers.
constexpr std::size_t kDescriptorsOfWorker = 5;
/// So long a place for the first process is waited for, asked for so often.
constexpr std::chrono::seconds kAlonePatience{8};
constexpr std::chrono::milliseconds kAlonePause{50};

unsigned weight_of(const Worker& worker) {
  return worker.code()->kind == CodeKind::node ? kNodeWeight : 1;
}

Error cancelled(const UserCall& call, std::string_view reason) {
  return Error(ErrorKind::cancelled, "worker", "Unum.Cancelled",
               fmt::format("{}: its call was stopped before it began{}{}", call.instance,
                           reason.empty() ? "" : ": ", reason));
}

}  // namespace

// --- The pool's face -----------------------------------------------------------------------------

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
  activity_.describe_by([](const void* pool) { return static_cast<const Impl*>(pool)->describe(); },
                        this);
  if (!null_) throw system_error("worker", errno, "opening /dev/null");
  if (options_.running_max == 0) {
    options_.running_max = std::max(1u, std::thread::hardware_concurrency());
  }
  processes_max_ = std::max<std::size_t>(1, descriptors_max() / 2 / kDescriptorsOfWorker);
  options_.running_max =
      static_cast<unsigned>(std::min<std::size_t>(options_.running_max, processes_max_));
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

std::string WorkerPool::Impl::describe() const {
  std::string text = fmt::format(
      "{} of at most {} calls run, {} wait for their turn; {} processes, {} idle",
      counters_.running, options_.running_max, places_.size(), all_.size(), idle_.size());
  if (!room_.empty()) text += "; some wait for a process to end, since no more can be started";
  return text;
}

void WorkerPool::Impl::prepare() {
  for (auto& [name, entry] : entries_) look_up(entry);
  want_spare();
}

WorkerEntry& WorkerPool::Impl::entry_of(std::string_view function) {
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

// --- Places: how many calls run at once ----------------------------------------------------------

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

// --- Calls ---------------------------------------------------------------------------------------

Task<UserResult> WorkerPool::Impl::call(const UserCall& call, Wait wait) {
  Entry& entry = entry_of(call.function);
  if (shutdown_ != Shutdown::no) throw cancelled(call, stop_.reason());
  if (wait.stop.stop_requested()) throw cancelled(call, wait.stop.reason());
  Activity activity("call of", call.instance, call.session);
  if (counters_.running < options_.running_max && places_.empty()) {
    ++counters_.running;
  } else {
    activity.waits_for("its turn");
    co_await wait_for_place(call, wait);
  }
  Place place{this};
  ++counters_.calls;
  look_up(entry);
  UserResult result;
  if (entry.code.kind == CodeKind::executable) {
    activity.waits_for("its program");
    result = co_await call_executable(entry, call, wait);
  } else {
    result = co_await call_worker(entry, call, activity, wait);
  }
  place.hand_over();
  co_return result;
}

/// Counts the process of an executable; its end makes room.
struct WorkerPool::Impl::RunningProgram {
  explicit RunningProgram(Impl& owner) noexcept : pool(owner) {
    ++pool.counters_.started;
    ++pool.programs_running_;
  }
  ~RunningProgram() {
    --pool.programs_running_;
    if (began) {
      pool.alone_since_.reset();
      pool.room_.wake_all();
    } else {
      --pool.counters_.started;
    }
  }
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  Impl& pool;
  bool began = true;
};

Task<UserResult> WorkerPool::Impl::call_executable(Entry& entry, const UserCall& call, Wait wait) {
  StopSource stop(wait.stop);
  StopCallback ours(
      stop_.token(),
      [](void* source) noexcept {
        static_cast<StopSource*>(source)->request("the workers are shutting down");
      },
      &stop);
  const Wait until{wait.deadline, stop.token()};
  while (true) {
    std::optional<ShortageError> why;
    const bool evicts = is_full() && evict_one();
    if (!evicts) {
      RunningProgram counted(*this);
      try {
        co_return co_await run_executable(reactor_, entry.code, entry.command, entry.variables,
                                          call, until, options_.output, options_.stop_grace);
      } catch (const ShortageError& shortage) {
        counted.began = false;
        why = shortage;
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::disconnected || error.kind() == ErrorKind::timeout) {
          ++counters_.crashed;
        }
        throw;
      }
    }
    co_await make_room(call, std::move(why), wait);
  }
}

Task<UserResult> WorkerPool::Impl::call_worker(Entry& entry, const UserCall& call,
                                               Activity& activity, Wait wait) {
  for (int start = 1;; ++start) {
    activity.waits_for("a worker process");
    SharedWorker worker = co_await obtain_worker(entry, call, wait);
    if (shutdown_ != Shutdown::no) {
      worker->kill();
      throw cancelled(call, stop_.reason());
    }
    activity.waits_for("worker process", static_cast<std::size_t>(worker->pid()));
    try {
      UserResult result = co_await worker->call(call, wait);
      keep_idle(std::move(worker));
      co_return result;
    } catch (const Error& error) {
      settle_fault(worker, error);
      const bool stopped = error.kind() == ErrorKind::cancelled;
      log::event(stopped ? LogLevel::debug : LogLevel::warn, LogArea::worker,
                 {call.session, call.instance}, "lost process {}: {}", worker->pid(), error.code());
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

// --- Workers -------------------------------------------------------------------------------------

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
  while (idle_weight_ > options_.idle_max) evict_one();
  room_.wake_all();
}

/// A worker for the function: one that is idle, or a new one. Where none can be started the call
/// waits for one that exists, its own or another's that makes room.
Task<SharedWorker> WorkerPool::Impl::obtain_worker(Entry& entry, const UserCall& call, Wait wait) {
  while (true) {
    SharedWorker worker = take_idle(entry);
    if (worker) co_return worker;
    std::optional<ShortageError> why;
    const bool takes_spare = entry.forked && spare_;
    const bool evicts = !takes_spare && is_full() && evict_one();
    if (!evicts) {
      try {
        co_return co_await start_worker(entry);
      } catch (const ShortageError& shortage) {
        why = shortage;
      }
    }
    co_await make_room(call, std::move(why), wait);
  }
}

bool WorkerPool::Impl::is_full() const noexcept {
  return all_.size() + programs_running_ >= processes_max_;
}

/// Ends the worker idle longest, or else the one forked ahead.
bool WorkerPool::Impl::evict_one() {
  SharedWorker worker;
  if (!idle_.empty()) {
    worker = idle_.front();
    idle_.erase(idle_.begin());
    idle_weight_ -= weight_of(*worker);
  } else {
    worker = std::exchange(spare_, nullptr);
  }
  if (!worker) return false;
  worker->kill();
  ++counters_.evicted;
  return true;
}

/// Waits until a process has ended or has nothing to do; `why` none could be started, nothing if
/// one was evicted already. Throws it when no other process is there whose end could help.
Task<void> WorkerPool::Impl::make_room(const UserCall& call, std::optional<ShortageError> why,
                                       Wait wait) {
  if (shutdown_ != Shutdown::no) throw cancelled(call, stop_.reason());
  if (why) {
    evict_one();
    if (all_.empty() && programs_running_ == 0) {
      // Its place is better used for a worker.
      const bool serves = fork_server_ && !fork_server_->ended();
      if (!serves && (!fork_server_ || fork_server_useless_)) {
        const bool goes_on = co_await wait_alone(*why, wait);
        if (goes_on) co_return;
        throw cancelled(call, wait.stop.stop_requested() ? wait.stop.reason() : "its time is up");
      }
      fork_server_useless_ = true;
      if (!serves) co_return;
      fork_server_->kill();
    }
  }
  const int woken = co_await room_.wait(reactor_, wait);
  if (woken == 0) co_return;
  if (woken == -ETIME) {
    throw Error(ErrorKind::timeout, "worker", "States.Timeout",
                fmt::format("{}: no worker could be had before the deadline{}{}", call.instance,
                            why ? ": " : "", why ? why->message() : ""));
  }
  throw cancelled(call, wait.stop.stop_requested() ? wait.stop.reason() : stop_.reason());
}

/// With no process of ours, others' may end: the ring's own threads, for one, count as the user's
/// processes, and end when they were idle for five seconds.
Task<bool> WorkerPool::Impl::wait_alone(ShortageError why, Wait wait) {
  const Deadline now = reactor_.now();
  if (!alone_since_) alone_since_ = now;
  if (now - *alone_since_ >= kAlonePatience) throw why;
  if (now >= wait.deadline) co_return false;
  co_return co_await reactor_.sleep_until(std::min(now + kAlonePause, wait.deadline), wait.stop);
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
  or_shortage([&] { make_worker_pipes(near, far); });
  SpawnOptions options;
  options.argv = entry.command;
  options.environment = merged_environment(entry.variables);
  options.directory = entry.code.directory;
  options.descriptors = {{0, null_.get()},
                         {1, far.output.get()},
                         {2, far.output.get()},
                         {worker::kRequestDescriptor, near.requests_far.get()},
                         {worker::kResponseDescriptor, far.responses.get()}};
  Process process = or_shortage([&] { return Process::spawn(options); });
  return adopt(WorkerProcess(std::move(process)), std::move(near));
}

/// Nothing if there is no fork server to be had: then workers are started one by one.
Task<SharedWorker> WorkerPool::Impl::fork_worker(const Entry& entry) {
  while (!fork_server_useless_) {
    if (!fork_server_ || !fork_server_->alive()) {
      fork_server_ =
          or_shortage([&] { return ForkServer::start(reactor_, entry.command, STDERR_FILENO); });
      tasks_.spawn(watch_fork_server(fork_server_));
    }
    const std::shared_ptr<ForkServer> server = fork_server_;
    WorkerPipes near;
    WorkerFarEnds far;
    or_shortage([&] { make_worker_pipes(near, far); });
    try {
      WorkerProcess process =
          co_await server->fork(near.requests_far.get(), far.responses.get(), far.output.get());
      co_return adopt(std::move(process), std::move(near));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::disconnected) or_shortage([] { throw; });
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
  room_.wake_all();
}

SharedWorker WorkerPool::Impl::adopt(WorkerProcess process, WorkerPipes pipes) {
  alone_since_.reset();
  auto worker =
      std::make_shared<Worker>(reactor_, std::move(process), std::move(pipes), options_.output);
  all_.push_back(worker);
  ++counters_.started;
  log::info(LogArea::worker, "process {} was started, one of {}", worker->pid(), all_.size());
  tasks_.spawn(live(worker));
  return worker;
}

Task<void> WorkerPool::Impl::live(SharedWorker worker) {
  co_await worker->tend();
  log::info(LogArea::worker, "process {} ended", worker->pid());
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
  room_.wake_all();
  if (shutdown_ != Shutdown::no) ended_.wake_all();
}

/// A worker for the next function that has had none is forked while others compute: functions of a
/// chain then find theirs ready.
void WorkerPool::Impl::want_spare() {
  if (forkable_not_begun_ == 0 || spare_ || adding_spare_ || fork_server_useless_ || is_full() ||
      !room_.empty() || shutdown_ != Shutdown::no) {
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

// --- The end -------------------------------------------------------------------------------------

Task<void> WorkerPool::Impl::shutdown() {
  if (shutdown_ != Shutdown::no) {
    while (shutdown_ != Shutdown::done) co_await ended_.wait(reactor_, Wait{});
    co_return;
  }
  shutdown_ = Shutdown::running;
  stop_.request("the workers are shutting down");
  places_.stop_all();
  room_.stop_all();
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
