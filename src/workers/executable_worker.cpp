// See executable_worker.hpp.
#include "workers/executable_worker.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <new>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "reactor/process.hpp"
#include "unum/error.hpp"
#include "unum/task_group.hpp"
#include "workers/call_time.hpp"
#include "workers/shortage.hpp"
#include "workers/worker_output.hpp"
#include "workers/worker_process.hpp"

namespace unum {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// A result that has come to this may be any size.
constexpr std::size_t kLargeBytes = 16u * 1024 * 1024;

/// One run of the program, and what is read and written beside each other until it ends.
class Run {
 public:
  Run(Reactor& reactor, const UserCall& call, const OutputSink& sink)
      : reactor_(reactor), call_(call), errors_(sink) {
    errors_.set_function(call.function);
    errors_.begin_call(call);
  }

  void start(const std::vector<std::string>& command, Variables variables,
             const std::string& directory) {
    variables.emplace_back("UNUM_SESSION", call_.session);
    variables.emplace_back("UNUM_INSTANCE", call_.instance);
    variables.emplace_back("UNUM_ATTEMPT", std::to_string(call_.attempt));
    if (!call_.traceparent.empty()) variables.emplace_back("TRACEPARENT", call_.traceparent);
    Descriptor output_far;
    Descriptor errors_far;
    make_pipe(input_far_, input_);
    make_pipe(output_, output_far);
    make_pipe(error_output_, errors_far);
    ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
    SpawnOptions options;
    options.argv = command;
    options.environment = merged_environment(variables);
    options.directory = directory;
    options.descriptors = {{0, input_far_.get()}, {1, output_far.get()}, {2, errors_far.get()}};
    process_ = Process::spawn(options);
  }

  /// Ends when the process has ended and all that it wrote was read. Nothing if the wait ended
  /// first.
  Task<std::optional<ExitStatus>> finish(Wait wait, std::chrono::milliseconds time) {
    StopSource exit(wait.stop);
    TaskGroup beside;
    if (call_.input_stream == nullptr) {
      beside.spawn(write_input());
    } else {
      beside.spawn(write_pieces(exit, wait.deadline, time));
    }
    beside.spawn(read_output());
    beside.spawn(read_errors());
    const Wait until{wait.deadline, exit.token()};
    std::optional<ExitStatus> status = co_await process_.wait_exit(reactor_, until);
    if (!status || input_error_) co_return co_await give_up(beside);
    stop_.request("ended");
    co_await beside.drain();
    // What it wrote last; what descendants of its own still write is nobody's.
    take_output(bytes_available(output_.get()));
    errors_.read_available(error_output_.get());
    errors_.end_call();
    co_return status;
  }

  Task<void> end(Deadline patience) {
    co_await process_.end(reactor_, patience);
    errors_.read_available(error_output_.get());
    errors_.end_call();
  }

  const std::string& result() const noexcept { return result_; }
  std::string take_result() noexcept { return std::move(result_); }
  bool too_large() const noexcept { return too_large_; }
  /// What reading its input threw, which has then not ended for it.
  const std::exception_ptr& input_error() const noexcept { return input_error_; }
  std::string_view error_tail() const { return json::trim(errors_.tail()); }

 private:
  Task<std::optional<ExitStatus>> give_up(TaskGroup& beside) {
    stop_.request("stopped");
    co_await beside.drain();
    co_return std::nullopt;
  }

  Task<void> write_input() {
    co_await write(call_.input, kNoDeadline);
    input_.reset();  // end of file
  }

  /// False if the program does not read it: it need not.
  Task<bool> write(std::string_view left, Deadline end) {
    while (!left.empty()) {
      const ssize_t count = ::write(input_.get(), left.data(), left.size());
      if (count > 0) {
        left.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        const int ready = co_await reactor_.poll(input_.get(), POLLOUT, Wait{end, stop_.token()});
        if (ready < 0) co_return false;
      } else if (errno != EINTR) {
        co_return false;
      }
    }
    co_return true;
  }

  /// Requests `exit` when the call's time is over, or if its input cannot be read.
  Task<void> write_pieces(StopSource& exit, Deadline deadline, std::chrono::milliseconds limit) {
    CallTime time(reactor_, limit);
    try {
      for (bool reads = true; reads;) {
        time.stand_still();
        std::optional<std::string> piece =
            co_await call_.input_stream->next(Wait{deadline, stop_.token()});
        time.go_on();
        if (!piece) {
          input_.reset();  // end of file, which it must see of nothing less
          break;
        }
        reads = co_await write(*piece, time.end());
      }
    } catch (...) {
      if (stop_.requested() || deadline <= reactor_.now()) co_return;
      input_error_ = std::current_exception();
      exit.request("its input cannot be read");
      co_return;
    }
    const bool is_over = co_await reactor_.sleep_until(time.end(), stop_.token());
    if (is_over) exit.request("its time is over");
  }

  /// Whether a pipe has come to its end: it was told readable, had nothing, and its last writer has
  /// closed it. Without the last it was emptied between a write and the wake-up for it.
  static bool has_ended(int events, bool read_any) noexcept {
    return events < 0 || (!read_any && (events & (POLLHUP | POLLERR)) != 0);
  }

  Task<void> read_output() {
    while (!too_large_) {
      const int events =
          co_await reactor_.poll(output_.get(), POLLIN, Wait{kNoDeadline, stop_.token()});
      const bool read_any = events >= 0 && take_output(bytes_available(output_.get()));
      if (has_ended(events, read_any)) co_return;
    }
    process_.kill(SIGKILL);
  }

  bool take_output(std::size_t available) {
    bool read_any = false;
    while (available > 0 && !too_large_) {
      const std::size_t piece = std::min(available, kReadBytes);
      const std::size_t before = result_.size();
      if (before >= kLargeBytes && result_.capacity() - before < piece) make_room();
      result_.resize(before + piece);
      const ssize_t count = ::read(output_.get(), result_.data() + before, piece);
      result_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      read_any = true;
      available -= static_cast<std::size_t>(count);
      too_large_ = result_.size() > kValueBytesMax;
    }
    return read_any;
  }

  /// For the largest result there may be. Memory that is never written to is none, and a large text
  /// that grows by copies is there twice.
  void make_room() {
    try {
      result_.reserve(kValueBytesMax + kReadBytes);
    } catch (const std::bad_alloc&) {
      return;  // by copies after all
    }
  }

  Task<void> read_errors() {
    while (true) {
      const int events =
          co_await reactor_.poll(error_output_.get(), POLLIN, Wait{kNoDeadline, stop_.token()});
      const bool read_any = events >= 0 && errors_.read_available(error_output_.get());
      if (has_ended(events, read_any)) co_return;
    }
  }

  Reactor& reactor_;
  const UserCall& call_;
  WorkerOutput errors_;
  Process process_;
  Descriptor input_;
  Descriptor input_far_;  ///< Kept: writing to a program that does not read is then no SIGPIPE.
  Descriptor output_;
  Descriptor error_output_;
  std::string result_;
  bool too_large_ = false;
  std::exception_ptr input_error_;
  StopSource stop_;
};

UserResult result_of(const FunctionCode& code, Run& run, const ExitStatus& status) {
  if (run.too_large()) {
    return UserResult::failure(
        "Unum.ResultTooLarge",
        fmt::format("{} wrote more than {} bytes to stdout, which is the limit", code.function,
                    kValueBytesMax));
  }
  const std::string_view tail = run.error_tail();
  if (!status.known) {
    throw Error(ErrorKind::bug, "worker", "Unum.UnknownExit",
                fmt::format("{}: nobody can say how its program ended, since this process ignores "
                            "SIGCHLD or waits for all its children; give SIGCHLD its default "
                            "handling",
                            code.function));
  }
  if (status.code != 0) {
    return UserResult::failure("Runtime.ExitError",
                               fmt::format("{} ended with {}{}{}", code.function, to_string(status),
                                           tail.empty() ? "" : ":\n", tail));
  }
  if (json::trim(run.result()).empty()) return UserResult::success("null");
  return UserResult::success(run.take_result(), "what " + code.function + " wrote to stdout");
}

}  // namespace

Task<UserResult> run_executable(Reactor& reactor, const FunctionCode& code,
                                const std::vector<std::string>& command, const Variables& variables,
                                const UserCall& call, Wait wait, const OutputSink& sink,
                                std::chrono::milliseconds grace) {
  const std::string who(call.instance.empty() ? call.function : call.instance);
  Deadline deadline = wait.deadline;
  const std::chrono::milliseconds time = time_of_call(code, call);
  // An event in pieces has a clock of its own.
  if (time.count() > 0 && call.input_stream == nullptr) {
    deadline = std::min(deadline, reactor.now() + time);
  }
  Run run(reactor, call, sink);
  std::optional<UserResult> unfit;
  try {
    or_shortage([&] { run.start(command, variables, code.directory); });
  } catch (const ProgramError& error) {
    // Named as on AWS Lambda. The step fails, as it would if the program ended at once.
    unfit = UserResult::failure("Runtime.InvalidEntrypoint",
                                fmt::format("{}: {}", code.function, error.message()));
  }
  if (unfit) co_return std::move(*unfit);
  const std::optional<ExitStatus> status = co_await run.finish(Wait{deadline, wait.stop}, time);
  if (!status) {
    const bool stopped = wait.stop.stop_requested();
    co_await run.end(stopped ? reactor.now() + grace : kAlreadyPassed);
    if (run.input_error()) std::rethrow_exception(run.input_error());
    if (stopped) {
      throw Error(ErrorKind::cancelled, "worker", "Unum.Cancelled",
                  fmt::format("{}: its call was stopped: {}", who, wait.stop.reason()));
    }
    throw Error(
        ErrorKind::timeout, "worker", "States.Timeout",
        fmt::format("{}: it did not end before its time-out or deadline ({:g} s){}{}", who,
                    static_cast<double>(time.count()) / 1000,
                    run.error_tail().empty() ? "" : "; its last output:\n", run.error_tail()));
  }
  if (status->signal != 0 && !run.too_large()) {
    throw Error(
        ErrorKind::disconnected, "worker", "Unum.WorkerCrashed",
        fmt::format("{}: its process ended with {}{}{}", who, to_string(*status),
                    run.error_tail().empty() ? "" : "; its last output:\n", run.error_tail()));
  }
  co_return result_of(code, run, *status);
}

}  // namespace unum
