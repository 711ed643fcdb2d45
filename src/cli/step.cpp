// `unum step`: one delivery to one function, for platforms in any language.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "application/application.hpp"
#include "application/link_files.hpp"
#include "base/json.hpp"
#include "base/secrets.hpp"
#include "cli/cli.hpp"
#include "hosts/function_code_of.hpp"
#include "hosts/store_choice.hpp"
#include "reactor/signals.hpp"
#include "unum/runtime.hpp"
#include "unum/task_group.hpp"
#include "workers/worker_pool.hpp"
#include "workflow/payload.hpp"

namespace unum::cli {
namespace {

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorKind::invalid, "cli", "step", std::move(message));
}

/// The function's application, and the function.
LinkedApplication load(const StepArguments& arguments) {
  if (!arguments.linked.empty()) {
    if (arguments.code.empty() && !arguments.give_up) {
      refuse("--linked needs --code DIR, the directory of the function's code");
    }
    return read_linked_function(arguments.linked, arguments.function, arguments.code);
  }
  if (!arguments.code.empty()) refuse("--code has no effect without --linked");
  return with_digests(load_checked(arguments.directory, true), arguments.function);
}

/// What platforms are told, one line of JSON each.
class Lines {
 public:
  /// Returns once the line is out. Throws if it may not be: then nobody must take it for told.
  void write(std::string line) {
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
      if (broken_ != 0) throw failure();
      const ssize_t count = ::write(STDOUT_FILENO, rest.data(), rest.size());
      if (count >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {  // its other end has made it non-blocking
        pollfd entry{STDOUT_FILENO, POLLOUT, 0};
        ::poll(&entry, 1, -1);
      } else if (errno != EINTR) {
        broken_ = errno;
      }
    }
  }
  bool broken() const noexcept { return broken_ != 0; }
  /// It passes, when somebody reads again.
  Error failure() const {
    return Error(ErrorKind::disconnected, "reactor", "Unum.StdoutBroken",
                 fmt::format("cannot write to stdout: {}; the delivery is not acknowledged",
                             std::strerror(broken_)));
  }

 private:
  int broken_ = 0;
};

/// Members of one object on one line.
class LineWriter {
 public:
  explicit LineWriter(std::string_view name) : out_(fmt::format("{{\"{}\":{{", name)) {}
  std::string& key(std::string_view name) {
    if (!out_.ends_with('{')) out_ += ',';
    out_ += fmt::format("\"{}\":", name);
    return out_;
  }
  void text(std::string_view name, std::string_view value) {
    json::append_string(key(name), value);
  }
  template <class Number>
  void number(std::string_view name, Number value) {
    key(name) += fmt::format("{}", value);
  }
  void time(std::string_view name, WallTime time) {
    using std::chrono::milliseconds;
    number(name, std::chrono::ceil<milliseconds>(time.time_since_epoch()).count());
  }
  std::string end() && { return std::move(out_) + "}}"; }

 private:
  std::string out_;
};

/// One delivery. What it needs, in the order in which it must die.
class CommandStep final : private Invoker, private UserCode {
 public:
  CommandStep(const StepArguments& arguments, LinkedApplication loaded, std::string input)
      : arguments_(arguments),
        application_(std::move(loaded.application)),
        function_(application_.functions.front().ir),
        choice_(choose_store(application_, arguments.store)),
        input_(std::move(input)),
        // Before anything that starts threads or workers.
        signals_({SIGINT, SIGTERM, SIGHUP}) {
    if (choice_.type == "memory") {
      refuse("a data store in memory ends with this step; name another one with --store");
    }
    identity_.name = application_.name;
    identity_.functions = std::move(loaded.digests);
    identity_.accept_changes = arguments.accept_changes;
    check_delays(*this, function_);
  }

  int run() { return reactor_.run(run_all()); }

 private:
  Task<void> invoke(Invocation invocation, Wait wait) override;
  std::size_t payload_bytes_max() const noexcept override { return arguments_.payload_bytes_max; }
  bool accepts_at_once() const noexcept override { return false; }
  std::chrono::milliseconds delay_max() const noexcept override {
    return patience_of(arguments_.delay_max_s);
  }
  Task<UserResult> call(const UserCall& call, Wait wait) override;
  bool streams_input() const noexcept override { return true; }

  json::Text read_payload() const;
  Task<void> open();
  void start_workers();
  Task<int> deliver();
  Task<int> run_all();
  Task<StepReport> run_step(const json::Text& payload);
  Task<void> watch_signals(StopToken done);
  void report(const StepReport& report);
  int report_failure(const Error& error);

  const StepArguments& arguments_;
  const Application application_;
  const Function function_;
  const StoreChoice choice_;
  const std::string input_;
  ApplicationIdentity identity_;
  PayloadIdentity about_;  ///< Which session and instance the payload is for; empty if unknown.
  Lines lines_;
  Signals signals_;
  Reactor reactor_;
  StopSource stop_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<Store> store_;
};

// An invocation is the platform's once its line is out: what the platform owes is in
// docs/platforms.md.
Task<void> CommandStep::invoke(Invocation invocation, Wait) {
  LineWriter line("invoke");
  line.text("function", invocation.function);
  line.text("session", about_.session);
  line.text("instance", invocation.instance);
  line.number("attempt", invocation.attempt);
  if (invocation.attempt > 1) line.time("not_before", invocation.not_before);
  line.text("payload", invocation.payload.text());
  lines_.write(std::move(line).end());
  co_return;
}

/// User code hears of a stop; the store does not, so that what was computed is still kept.
Task<UserResult> CommandStep::call(const UserCall& call, Wait wait) {
  wait.stop = stop_.token();
  co_return co_await pool_->call(call, wait);
}

/// The payload on stdin; with --session, that of a session which begins.
json::Text CommandStep::read_payload() const {
  const json::View given = validate_payload(input_);
  if (!function_.is_entry()) return json::Text(given);
  const std::optional<Payload> payload = parse_if_payload(given);
  const std::string session = payload ? payload->session : std::string();
  if (arguments_.session.empty()) {
    if (!session.empty()) return json::Text(given);
    refuse(
        "the payload on stdin has no Session; name the one that begins with --session, so that "
        "another delivery does not begin another one");
  }
  if (!session.empty() && session != arguments_.session) {
    refuse(fmt::format("--session is {}, but the payload on stdin is of session {}",
                       arguments_.session, session));
  }
  return entry_payload(input_, arguments_.session);
}

Task<void> CommandStep::open() {
  StoreOptions options;
  options.read_consistency = application_.read_consistency;
  options.patience = patience_of(arguments_.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  const Wait wait{kNoDeadline, stop_.token()};
  // Only the embedded default may be made here, and only by what begins something.
  if (!choice_.named && function_.is_entry()) {
    co_await create_store(reactor_, choice_.type, choice_.name, wait);
  }
  store_ = co_await open_store(reactor_, choice_.type, choice_.name, options, wait);
}

Task<StepReport> CommandStep::run_step(const json::Text& payload) {
  RuntimeOptions options;
  options.collects_garbage = application_.collects_garbage;
  options.application = identity_;
  Runtime runtime(*store_, *this, options);
  const json::View view = payload;
  if (arguments_.give_up) {
    co_return co_await runtime.give_up(function_, view, *arguments_.give_up, arguments_.cause,
                                       arguments_.attempt);
  }
  UserCode& code = *this;
  co_return co_await runtime.step(function_, view, code, arguments_.attempt);
}

void CommandStep::start_workers() {
  WorkerPoolOptions options;
  options.running_max = 1;
  options.idle_max = 0;
  options.fork_python = false;  // for a single call it would only be one process more
  options.output = [](const OutputLine& line) {
    say("[{}] {}\n", line.instance.empty() ? line.function : line.instance, line.text);
  };
  std::vector<FunctionCode> codes{function_code_of(application_.functions.front())};
  pool_ = std::make_unique<WorkerPool>(reactor_, std::move(codes), std::move(options));
  pool_->prepare();
}

Task<int> CommandStep::deliver() {
  json::Text payload;
  std::optional<Error> failure;
  try {
    payload = read_payload();
    about_ = identify_payload(function_, payload);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) co_return report_failure(*failure);
  // What fails here is no fault of the payload's: thrown, so that nothing is acknowledged.
  if (!arguments_.give_up) start_workers();
  co_await open();
  try {
    const StepReport ended = co_await run_step(payload);
    report(ended);
  } catch (const Error& error) {
    failure = error;
  }
  co_return failure ? report_failure(*failure) : kDone;
}

void CommandStep::report(const StepReport& report) {
  LineWriter line("report");
  line.text("status", to_string(report.status));
  line.text("function", function_.name());
  line.text("session", report.session);
  line.text("instance", report.instance);
  line.number("attempt", report.attempt);
  line.number("invocations", report.invocations);
  if (!report.error.empty()) line.text("error", report.error);
  if (!report.cause.empty()) line.text("cause", report.cause);
  if (report.status == StepReport::Status::will_retry) line.time("not_before", report.not_before);
  if (report.result) line.key("result") += json::minify(*report.result).text();
  if (!report.disagreements.empty()) {
    std::string& out = line.key("disagreements");
    for (const std::string& text : report.disagreements) {
      out += &text == report.disagreements.data() ? '[' : ',';
      json::append_string(out, text);
    }
    out += ']';
  }
  lines_.write(std::move(line).end());
  if (!report.collection_error.empty()) {
    say("unum: warning: garbage was left: {}\n", hide_passwords(report.collection_error));
  }
}

/// Says what becomes of a delivery that ended in an error.
int CommandStep::report_failure(const Error& error) {
  if (lines_.broken()) return report_error(lines_.failure());
  if (error.origin() == "cli") return report_error(error);  // of the options, not of the payload
  int code = kMachine;
  std::string_view status = "again";
  if (error.delivery() == Delivery::final) {
    code = kWorkflowFailed;
    status = "refused";
  } else if (stop_.requested() && error.kind() == ErrorKind::cancelled) {
    code = kInterrupted;
    status = "interrupted";
  } else if (error.delivery() == Delivery::bounded) {
    code = kBounded;
    status = "bounded";
  }
  report_error(error);
  LineWriter line("report");
  line.text("status", status);
  line.text("function", function_.name());
  if (!about_.session.empty()) line.text("session", about_.session);
  if (!about_.instance.empty()) line.text("instance", about_.instance);
  line.number("attempt", arguments_.attempt);
  line.text("error", error.code());
  line.text("cause", hide_passwords(error.message()));
  lines_.write(std::move(line).end());
  return code;
}

Task<void> CommandStep::watch_signals(StopToken done) {
  const Wait until_done{kNoDeadline, done};
  while (const std::optional<int> signal = co_await signals_.next(reactor_, until_done)) {
    if (stop_.requested()) ::_exit(kInterrupted);  // workers die with this process
    say("unum: {}; ending the function (again: at once)\n", strsignal(*signal));
    stop_.request("interrupted");
  }
}

Task<int> CommandStep::run_all() {
  StopSource done;
  TaskGroup watchers;
  watchers.spawn(watch_signals(done.token()));
  int code = kMachine;
  std::exception_ptr error;
  try {
    code = co_await deliver();
  } catch (...) {
    error = std::current_exception();
  }
  if (pool_) co_await pool_->shutdown();
  if (store_) co_await store_->close();
  done.request("done");
  co_await watchers.drain();
  if (lines_.broken()) co_return report_error(lines_.failure());
  if (!error) co_return code;
  const int told = report_exception(error);
  co_return stop_.requested() ? kInterrupted : told;
}

}  // namespace

int step(const StepArguments& arguments) {
  LinkedApplication loaded = load(arguments);
  const bool is_entry = loaded.application.entry == arguments.function;
  if (!arguments.session.empty() && !is_entry) {
    refuse(
        fmt::format("--session begins a workflow, which {} does, not {}; payloads of other "
                    "functions bring their session",
                    loaded.application.entry, arguments.function));
  }
  // Before signals are taken: whoever waits for stdin can still be interrupted.
  std::string input = read_all(STDIN_FILENO, "unum step", "the payload on stdin");
  if (json::trim(input).empty()) {
    refuse("there is no payload on stdin; write one there, as an \"invoke\" line has it" +
           std::string(is_entry ? ", or the workflow's input with --session ID" : ""));
  }
  return CommandStep(arguments, std::move(loaded), std::move(input)).run();
}

}  // namespace unum::cli
