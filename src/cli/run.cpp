// `unum run` and `unum resume`: an application from its directory to its result.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/json.hpp"
#include "cli/cli.hpp"
#include "cli/progress.hpp"
#include "hosts/local_host.hpp"
#include "hosts/worker_pool.hpp"
#include "reactor/signals.hpp"

namespace unum::cli {
namespace {

std::string read_all(std::istream& stream, const std::string& what) {
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) throw Error(ErrorKind::invalid, "cli", "input", "cannot read " + what);
  return text;
}

/// The text of `--input`. Throws `invalid` with what would be right.
std::string read_input_option(const std::string& option) {
  std::string text;
  std::string what = "--input";
  if (option == "-") {
    what = "the input on stdin";
    std::ifstream in("/dev/stdin", std::ios::binary);
    text = read_all(in, what);
  } else if (option.starts_with('@')) {
    what = option.substr(1);
    std::ifstream in(what, std::ios::binary);
    if (!in)
      throw Error(ErrorKind::invalid, "cli", "input",
                  "--input " + option + ": cannot open " + what);
    text = read_all(in, what);
  } else {
    text = option;
  }
  json::validate(text, what);
  return text;
}

FunctionCode code_of(const FunctionSettings& settings) {
  FunctionCode code;
  code.function = settings.name();
  const auto kind = code_kind(settings.runtime);
  if (!kind) {
    throw Error(
        ErrorKind::invalid, "template", "Runtime",
        fmt::format(
            "function {}: Runtime is \"{}\"; it may be python3.x, nodejs2x.x, provided.* or native",
            settings.name(), settings.runtime));
  }
  code.kind = *kind;
  code.directory = std::filesystem::absolute(settings.code_dir).lexically_normal().string();
  code.handler = settings.handler;
  code.environment.assign(settings.environment.begin(), settings.environment.end());
  code.memory_mb = static_cast<int>(settings.memory_mb);
  code.timeout = std::chrono::seconds(settings.timeout_seconds);
  return code;
}

/// One run: everything it needs, in the order in which it must die.
class ApplicationRun {
 public:
  ApplicationRun(const RunArguments& arguments, const Application& application)
      : arguments_(arguments),
        application_(application),
        signals_({SIGINT, SIGTERM, SIGHUP}),  // before anything that starts threads or workers
        progress_(::isatty(STDERR_FILENO) != 0, arguments.quiet) {}

  int run() { return reactor_.run(run_all()); }

 private:
  Task<int> run_all();
  Task<std::unique_ptr<DataStore>> open();
  Task<std::string> input(DataStore& store);
  Task<RunResult> run_workflow(DataStore& store, WorkerPool& pool, const std::string& input_text);
  Task<void> watch_signals(StopToken done);
  WorkerPoolOptions pool_options();
  int conclude(const RunResult& result, double seconds);
  void print_json(const RunResult& result, double seconds);
  std::string resume_command() const;

  const RunArguments& arguments_;
  const Application& application_;
  Signals signals_;
  Reactor reactor_;
  Progress progress_;
  StopSource stop_;
  std::string session_;
};

WorkerPoolOptions ApplicationRun::pool_options() {
  WorkerPoolOptions options;
  options.running_max = arguments_.workers;
  options.output = [this](const OutputLine& line) {
    progress_.line(
        fmt::format("[{}] {}", line.instance.empty() ? line.function : line.instance, line.text));
  };
  return options;
}

Task<std::unique_ptr<DataStore>> ApplicationRun::open() {
  const StoreChoice choice = choose_store(application_, arguments_.store);
  StoreOptions options;
  options.durable = arguments_.durable;
  // Only the embedded default may be made here, and only by a run that begins something.
  if (!choice.named && !arguments_.resume)
    co_await create_store(reactor_, choice.type, choice.name);
  co_return co_await open_store(reactor_, choice.type, choice.name, options);
}

Task<std::string> ApplicationRun::input(DataStore& store) {
  if (!arguments_.resume) co_return arguments_.input ? read_input_option(*arguments_.input) : "{}";
  const SessionContext context = store.session_context(session_);
  const ItemId item{application_.entry, ItemKind::input};
  std::optional<std::string> kept = co_await store.get(context, item);
  if (!kept) {
    throw Error(ErrorKind::invalid, "cli", "session",
                fmt::format("there is no session {} of this application in {}:{}", session_,
                            store.type(), store.name()));
  }
  // By value, so that an input that looks like a payload is not taken for one again.
  std::string wrapped = R"({"Data":{"Source":"http","Value":)";
  wrapped += *kept;
  wrapped += "}}";
  co_return wrapped;
}

Task<void> ApplicationRun::watch_signals(StopToken done) {
  bool asked_before = false;
  const Wait until_done{kNoDeadline, done};
  while (const std::optional<int> signal = co_await signals_.next(reactor_, until_done)) {
    if (asked_before) ::_exit(kInterrupted);  // workers die with this process
    asked_before = true;
    progress_.line(fmt::format("unum: {}; ending workers (again: at once)", strsignal(*signal)));
    stop_.request("interrupted");
  }
}

Task<RunResult> ApplicationRun::run_workflow(DataStore& store, WorkerPool& pool,
                                             const std::string& input_text) {
  LocalHostOptions options;
  options.observer = &progress_;
  LocalHost host(reactor_, store, options);
  for (const FunctionSettings& settings : application_.functions)
    host.add(Function(settings.ir), pool);
  Wait wait{kNoDeadline, stop_.token()};
  if (arguments_.timeout_s > 0) {
    wait.deadline = reactor_.now() + std::chrono::duration_cast<Clock::duration>(
                                         std::chrono::duration<double>(arguments_.timeout_s));
  }
  co_return co_await host.run(session_, input_text, wait);
}

Task<int> ApplicationRun::run_all() {
  std::vector<FunctionCode> codes;
  for (const FunctionSettings& settings : application_.functions)
    codes.push_back(code_of(settings));
  WorkerPool pool(reactor_, std::move(codes), pool_options());
  pool.prepare();
  std::unique_ptr<DataStore> store = co_await open();
  session_ =
      arguments_.session.empty() ? store->create_session_context().session() : arguments_.session;
  const std::string input_text = co_await input(*store);
  if (!arguments_.quiet) {
    progress_.line(fmt::format("session {}: {}, {} functions, store {}:{}", session_,
                               application_.name, application_.functions.size(), store->type(),
                               store->name()));
    if (reactor_.backend() != Reactor::Backend::uring) {
      progress_.line("reactor: " + reactor_.backend_reason());
    }
  }
  const Deadline begun = Clock::now();
  StopSource done;
  TaskGroup watchers;
  watchers.spawn(watch_signals(done.token()));
  std::optional<RunResult> result;
  std::exception_ptr error;
  try {
    result = co_await run_workflow(*store, pool, input_text);
  } catch (...) {
    error = std::current_exception();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  progress_.finish();
  co_await pool.shutdown();
  done.request("done");
  co_await watchers.drain();
  co_await store->close();
  if (error) std::rethrow_exception(error);
  co_return conclude(*result, seconds);
}

std::string ApplicationRun::resume_command() const {
  std::string command = "unum resume " + session_ + " " + arguments_.directory;
  if (!arguments_.store.empty()) command += " --store " + arguments_.store;
  return command;
}

int ApplicationRun::conclude(const RunResult& result, double seconds) {
  if (arguments_.json) print_json(result, seconds);
  switch (result.status) {
    case RunResult::Status::succeeded:
      if (!arguments_.json) {
        std::fwrite(result.result.data(), 1, result.result.size(), stdout);
        std::fputc('\n', stdout);
      }
      if (std::fflush(stdout) != 0) {
        throw system_error("cli", errno, "cannot write the result to stdout");
      }
      if (!arguments_.quiet) {
        fmt::print(stderr, "done: {} instances in {}\n", result.instances,
                   readable_seconds(seconds));
      }
      return kDone;
    case RunResult::Status::interrupted:
      fmt::print(stderr, "unum: interrupted after {} instances; go on with: {}\n", result.instances,
                 resume_command());
      return kInterrupted;
    case RunResult::Status::timed_out:
      fmt::print(
          stderr,
          "unum: the time of the run (--timeout {} s) is up after {} instances; go on with: {}\n",
          arguments_.timeout_s, result.instances, resume_command());
      break;
    case RunResult::Status::failed: break;
  }
  for (const RunFailure& failure : result.failures) {
    fmt::print(stderr, "unum: {}{} failed", failure.instance.empty() ? "the run" : failure.instance,
               failure.attempt > 1 ? fmt::format(" (attempt {})", failure.attempt) : "");
    fmt::print(stderr, ": {}\n{}{}", failure.error, failure.cause,
               failure.cause.ends_with('\n') ? "" : "\n");
  }
  if (result.status == RunResult::Status::failed) {
    fmt::print(stderr, "unum: the workflow failed; once it is mended, go on with: {}\n",
               resume_command());
  }
  return kWorkflowFailed;
}

void ApplicationRun::print_json(const RunResult& result, double seconds) {
  std::string out = R"({"session":)";
  json::append_string(out, session_);
  const bool succeeded = result.status == RunResult::Status::succeeded;
  out += succeeded ? R"(,"status":"succeeded","result":)" : R"(,"status":"failed","errors":[)";
  if (succeeded) {
    out += result.result;
  } else {
    std::vector<RunFailure> failures = result.failures;
    if (result.status != RunResult::Status::failed) {
      failures.push_back(
          {"",
           result.status == RunResult::Status::timed_out ? "Unum.RunTimeout" : "Unum.Interrupted",
           "the run was ended before the workflow was", 1});
    }
    for (const RunFailure& failure : failures) {
      out += &failure == failures.data() ? R"({"instance":)" : R"(,{"instance":)";
      json::append_string(out, failure.instance);
      out += R"(,"Error":)";
      json::append_string(out, failure.error);
      out += R"(,"Cause":)";
      json::append_string(out, failure.cause);
      out += '}';
    }
    out += ']';
  }
  fmt::print("{},\"instances\":{},\"seconds\":{:.3f}}}\n", out, result.instances, seconds);
}

}  // namespace

int run(const RunArguments& arguments) {
  const std::optional<Application> application = load_checked(arguments.directory, arguments.quiet);
  if (!application) return kUsage;
  return ApplicationRun(arguments, *application).run();
}

}  // namespace unum::cli
