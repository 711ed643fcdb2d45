// `unum run` and `unum resume`: an application from its directory to its result.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/utf8.hpp"
#include "cli/cli.hpp"
#include "cli/progress.hpp"
#include "hosts/local_host.hpp"
#include "reactor/children.hpp"
#include "reactor/descriptor.hpp"
#include "reactor/signals.hpp"
#include "workers/worker_pool.hpp"
#include "workflow/frames.hpp"
#include "workflow/payload.hpp"

namespace unum::cli {
namespace {

std::string read_all(int fd, const std::string& what) {
  constexpr std::size_t kPieceBytes = 64 * 1024;
  std::string text;
  while (true) {
    const std::size_t filled = text.size();
    text.resize(filled + kPieceBytes);
    const ssize_t count = ::read(fd, text.data() + filled, kPieceBytes);
    text.resize(filled + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return text;
    if (text.size() > kValueBytesMax) {
      throw Error(ErrorKind::invalid, "cli", "input",
                  fmt::format("--input: {} is larger than {} bytes, the most that a value may have",
                              what, kValueBytesMax));
    }
    if (count < 0 && errno != EINTR) {
      throw Error(ErrorKind::invalid, "cli", "input",
                  fmt::format("--input: cannot read {}: {}", what, std::strerror(errno)));
    }
  }
}

/// The text of `--input`. Throws `invalid` with what would be right.
std::string read_input_option(const std::string& option) {
  std::string text;
  std::string what = "--input";
  if (option == "-") {
    what = "the input on stdin";
    text = read_all(STDIN_FILENO, what);
  } else if (option.starts_with('@')) {
    what = option.substr(1);
    if (what.empty()) {
      throw Error(ErrorKind::invalid, "cli", "input", "--input @ needs the name of a file");
    }
    const Descriptor file(::open(what.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      throw Error(ErrorKind::invalid, "cli", "input",
                  fmt::format("--input: cannot open {}: {}", what, std::strerror(errno)));
    }
    text = read_all(file.get(), what);
  } else {
    text = option;
  }
  try {
    json::validate(text, what);
  } catch (const Error& error) {
    throw Error(ErrorKind::invalid, "cli", "input", error.message());  // one too deep, too
  }
  return text;
}

/// As a shell takes it for one word.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
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
  if (!is_utf8(code.directory)) {
    throw Error(ErrorKind::invalid, "cli", "directory",
                fmt::format("function {}: the path of its code is not UTF-8: {}", settings.name(),
                            shell_word(code.directory)));
  }
  code.handler = settings.handler;
  code.environment.assign(settings.environment.begin(), settings.environment.end());
  code.memory_mb = static_cast<int>(settings.memory_mb);
  code.timeout = std::chrono::seconds(settings.timeout_seconds);
  return code;
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

/// One run: everything it needs, in the order in which it must die.
class ApplicationRun {
 public:
  ApplicationRun(const RunArguments& arguments, const Application& application,
                 std::string input_text)
      : arguments_(arguments),
        application_(application),
        input_(std::move(input_text)),
        signals_({SIGINT, SIGTERM, SIGHUP}),  // before anything that starts threads or workers
        progress_(reactor_, ::isatty(STDERR_FILENO) != 0, arguments.quiet) {}

  int run() { return reactor_.run(run_all()); }

 private:
  Task<int> run_all();
  Task<std::unique_ptr<DataStore>> open();
  Task<std::string> kept_input(DataStore& store);
  Task<void> refuse_other_entry(DataStore& store);
  Task<RunResult> run_in(DataStore& store, WorkerPool& pool);
  Task<RunResult> run_workflow(DataStore& store, WorkerPool& pool);
  Task<void> watch_signals(StopToken done);
  Task<void> reap_orphans(StopToken done);
  void announce(const DataStore& store);
  Wait wait() { return {deadline_, stop_.token()}; }
  WorkerPoolOptions pool_options();
  int conclude(const RunResult& result);
  int fail(const std::exception_ptr& error) const;
  bool can_go_on() const;
  void print_result(const RunResult& result);
  void print_json(const RunResult& result);
  static void print_failure(const RunFailure& failure);
  std::string how_to_go_on() const;

  const RunArguments& arguments_;
  const Application& application_;
  std::string input_;
  StoreChoice store_choice_;
  Signals signals_;
  Reactor reactor_;
  Progress progress_;
  StopSource stop_;
  std::string session_;
  bool resumed_ = false;
  const WorkerPool* pool_ = nullptr;
  Deadline begun_{};
  Deadline deadline_ = kNoDeadline;
  double seconds_ = 0;
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
  StoreOptions options;
  options.durable = arguments_.durable;
  options.read_consistency = application_.read_consistency;
  options.patience = patience_of(arguments_.store_patience_s);
  if (!arguments_.quiet) {
    options.waiting = [this](std::string_view text) { progress_.line(text); };
    options.warn = [](std::string_view text) { say("unum: warning: {}\n", text); };
  }
  if (arguments_.resume) {
    co_return co_await open_for_session(reactor_, store_choice_, arguments_.session, options,
                                        wait());
  }
  // Only the embedded default may be made here, and only by a run that begins something.
  if (!store_choice_.named) {
    co_await create_store(reactor_, store_choice_.type, store_choice_.name, wait());
  }
  co_return co_await open_store(reactor_, store_choice_.type, store_choice_.name, options, wait());
}

/// What the session was begun with.
Task<std::string> ApplicationRun::kept_input(DataStore& store) {
  const SessionContext context = session_context(session_);
  const ItemId item{application_.entry, ItemKind::input};
  std::optional<std::string> kept = co_await store.get(context, item, wait());
  if (!kept) {
    throw Error(ErrorKind::invalid, "cli", "session",
                fmt::format("there is no session {} of this application in {}:{}", session_,
                            store.type(), store.name()));
  }
  try {
    json::validate(*kept, fmt::format("the input that session {} was begun with", session_));
  } catch (const Error& error) {
    throw Error(ErrorKind::corrupt, "cli", "session", error.message());
  }
  // By value, so that an input that looks like a payload is not taken for one again.
  std::string wrapped = R"({"Data":{"Source":"http","Value":)";
  wrapped += *kept;
  wrapped += "}}";
  co_return wrapped;
}

/// A session that was begun at another entry belongs to another application, which may have
/// functions of the same names. (What was begun at this one's, the runtime looks at itself.)
Task<void> ApplicationRun::refuse_other_entry(DataStore& store) {
  const SessionContext context = session_context(session_);
  const std::vector<ListedItem> items = co_await store.list(context, wait());
  for (const ListedItem& item : items) {
    const bool begins = item.id.kind == ItemKind::input || item.id.kind == ItemKind::application;
    if (!begins || item.id.name == application_.entry) continue;
    throw Error(ErrorKind::invalid, "cli", "session",
                fmt::format("session {} belongs to an application whose entry is {}, not to {}, "
                            "which begins with {}; use another session",
                            session_, item.id.name, application_.name, application_.entry));
  }
}

Task<void> ApplicationRun::watch_signals(StopToken done) {
  bool asked_before = false;
  const Wait until_done{kNoDeadline, done};
  while (const std::optional<int> signal = co_await signals_.next(reactor_, until_done)) {
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
Task<void> ApplicationRun::reap_orphans(StopToken done) {
  constexpr std::chrono::milliseconds kAgain{20};
  Signals ended({SIGCHLD});
  while (true) {
    const bool all = children::reap_orphans();
    const Wait until{all ? kNoDeadline : reactor_.now() + kAgain, done};
    const std::optional<int> signal = co_await ended.next(reactor_, until);
    if (!signal && done.stop_requested()) co_return;
  }
}

void ApplicationRun::announce(const DataStore& store) {
  if (arguments_.quiet) return;
  progress_.line(fmt::format("session {}: {}, {} functions, store {}:{}", session_,
                             application_.name, application_.functions.size(), store.type(),
                             store.name()));
  if (reactor_.backend() != Reactor::Backend::uring) {
    progress_.line("reactor: " + reactor_.backend_reason());
  }
}

Task<RunResult> ApplicationRun::run_workflow(DataStore& store, WorkerPool& pool) {
  LocalHostOptions options;
  options.observer = &progress_;
  ApplicationIdentity& identity = options.runtime.application.emplace();
  identity.name = application_.name;
  identity.accept_changes = arguments_.accept_changes;
  std::vector<Function> functions;
  for (const FunctionSettings& settings : application_.functions) {
    functions.emplace_back(settings.ir);
    identity.functions.emplace(settings.name(), functions.back().digest());
  }
  LocalHost host(reactor_, store, options);
  for (Function& function : functions) host.add(std::move(function), pool);
  co_return co_await host.run(session_, input_, wait());
}

Task<RunResult> ApplicationRun::run_in(DataStore& store, WorkerPool& pool) {
  if (arguments_.resume) {
    input_ = co_await kept_input(store);
    resumed_ = true;
  } else if (session_.empty()) {
    // It is JSON: read_input has seen to that.
    const auto payload = parse_if_payload(json::View::trusted(json::trim(input_)));
    if (payload) session_ = payload->session;
  }
  if (session_.empty()) {
    session_ = create_session_context(store).session();
  } else {
    co_await refuse_other_entry(store);
  }
  announce(store);
  co_return co_await run_workflow(store, pool);
}

Task<int> ApplicationRun::run_all() {
  std::vector<FunctionCode> codes;
  codes.reserve(application_.functions.size());
  for (const FunctionSettings& settings : application_.functions)
    codes.push_back(code_of(settings));
  session_ = arguments_.session;
  store_choice_ = choose_store(application_, arguments_.store);
  WorkerPool pool(reactor_, std::move(codes), pool_options());
  pool_ = &pool;
  pool.prepare();
  StopSource done;
  TaskGroup watchers;
  watchers.spawn(watch_signals(done.token()));
  if (children::adopts_orphans()) watchers.spawn(reap_orphans(done.token()));
  begun_ = reactor_.exact_now();
  if (arguments_.timeout_s > 0) {
    deadline_ = begun_ + std::chrono::duration_cast<Clock::duration>(
                             std::chrono::duration<double>(arguments_.timeout_s));
  }
  std::unique_ptr<DataStore> store;
  std::optional<RunResult> result;
  std::exception_ptr error;
  try {
    store = co_await open();
    result = co_await run_in(*store, pool);
  } catch (...) {
    error = std::current_exception();
  }
  seconds_ = std::chrono::duration<double>(reactor_.exact_now() - begun_).count();
  progress_.finish(!error);
  co_await pool.shutdown();
  done.request("done");
  co_await watchers.drain();
  if (store) co_await store->close();
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

/// Whether the session is there to be resumed: its input is stored before its first call.
bool ApplicationRun::can_go_on() const {
  return resumed_ || progress_.any_ended() || pool_->counters().calls > 0;
}

/// What was stored before stays: says how to go on where there is something to go on with.
int ApplicationRun::fail(const std::exception_ptr& error) const {
  const int code = report_exception(error);
  if (code == kMachine && can_go_on()) {
    say("unum: what is stored stays; once the cause is mended, {}\n", how_to_go_on());
  }
  return code;
}

/// The end of a sentence.
std::string ApplicationRun::how_to_go_on() const {
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

int ApplicationRun::conclude(const RunResult& result) {
  if (arguments_.json) print_json(result);
  switch (result.status) {
    case RunResult::Status::succeeded:
      if (!arguments_.json) print_result(result);
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
  say("unum: the workflow failed; once it is mended, {}\n", how_to_go_on());
  return kWorkflowFailed;
}

void ApplicationRun::print_result(const RunResult& result) {
  std::fwrite(result.result.data(), 1, result.result.size(), stdout);
  std::fputc('\n', stdout);
  if (std::fflush(stdout) != 0) {
    throw system_error("cli", errno, "cannot write the result to stdout");
  }
}

void ApplicationRun::print_failure(const RunFailure& failure) {
  std::string who = "the run";
  if (!failure.instance.empty()) {
    const auto name = parse_instance_name(failure.instance);
    who = fmt::format("{} (function {}, attempt {})", failure.instance,
                      name ? name->function : failure.instance, failure.attempt);
  }
  say("unum: {} failed: {}\n{}{}", who, failure.error, failure.cause,
      failure.cause.ends_with('\n') ? "" : "\n");
}

void ApplicationRun::print_json(const RunResult& result) {
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
  const std::optional<Application> application = load_checked(arguments.directory, arguments.quiet);
  if (!application) return kUsage;
  // Before signals are taken: whoever waits for stdin can still be interrupted.
  std::string input = arguments.input ? read_input_option(*arguments.input) : "{}";
  return ApplicationRun(arguments, *application, std::move(input)).run();
}

}  // namespace unum::cli
