// `unum worker`: steps from an application's queue in Redis, on any number of machines.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <thread>

#include "application/application.hpp"
#include "base/secrets.hpp"
#include "cli/cli.hpp"
#include "hosts/function_code_of.hpp"
#include "hosts/redis_streams/queue.hpp"
#include "hosts/redis_streams/replicated_store.hpp"
#include "hosts/redis_streams/stream_worker.hpp"
#include "hosts/store_choice.hpp"
#include "reactor/random_text.hpp"
#include "reactor/signals.hpp"
#include "unum/task_group.hpp"
#include "workers/worker_pool.hpp"

namespace unum::cli {
namespace {

/// Its host, its process and a number that no other one has: for people, and unique.
std::string consumer_name(Reactor& reactor) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("{}-{}-{}", host[0] == '\0' ? "host" : host.data(), ::getpid(),
                     random_hex(reactor, 4));
}

/// One worker. What it needs, in the order in which it must die.
class CommandWorker final : private streams::WorkerObserver {
 public:
  CommandWorker(const WorkerArguments& arguments, CheckedApplication application)
      : arguments_(arguments),
        application_(std::move(application)),
        choice_(choose_store(details_of(application_), arguments.store)),
        queue_name_(queue_name(arguments.queue, choice_)),
        // Before anything that starts threads or workers.
        signals_({SIGINT, SIGTERM, SIGHUP}) {
    if (choice_.type == "memory") {
      throw Error(ErrorKind::invalid, "cli", "worker",
                  "a data store in memory is not shared by workers; name another one with --store");
    }
    if (arguments.replicas > 0 && choice_.type != "redis") {
      throw Error(ErrorKind::invalid, "cli", "worker",
                  fmt::format("--replicas is for a data store of type redis; this one is {}",
                              shown_store(choice_.type, choice_.name)));
    }
  }

  int run() { return reactor_.run(run_all()); }

 private:
  void ended(std::string_view function, const StepReport& report) override;
  void told(std::string_view why) override { say("unum: {}\n", hide_passwords(std::string(why))); }

  streams::QueueOptions queue_options() const;
  Task<std::unique_ptr<Store>> open_data_store(Wait wait);
  void start_workers(unsigned count);
  Task<void> work();
  Task<void> watch_signals(StopToken done);
  Task<void> end_grace(StopToken done);
  Task<int> run_all();

  const WorkerArguments& arguments_;
  const CheckedApplication application_;
  const StoreChoice choice_;
  const std::string queue_name_;
  Signals signals_;
  Reactor reactor_;
  StopSource drain_;  ///< Take nothing more.
  StopSource stop_;   ///< And end what runs.
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<streams::Queue> queue_;
  std::unique_ptr<TraceExporter> traces_;
};

void CommandWorker::ended(std::string_view function, const StepReport& report) {
  if (traces_) traces_->add(function, report);
  if (arguments_.quiet) return;
  const bool failed = report.status == StepReport::Status::failed;
  if (failed) {
    const std::string_view cause =
        std::string_view(report.cause)
            .substr(0, std::min(report.cause.find('\n'), report.cause.size()));
    say("unum: session {}: {} failed: {}: {}\n", report.session,
        report.instance.empty() ? std::string(function) : report.instance, report.error, cause);
  }
  for (const std::string& text : report.disagreements) {
    say("unum: session {}: {}\n", report.session, text);
  }
}

streams::QueueOptions CommandWorker::queue_options() const {
  streams::QueueOptions options;
  options.patience = patience_of(arguments_.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  options.warn = [](std::string_view text) { say("unum: warning: {}\n", text); };
  return options;
}

Task<std::unique_ptr<Store>> CommandWorker::open_data_store(Wait wait) {
  StoreOptions options;
  options.read_consistency = application_.read_consistency();
  options.patience = patience_of(arguments_.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  options.warn = [](std::string_view text) { say("unum: warning: {}\n", text); };
  // The embedded default, for workers on one machine.
  if (!choice_.named) co_await create_store(reactor_, choice_.type, choice_.name, wait);
  co_return co_await open_store(reactor_, choice_.type, choice_.name, options, wait);
}

void CommandWorker::start_workers(unsigned count) {
  WorkerPoolOptions options;
  options.running_max = count;
  options.output = [](const OutputLine& line) {
    say("[{}] {}\n", line.instance.empty() ? line.function : line.instance, line.text);
  };
  std::vector<FunctionCode> codes;
  for (const FunctionSettings& settings : details_of(application_).functions) {
    codes.push_back(function_code_of(settings));
  }
  pool_ = std::make_unique<WorkerPool>(reactor_, std::move(codes), std::move(options));
  pool_->prepare();
}

Task<void> CommandWorker::work() {
  const Wait wait{kNoDeadline, drain_.token()};
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const unsigned count = arguments_.workers == 0 ? cores : arguments_.workers;
  start_workers(count);
  queue_ =
      std::make_unique<streams::Queue>(reactor_, queue_name_, application_.name(), queue_options());
  co_await queue_->open(wait);
  store_ = co_await open_data_store(wait);
  std::optional<streams::ReplicatedStore> replicated;
  if (arguments_.replicas > 0) {
    replicated.emplace(*store_, choice_.name, arguments_.replicas);
    co_await replicated->open(wait);
  }
  Store& store = replicated ? static_cast<Store&>(*replicated) : *store_;
  streams::StreamWorkerOptions options;
  options.consumer = consumer_name(reactor_);
  options.workers = count;
  options.lease = patience_of(arguments_.lease_s);
  options.runtime.collects_garbage = application_.collects_garbage();
  options.runtime.application = application_.identity();
  options.runtime.application->accept_changes = arguments_.accept_changes;
  options.observer = this;
  traces_ = open_traces(reactor_, application_.name());
  if (traces_) options.runtime.traces = traces_->ratio();
  streams::StreamWorker worker(reactor_, *queue_, store, options);
  for (Function& function : application_.functions()) worker.add(std::move(function), *pool_);
  if (!arguments_.quiet) {
    say("unum: worker {} of {}: {} functions at once, queue redis:{} ({}), store {}\n",
        options.consumer, application_.name(), count, queue_->name(), queue_->keys().stream,
        shown_store(choice_.type, choice_.name));
  }
  co_await worker.run(drain_.token(), stop_.token());
}

Task<void> CommandWorker::watch_signals(StopToken done) {
  const Wait until_done{kNoDeadline, done};
  TaskGroup grace;
  while (const std::optional<int> signal = co_await signals_.next(reactor_, until_done)) {
    if (drain_.requested()) ::_exit(kInterrupted);  // workers die with this process
    say("unum: {}; what runs may end within {:g} s (again: at once)\n", strsignal(*signal),
        arguments_.grace_s);
    drain_.request("told to end");
    grace.spawn(end_grace(done));
  }
  co_await grace.drain();
}

Task<void> CommandWorker::end_grace(StopToken done) {
  const Deadline end = reactor_.now() + patience_of(arguments_.grace_s);
  const bool over = co_await reactor_.sleep_until(end, done);
  if (over) stop_.request("the time to end is over");
}

Task<int> CommandWorker::run_all() {
  StopSource done;
  TaskGroup watchers;
  watchers.spawn(watch_signals(done.token()));
  std::exception_ptr error;
  try {
    co_await work();
  } catch (...) {
    error = std::current_exception();
  }
  if (pool_) co_await pool_->shutdown();
  if (traces_) co_await traces_->close();
  if (store_) co_await store_->close();
  if (queue_) queue_->close();
  done.request("done");
  co_await watchers.drain();
  if (!error) co_return kDone;
  const int told = report_exception(error);
  co_return drain_.requested() ? kInterrupted : told;
}

}  // namespace

int worker(const WorkerArguments& arguments) {
  return CommandWorker(arguments, load_checked(arguments.directory, arguments.quiet)).run();
}

}  // namespace unum::cli
