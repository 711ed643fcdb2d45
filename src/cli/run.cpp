// `unum run` and `unum resume`: an application from its directory to its result.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/json.hpp"
#include "cli/cli.hpp"
#include "cli/progress.hpp"
#include "hosts/store_choice.hpp"
#include "reactor/children.hpp"
#include "reactor/signals.hpp"
#include "unum/run.hpp"
#include "unum/task_group.hpp"
#include "unum/waiting.hpp"

namespace unum::cli {
namespace {

/// As a shell takes it for one word.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

bool is_cancelled(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.kind() == ErrorKind::cancelled;
  } catch (...) {
    return false;
  }
}

/// One run as somebody at a terminal sees it.
class CommandRun final : private RunObserver {
 public:
  CommandRun(const RunArguments& arguments, CheckedApplication application, std::string input_text)
      : arguments_(arguments),
        application_(std::move(application)),
        // Before anything that starts threads or workers.
        signals_({SIGINT, SIGTERM, SIGHUP, SIGUSR1}),
        progress_(reactor_, ::isatty(STDERR_FILENO) != 0, arguments.quiet),
        traces_(open_traces(reactor_, application_.name())),
        store_choice_(choose_store(details_of(application_), arguments.store)),
        session_(arguments.session) {
    options_.input = std::move(input_text);
    if (traces_) options_.traces = traces_->ratio();
  }

  int run() { return reactor_.run(run_all()); }

 private:
  void began(const RunStart& start) override;
  void queued(std::string_view function, std::string_view instance) override {
    progress_.queued(function, instance);
  }
  void running(std::string_view, int) override { any_running_ = true; }
  void attempted(std::string_view function, const StepReport& report) override {
    if (traces_) traces_->add(function, report);
  }
  void ended(std::string_view function, const StepReport& report) override {
    progress_.ended(function, report);
    if (traces_) traces_->add(function, report);
  }
  void delivered_again(std::string_view instance, int attempt, const Error& why) override {
    progress_.delivered_again(instance, attempt, why);
  }
  void delayed(std::string_view instance, int attempt, std::chrono::milliseconds delay,
               std::string_view error) override {
    progress_.delayed(instance, attempt, delay, error);
  }
  void printed(const OutputLine& line) override;
  void finished() override { ended_at_ = reactor_.exact_now(); }

  Task<int> run_all();
  void fill_options();
  Task<void> watch_signals(StopToken done);
  Task<void> reap_orphans(StopToken done);
  int conclude(const RunResult& result);
  int fail(const std::exception_ptr& error) const;
  /// Whether the session is there to be resumed: its input is stored before its first call.
  bool can_go_on() const {
    return began_ && (arguments_.resume || progress_.any_ended() || any_running_);
  }
  void print_json(const RunResult& result);
  std::string how_to_go_on() const;

  const RunArguments& arguments_;
  const CheckedApplication application_;
  RunOptions options_;
  Signals signals_;
  Reactor reactor_;
  Progress progress_;
  std::unique_ptr<TraceExporter> traces_;
  const StoreChoice store_choice_;
  StopSource stop_;
  std::string session_;
  bool began_ = false;
  bool any_running_ = false;
  Deadline ended_at_{};
  double seconds_ = 0;
};

void CommandRun::began(const RunStart& start) {
  began_ = true;
  session_ = start.session;
  if (arguments_.quiet) return;
  progress_.line(fmt::format("session {}: {}, {} functions, store {}:{}", session_,
                             application_.name(), application_.function_count(), start.store_type,
                             start.store_name));
  if (reactor_.backend() != Reactor::Backend::uring) {
    progress_.line("reactor: " + reactor_.backend_reason());
  }
}

void CommandRun::printed(const OutputLine& line) {
  progress_.line(
      fmt::format("[{}] {}", line.instance.empty() ? line.function : line.instance, line.text));
}

void CommandRun::fill_options() {
  options_.session = arguments_.session;
  options_.resume = arguments_.resume;
  options_.store = arguments_.store;
  options_.workers = arguments_.workers;
  options_.accept_changes = arguments_.accept_changes;
  options_.observer = this;
  options_.store_options.durable = arguments_.durable;
  options_.store_options.patience = patience_of(arguments_.store_patience_s);
  if (arguments_.quiet) return;
  options_.store_options.waiting = [this](std::string_view text) { progress_.line(text); };
  options_.store_options.warn = [](std::string_view text) { say("unum: warning: {}\n", text); };
}

Task<void> CommandRun::watch_signals(StopToken done) {
  bool asked_before = false;
  const Wait until_done{kNoDeadline, done};
  while (const std::optional<int> signal = co_await signals_.next(reactor_, until_done)) {
    if (*signal == SIGUSR1) {
      progress_.text(describe_waiting(reactor_));
      continue;
    }
    if (asked_before) {
      if (can_go_on()) say("unum: {}\n", how_to_go_on());
      ::_exit(kInterrupted);  // workers die with this process
    }
    asked_before = true;
    progress_.line(
        fmt::format("unum: {}; ending the workers (again: at once)", strsignal(*signal)));
    stop_.request("interrupted");
  }
}

/// As process 1 of a container this process is the parent of all that its workers leave behind.
/// Who is not waited for stays a zombie and counts against the limit of processes.
Task<void> CommandRun::reap_orphans(StopToken done) {
  constexpr std::chrono::milliseconds kAgain{20};
  Signals ended({SIGCHLD});
  while (true) {
    const bool all = children::reap_orphans();
    const Wait until{all ? kNoDeadline : reactor_.now() + kAgain, done};
    const std::optional<int> signal = co_await ended.next(reactor_, until);
    if (!signal && done.stop_requested()) co_return;
  }
}

Task<int> CommandRun::run_all() {
  fill_options();
  StopSource done;
  TaskGroup watchers;
  watchers.spawn(watch_signals(done.token()));
  if (children::adopts_orphans()) watchers.spawn(reap_orphans(done.token()));
  const Deadline begun = reactor_.exact_now();
  Wait wait{kNoDeadline, stop_.token()};
  if (arguments_.timeout_s > 0) {
    wait.deadline = begun + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(arguments_.timeout_s));
  }
  std::optional<RunResult> result;
  std::exception_ptr error;
  try {
    result = co_await run_application(reactor_, application_, options_, wait);
  } catch (...) {
    error = std::current_exception();
  }
  seconds_ = std::chrono::duration<double>(ended_at_ - begun).count();
  progress_.finish(!error);
  if (traces_) co_await traces_->close();
  done.request("done");
  co_await watchers.drain();
  if (error && stop_.requested() && is_cancelled(error)) {
    say("unum: interrupted before anything ran\n");
    co_return kInterrupted;
  }
  if (error) co_return fail(error);
  try {
    co_return conclude(*result);
  } catch (...) {
    error = std::current_exception();  // the result cannot be printed
  }
  co_return fail(error);
}

/// What was stored before stays: says how to go on where there is something to go on with.
int CommandRun::fail(const std::exception_ptr& error) const {
  const int code = report_exception(error);
  if (code == kMachine && can_go_on()) {
    say("unum: what is stored stays; once the cause is fixed, {}\n", how_to_go_on());
  }
  return code;
}

/// The end of a sentence.
std::string CommandRun::how_to_go_on() const {
  if (store_choice_.type == "memory") return "nothing of it is kept in memory";
  std::string command = "go on with: unum resume ";
  std::string password;
  if (!arguments_.store.empty()) {
    const std::string store = store_without_secret(store_choice_.type, store_choice_.name);
    if (store != store_choice_.type + ":" + store_choice_.name)
      password = " (with the password in UNUM_REDIS_PASSWORD)";
    command += "--store " + shell_word(store) + ' ';
  }
  if (session_.starts_with('-') || arguments_.directory.starts_with('-')) command += "-- ";
  return command + shell_word(session_) + ' ' + shell_word(arguments_.directory) + password;
}

int CommandRun::conclude(const RunResult& result) {
  if (arguments_.json) print_json(result);
  switch (result.status) {
    case RunResult::Status::succeeded:
      if (!arguments_.json) print_result(result.result);
      if (!arguments_.quiet) {
        say("done: {} instances in {}\n", result.instances, readable_seconds(seconds_));
      }
      return kDone;
    case RunResult::Status::interrupted:
      say("unum: interrupted after {} instances; {}\n", result.instances, how_to_go_on());
      return kInterrupted;
    case RunResult::Status::timed_out:
      for (const RunFailure& failure : result.failures) print_failure(failure);
      say("unum: the time of the run (--timeout {} s) is up after {} instances; {}\n",
          arguments_.timeout_s, result.instances, how_to_go_on());
      return kWorkflowFailed;
    case RunResult::Status::failed: break;
  }
  for (const RunFailure& failure : result.failures) print_failure(failure);
  say("unum: the workflow failed; once it is fixed, {}\n", how_to_go_on());
  return kWorkflowFailed;
}

void CommandRun::print_json(const RunResult& result) {
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
  fmt::print("{},\"instances\":{},\"seconds\":{:.3f}}}\n", out, result.instances, seconds_);
}

}  // namespace

int run(const RunArguments& arguments) {
  CheckedApplication application = load_checked(arguments.directory, arguments.quiet);
  // Before signals are taken: whoever waits for stdin can still be interrupted.
  std::string input = arguments.input ? read_input_option(*arguments.input) : "{}";
  return CommandRun(arguments, std::move(application), std::move(input)).run();
}

}  // namespace unum::cli
