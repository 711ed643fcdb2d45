// `unum lambda`, also started as `bootstrap`: a function in AWS Lambda.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "hosts/function_code_of.hpp"
#include "hosts/lambda/host.hpp"
#include "hosts/lambda/runtime_api.hpp"
#include "hosts/lambda/settings.hpp"
#include "reactor/signals.hpp"
#include "unum/log.hpp"
#include "unum/task_group.hpp"
#include "workers/worker_pool.hpp"

namespace unum::cli {
namespace {

// Lambda gives 10 s for all of the start; what takes longer than this is told as the reason.
constexpr std::chrono::seconds kOpenTime{9};

/// The process of one function. What it needs, in the order in which it must die.
class LambdaProcess {
 public:
  LambdaProcess()
      // Before anything that starts threads or workers.
      : signals_({SIGTERM, SIGINT}), api_address_(lambda::runtime_api_address()) {
    // Why a delivery failed is nowhere else to be read.
    if (std::getenv("UNUM_LOG") == nullptr) set_log_levels("host=warn");
  }

  int run() { return reactor_.run(run_all()); }

 private:
  Task<int> run_all();
  Task<void> start();
  Task<int> start_and_serve();
  Task<void> watch_signals(StopToken done);

  Signals signals_;
  const std::string api_address_;
  Reactor reactor_;
  StopSource stop_;
  std::unique_ptr<lambda::RuntimeApi> api_;
  std::unique_ptr<lambda::Host> host_;
  std::unique_ptr<WorkerPool> pool_;
};

Task<void> LambdaProcess::start() {
  const lambda::HostSettings settings = lambda::read_settings();
  host_ = std::make_unique<lambda::Host>(reactor_, *api_, settings);
  WorkerPoolOptions options;
  options.running_max = settings.concurrency;
  options.fork_python = settings.concurrency > 1;
  options.output = [](const OutputLine& line) {
    say("[{}] {}\n", line.instance.empty() ? line.function : line.instance, line.text);
  };
  std::vector<FunctionCode> codes{function_code_of(host_->function_settings())};
  pool_ = std::make_unique<WorkerPool>(reactor_, std::move(codes), std::move(options));
  pool_->prepare();
  const Wait wait{reactor_.now() + kOpenTime, stop_.token()};
  co_await host_->open(*pool_, wait);
}

Task<int> LambdaProcess::start_and_serve() {
  std::optional<Error> failure;
  try {
    co_await start();
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) {
    const int code = report_error(*failure);
    if (!stop_.requested()) co_await api_->fail_init(*failure);
    co_return code;
  }
  co_await host_->serve(stop_.token());
  co_return kDone;
}

Task<void> LambdaProcess::watch_signals(StopToken done) {
  const Wait until_done{kNoDeadline, done};
  const std::optional<int> signal = co_await signals_.next(reactor_, until_done);
  if (signal) stop_.request("interrupted");
}

Task<int> LambdaProcess::run_all() {
  StopSource done;
  TaskGroup beside;
  int code = kMachine;
  std::exception_ptr error;
  const auto concurrency_max = 400u;  // as many connections as there are events at once
  api_ = std::make_unique<lambda::RuntimeApi>(reactor_, api_address_, concurrency_max);
  beside.spawn(watch_signals(done.token()));
  beside.spawn(api_->stand_by_as_extension({kNoDeadline, done.token()}));
  try {
    code = co_await start_and_serve();
  } catch (...) {
    error = std::current_exception();
  }
  if (pool_) co_await pool_->shutdown();
  if (host_) co_await host_->close();
  done.request("done");
  co_await beside.drain();
  co_await api_->close();
  co_return error ? report_exception(error) : code;
}

}  // namespace

int lambda() { return LambdaProcess().run(); }

}  // namespace unum::cli
