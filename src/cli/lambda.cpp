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
#include "hosts/lambda/runtime_proxy.hpp"
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
  explicit LambdaProcess(std::vector<std::string> runtime)
      // Before anything that starts threads or workers.
      : signals_({SIGTERM, SIGINT}),
        runtime_(std::move(runtime)),
        api_address_(lambda::runtime_api_address()) {
    // Why a delivery failed is nowhere else to be read.
    if (std::getenv("UNUM_LOG") == nullptr) set_log_levels("host=warn");
  }

  int run() { return reactor_.run(run_all()); }

 private:
  Task<int> run_all();
  UserCode& start_code(unsigned concurrency);
  Task<void> start();
  Task<int> start_and_serve();
  Task<void> watch_signals(StopToken done);

  Signals signals_;
  const std::vector<std::string> runtime_;  ///< Of the function, behind the proxy; or empty.
  const std::string api_address_;
  Reactor reactor_;
  StopSource stop_;
  std::unique_ptr<lambda::RuntimeApi> api_;
  std::unique_ptr<TraceExporter> traces_;
  std::unique_ptr<lambda::Host> host_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<lambda::RuntimeProxy> proxy_;
};

/// The function's own runtime behind the proxy, or workers of this program's.
UserCode& LambdaProcess::start_code(unsigned concurrency) {
  FunctionCode code = function_code_of(host_->function_settings());
  if (!runtime_.empty()) {
    proxy_ = std::make_unique<lambda::RuntimeProxy>(reactor_, runtime_, std::move(code),
                                                    [this] { return host_->function_arn(); });
    proxy_->start();
    return *proxy_;
  }
  WorkerPoolOptions options;
  options.running_max = concurrency;
  options.fork_python = concurrency > 1;
  options.output = [](const OutputLine& line) {
    say("[{}] {}\n", line.instance.empty() ? line.function : line.instance, line.text);
  };
  pool_ = std::make_unique<WorkerPool>(reactor_, std::vector<FunctionCode>{std::move(code)},
                                       std::move(options));
  pool_->prepare();
  return *pool_;
}

Task<void> LambdaProcess::start() {
  const lambda::HostSettings settings = lambda::read_settings();
  host_ = std::make_unique<lambda::Host>(reactor_, *api_, settings);
  UserCode& code = start_code(settings.concurrency);
  const Wait wait{reactor_.now() + kOpenTime, stop_.token()};
  traces_ = open_traces(reactor_, settings.function);
  co_await host_->open(code, traces_.get(), wait);
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
  if (proxy_) co_await proxy_->shutdown();
  if (host_) co_await host_->close();
  if (traces_) co_await traces_->close();
  done.request("done");
  co_await beside.drain();
  co_await api_->close();
  co_return error ? report_exception(error) : code;
}

}  // namespace

int lambda(std::vector<std::string> runtime) { return LambdaProcess(std::move(runtime)).run(); }

}  // namespace unum::cli
