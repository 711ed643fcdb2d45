// See worker.hpp. One write and one read a call; everything else is for what goes wrong.
#include "workers/worker.hpp"

#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"
#include "workers/call_time.hpp"

namespace unum {
namespace {

// Up to here the event is put behind its head, so that a call is one write.
constexpr std::size_t kOneWriteBytesMax = 48 * 1024;
// A request's buffer above this size is given back after the call.
constexpr std::size_t kKeptBytesMax = 1024 * 1024;
// A process whose response pipe has closed is ending; if it has not by then, it closed the pipe
// itself.
constexpr std::chrono::milliseconds kEndPatience{1000};

}  // namespace

Worker::Worker(Reactor& reactor, WorkerProcess process, WorkerPipes pipes, const OutputSink& sink)
    : reactor_(reactor), process_(std::move(process)), pipes_(std::move(pipes)), output_(sink) {
  reactor_.prepare_stream(pipes_.responses.get());
}

void Worker::load(const FunctionCode& code, const Variables* environment) {
  UNUM_ASSERT(code_ == nullptr);
  code_ = &code;
  output_.set_function(code.function);
  result_name_ = "the result of " + code.function;
  worker::append_load(request_, code, environment);
}

// --- A call -------------------------------------------------------------------------------------

/// A call that is left by an exception leaves a worker in an unknown state.
struct Worker::CallGuard {
  Worker& worker;
  bool settled = false;
  ~CallGuard() {
    worker.current_call_ = nullptr;
    if (!settled) worker.kill();
  }
};

/// As it stands in a frame: 0 if there is no deadline.
std::uint32_t Worker::milliseconds_until(Deadline deadline) {
  if (deadline == kNoDeadline) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - reactor_.now()).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, UINT32_MAX));
}

Task<UserResult> Worker::call(const UserCall& call, Wait wait) {
  UNUM_ASSERT(code_ != nullptr && current_call_ == nullptr);
  const bool streams = call.input_stream != nullptr;
  Deadline deadline = wait.deadline;
  const std::chrono::milliseconds time = time_of_call(*code_, call);
  if (time.count() > 0 && !streams) deadline = std::min(deadline, reactor_.now() + time);
  ++sequence_;
  if (streams) {
    worker::append_streamed_call(request_, call, sequence_);
  } else {
    worker::append_call(request_, call, sequence_, milliseconds_until(deadline));
  }

  StopSource stop(wait.stop);
  CallGuard guard{*this};
  current_call_ = &stop;
  sent_ = 0;
  output_.begin_call(call);
  const Wait inner{deadline, stop.token()};
  Fault fault = Fault::none;
  if (streams) {
    fault = co_await exchange_in_pieces(call, time, inner, stop);
  } else {
    const bool together = request_.size() + call.input.size() <= kOneWriteBytesMax;
    if (together) request_ += call.input;
    std::string_view request = request_;
    const std::string_view event = together ? std::string_view() : call.input;
    fault = write_now(request);
    if (fault == Fault::none && !(request.empty() && event.empty())) {
      fault = co_await send_rest(request, event, inner);
    }
    request_.clear();
    if (request_.capacity() > kKeptBytesMax) request_ = std::string();
    if (fault == Fault::none) fault = co_await receive(inner);
  }
  current_call_ = nullptr;
  UserResult result;
  if (fault == Fault::none && !take_answer(result)) fault = Fault::nonsense;
  output_.read_available(pipes_.output.get());
  guard.settled = true;
  if (fault != Fault::none) co_await throw_fault(fault, call, wait, std::string(stop.reason()));
  output_.end_call();
  co_return result;
}

/// An event that is sent in pieces, beside the wait for the answer.
struct Worker::Sending {
  const UserCall& call;
  CallTime time;
  bool is_done = false;        ///< All of it was sent.
  Fault fault = Fault::none;   ///< What ended it before,
  std::exception_ptr error{};  ///< or what reading it threw.
};

Task<Worker::Fault> Worker::exchange_in_pieces(const UserCall& call, std::chrono::milliseconds time,
                                               Wait wait, StopSource& stop) {
  Sending sending{call, CallTime(reactor_, time)};
  StopSource answered(wait.stop);
  TaskGroup beside;
  beside.spawn(send_beside(sending, stop, Wait{wait.deadline, answered.token()}));
  Fault fault = Fault::none;
  std::exception_ptr error;
  try {
    fault = co_await receive(wait);
  } catch (...) {
    error = std::current_exception();
  }
  answered.request("answered");
  co_await beside.drain();
  if (sending.error) error = sending.error;
  if (error) std::rethrow_exception(error);
  if (fault != Fault::none && sending.fault != Fault::none) fault = sending.fault;
  // What it was not sent it would take for the next call.
  if (fault == Fault::none && !sending.is_done) kill();
  co_return fault;
}

/// Ends the wait for the answer if the event cannot be sent, or when the call's time is over.
Task<void> Worker::send_beside(Sending& sending, StopSource& stop, Wait wait) {
  Fault fault = Fault::none;
  std::exception_ptr error;
  try {
    fault = co_await send_pieces(sending, wait);
    sending.is_done = fault == Fault::none;
    if (sending.is_done) co_await reactor_.sleep_until(sending.time.end(), wait.stop);
  } catch (...) {
    error = std::current_exception();
  }
  if (wait.stop.stop_requested()) co_return;  // whatever came of it
  if (error && wait.deadline > reactor_.now()) {
    sending.error = error;
  } else {
    sending.fault = fault == Fault::none ? Fault::deadline : fault;
  }
  stop.request("its event could not be sent in time");
}

Task<Worker::Fault> Worker::send_pieces(Sending& sending, Wait wait) {
  std::string frame = std::exchange(request_, std::string());
  std::string piece;
  std::size_t event_bytes = 0;
  for (bool is_last = false;;) {
    const Wait until{sending.time.end(wait.deadline), wait.stop};
    const Fault fault = co_await send_rest(frame, piece, until);
    if (fault != Fault::none || is_last) co_return fault;
    sending.time.stand_still();
    std::optional<std::string> next = co_await sending.call.input_stream->next(wait);
    sending.time.go_on();
    frame.clear();
    is_last = !next;
    piece = next ? std::move(*next) : std::string();
    event_bytes += piece.size();
    if (event_bytes > kValueBytesMax) throw worker::input_too_large(sending.call, event_bytes);
    if (is_last) {
      worker::append_final_data(frame, milliseconds_until(sending.time.end(wait.deadline)));
    } else {
      worker::append_header(frame, worker::FrameType::data, piece.size());
    }
  }
}

Worker::Fault Worker::fault_of(int result) const noexcept {
  if (result == -ETIME) return Fault::deadline;
  if (result == -ECANCELED) return ended_ ? Fault::ended : Fault::stopped;
  return Fault::closed;
}

/// Writes what the pipe takes at once, and takes it off `bytes`.
Worker::Fault Worker::write_now(std::string_view& bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t count = ::write(pipes_.requests.get(), bytes.data(), bytes.size());
    if (count > 0) {
      sent_ += static_cast<std::size_t>(count);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return Fault::closed;
    }
  }
  return Fault::none;
}

Task<Worker::Fault> Worker::send_rest(std::string_view request, std::string_view event, Wait wait) {
  for (std::string_view part : {request, event}) {
    Fault fault = write_now(part);
    while (fault == Fault::none && !part.empty()) {
      const int ready = co_await reactor_.poll(pipes_.requests.get(), POLLOUT, wait);
      fault = ready < 0 ? fault_of(ready) : write_now(part);
    }
    if (fault != Fault::none) co_return fault;
  }
  co_return Fault::none;
}

/// What a process that has ended wrote before; reading must not wait for more.
int Worker::read_left(std::span<char> space) noexcept {
  const std::size_t there = std::min(space.size(), bytes_available(pipes_.responses.get()));
  if (there == 0) return 0;
  return static_cast<int>(::read(pipes_.responses.get(), space.data(), there));
}

Task<Worker::Fault> Worker::receive(Wait wait) {
  answer_.clear();
  while (true) {
    const std::span<char> space = answer_.space();
    if (space.empty()) co_return Fault::none;
    int count = 0;
    if (ended_) {
      count = read_left(space);
      if (count <= 0) co_return Fault::ended;
    } else {
      count = co_await reactor_.stream_read(pipes_.responses.get(), std::as_writable_bytes(space),
                                            wait);
      if (count == -ECANCELED && ended_) continue;  // once more, for what is left
      if (count == 0) co_return Fault::closed;
      if (count < 0) co_return fault_of(count);
    }
    if (!answer_.add(static_cast<std::size_t>(count))) co_return Fault::nonsense;
  }
}

/// False if the frame is no answer to this call.
bool Worker::take_answer(UserResult& result) {
  const std::string_view payload = answer_.payload();
  const auto answer = worker::parse_answer(answer_.type(), payload);
  if (!answer || answer->sequence != sequence_) return false;
  if (answer->retires) usable_ = false;
  if (!answer->succeeded) {
    result = UserResult::failure(std::string(answer->error), std::string(answer->cause));
  } else if (answer->value.size() > kValueBytesMax) {
    result = UserResult::failure("Unum.ResultTooLarge",
                                 fmt::format("{} has {} bytes; the limit is {}", result_name_,
                                             answer->value.size(), kValueBytesMax));
  } else {
    result = UserResult::success(answer_.take_payload(payload.size() - answer->value.size()),
                                 result_name_);
    return true;
  }
  answer_.clear();
  return true;
}

// --- What goes wrong ----------------------------------------------------------------------------

/// Ends the process and throws what the call ended in.
Task<void> Worker::throw_fault(Fault fault, const UserCall& call, Wait wait,
                               std::string stop_reason) {
  usable_ = false;
  const std::string who(call.instance.empty() ? call.function : call.instance);
  if (fault == Fault::stopped) {
    // Whoever asked for the stop lets it end in its own time; what it prints meanwhile is still
    // this call's.
    throw Error(ErrorKind::cancelled, "worker", "Unum.Cancelled",
                fmt::format("{}: its call was stopped: {}", who, stop_reason));
  }
  if (fault == Fault::closed && !ended_) {
    co_await end_waiters_.wait(reactor_, Wait{reactor_.now() + kEndPatience, wait.stop});
  }
  std::string what;
  if (ended_) {
    what = "its worker process ended with " + (status_ ? to_string(*status_) : "an unknown status");
    // The pieces of an event cannot be had a second time.
    call_never_began_ = call.input_stream == nullptr && sent_ > 0 &&
                        bytes_available(pipes_.requests_far.get()) == sent_;
  } else if (fault == Fault::nonsense) {
    what = "it wrote something to file descriptor 4, which its results go through";
  } else {
    what = "it closed file descriptor 4, which its results go through";
  }
  output_.read_available(pipes_.output.get());
  std::string tail(json::trim(output_.tail()));
  if (!tail.empty()) tail = "; its last output:\n" + tail;
  kill();
  output_.end_call();
  if (fault == Fault::deadline) {
    const std::chrono::milliseconds time = time_of_call(*code_, call);
    const bool own = time.count() > 0 && wait.deadline > reactor_.now();
    const double seconds = static_cast<double>(time.count()) / 1000;
    throw Error(
        ErrorKind::timeout, "worker", "States.Timeout",
        own ? fmt::format("{}: no answer within its time-out of {:g} s{}", who, seconds, tail)
            : fmt::format("{}: no answer before the deadline{}", who, tail));
  }
  throw Error(ErrorKind::disconnected, "worker", "Unum.WorkerCrashed",
              fmt::format("{}: {}{}", who, what, tail));
}

// --- Its life beside the calls ------------------------------------------------------------------

void Worker::kill() noexcept {
  usable_ = false;
  process_.kill(SIGKILL);
}

void Worker::stop_call() noexcept {
  if (current_call_ != nullptr) current_call_->request("the workers are shutting down");
}

Task<void> Worker::terminate(Deadline patience) {
  usable_ = false;
  process_.kill(SIGTERM);
  if (!ended_) co_await end_waiters_.wait(reactor_, Wait{patience, {}});
  if (!ended_) process_.kill(SIGKILL);
}

Task<void> Worker::watch_output() {
  const Wait wait{kNoDeadline, end_of_output_.token()};
  while (true) {
    const int events = co_await reactor_.poll(pipes_.output.get(), POLLIN, wait);
    if (events < 0) co_return;
    // Nothing to read and yet readable: the last writer has closed it.
    if (!output_.read_available(pipes_.output.get()) && (events & (POLLHUP | POLLERR)) != 0)
      co_return;
  }
}

Task<void> Worker::tend() {
  output_watch_.spawn(watch_output());
  status_ = co_await process_.wait_exit(reactor_);
  ended_ = true;
  usable_ = false;
  end_of_output_.request("ended");
  if (current_call_ != nullptr) current_call_->request("ended");
  end_waiters_.wake_all();
  co_await output_watch_.drain();
  output_.read_available(pipes_.output.get());
  if (current_call_ == nullptr) output_.end_call();
}

}  // namespace unum
