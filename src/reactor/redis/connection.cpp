// Pipelining: the queue of what is to be sent, the queue of whom the replies are for.
#include "reactor/redis/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <exception>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

namespace unum::redis {
namespace {

// From here on an argument is sent from where it is instead of being copied.
constexpr std::size_t kBorrowedFrom = 32u * 1024;
// One receive, and receives in a row before others have their turn.
constexpr std::size_t kReceiveBytes = 64u * 1024;
constexpr int kReceivesAtOnce = 16;
// What the send buffer keeps allocated between commands.
constexpr std::size_t kSendBufferKept = 256u * 1024;

void append_number(std::string& text, char mark, std::size_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text += mark;
  text.append(digits.data(), end);
  text += "\r\n";
}

/// A server's refusal of AUTH. A server or proxy that does not know the command repeats how it was
/// called, password and all: 'unknown command AUTH, with args beginning with: ...'.
std::string without_arguments(const Reply& refusal, std::string_view password) {
  const std::string_view code = refusal.error_code();
  const bool repeats = refusal.text.find("args") != std::string::npos ||
                       (!password.empty() && refusal.text.find(password) != std::string::npos);
  if (!repeats) return refusal.text;
  return "the server does not take the command as it was given (" + std::string(code) + ")";
}

}  // namespace

// --- Call ---------------------------------------------------------------------------------------

bool Call::await_ready() noexcept {
  if (state_ != State::fresh) return state_ == State::ended;
  if (wait_.stop.stop_requested()) {
    outcome_.status = Outcome::Status::cancelled;
    return true;
  }
  return !connection_.alive();  // lost, which it is from the beginning
}

void Call::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  if (state_ == State::fresh) {
    begin();
  } else {
    set_timer();
  }
  suspended_ = true;
}

Outcome Call::await_resume() noexcept {
  if (state_ != State::pending) return std::move(outcome_);
  Outcome nothing_yet;
  nothing_yet.status = Outcome::Status::waiting;
  return nothing_yet;
}

void Call::begin() {
  run = [](Ready& ready) noexcept { static_cast<Call&>(ready).waiter_.resume(); };
  set_timer();
  try {
    connection_.enqueue(*this);
  } catch (...) {
    connection_.reactor_.remove_timer(*this);
    throw;
  }
  state_ = State::pending;
  stop_.link(
      wait_.stop,
      [](void* self) noexcept { static_cast<Call*>(self)->give_up(Outcome::Status::cancelled); },
      this);
}

void Call::set_timer() {
  when = std::min(wait_.deadline, settings_.look);
  if (when == kNoDeadline) return;
  fire = [](Timer& timer) noexcept {
    auto& call = static_cast<Call&>(timer);
    if (call.when == call.wait_.deadline) {
      call.give_up(Outcome::Status::timed_out);
    } else {
      call.come_back();
    }
  };
  connection_.reactor_.add_timer(*this);
}

/// Resumes who waits; the call goes on.
void Call::come_back() noexcept {
  if (std::exchange(suspended_, false)) connection_.reactor_.post(*this);
}

void Call::end(Outcome::Status status) noexcept {
  state_ = State::ended;
  outcome_.status = status;
  connection_.reactor_.remove_timer(*this);
  stop_.unlink();
  come_back();
}

void Call::give_up(Outcome::Status status) noexcept {
  if (state_ != State::pending) return;
  connection_.abandon(*this);
  end(status);
}

// --- Opening and closing ------------------------------------------------------------------------

Connection::Connection(Reactor& reactor, std::string endpoint, std::unique_ptr<Transport> transport)
    : reactor_(reactor), endpoint_(std::move(endpoint)), transport_(std::move(transport)) {
  flush_.connection = this;
  flush_.run = [](Ready& ready) noexcept {
    auto& event = static_cast<Event&>(ready);
    event.posted = false;
    event.connection->flush();
  };
  const auto on_ready = [](void* self, unsigned events) noexcept {
    auto& connection = *static_cast<Connection*>(self);
    if ((events & POLLOUT) != 0) connection.flush();
    if ((events & ~unsigned{POLLOUT}) != 0) connection.receive();
  };
  watched_ = POLLIN;
  watch_ = reactor_.watch(transport_->fd(), watched_, on_ready, this);
}

Connection::~Connection() {
  UNUM_ASSERT(std::all_of(due_.begin(), due_.end(), [](const Due& due) { return !due.call; }));
  end("closed");
}

Task<std::shared_ptr<Connection>> Connection::open(Reactor& reactor, const Address& address,
                                                   Wait wait) {
  std::unique_ptr<Transport> transport = co_await Transport::open(reactor, address, wait);
  std::shared_ptr<Connection> connection(
      new Connection(reactor, address.endpoint(), std::move(transport)));
  co_await connection->introduce(address, wait);
  log::info(LogArea::redis, "connected to {}", connection->endpoint_);
  co_return connection;
}

Task<void> Connection::introduce(const Address& address, Wait wait) {
  std::vector<std::string_view> auth{"AUTH"};
  if (!address.username.empty()) auth.push_back(address.username);
  auth.push_back(address.password);
  const std::string database = std::to_string(address.database);
  const std::array<std::string_view, 2> select{"SELECT", database};
  const auto say = [&](Call::Arguments command, std::string_view what) -> Task<void> {
    const CallSettings greeting{.bounds = &kGreetingReply};
    const Outcome outcome = co_await call(command, wait, greeting);
    const std::string doing = std::string(what) + " at " + endpoint_;
    if (outcome.status == Outcome::Status::timed_out) throw_wait_ended(-ETIME, wait, doing);
    if (outcome.status == Outcome::Status::cancelled) throw_wait_ended(-ECANCELED, wait, doing);
    if (outcome.status == Outcome::Status::lost)
      throw Error(ErrorKind::disconnected, "redis", "Unum.Disconnected", doing + ": " + reason_);
    if (outcome.status == Outcome::Status::refused)
      throw Error(ErrorKind::corrupt, "redis", "Unum.RedisReplyTooLarge", doing + ": " + reason_);
    if (!outcome.reply.is_error()) co_return;
    const std::string_view code = outcome.reply.error_code();
    const bool busy = code == "LOADING" || code == "MASTERDOWN" ||
                      outcome.reply.text.find("max number of clients") != std::string::npos;
    throw Error(busy ? ErrorKind::throttled : ErrorKind::denied, "redis", code,
                doing + ": " + without_arguments(outcome.reply, address.password));
  };
  if (!address.password.empty()) {
    const std::string who = address.username.empty() ? "default" : address.username;
    co_await say(auth, "authenticating as " + who);
  }
  if (address.database != 0) co_await say(select, "selecting database " + database);
  static constexpr std::array<std::string_view, 1> kReadOnly{"READONLY"};
  if (address.of_replica) co_await say(kReadOnly, "asking for reads of a replica");
}

void Connection::end(std::string reason) noexcept {
  if (!alive_) return;
  alive_ = false;
  reason_ = std::move(reason);
  log::info(LogArea::redis, "the connection to {} ended: {}", endpoint_, reason_);
  reactor_.unwatch(watch_);
  transport_.reset();
  unsent_.clear();
  for (const Due& due : std::exchange(due_, {})) {
    if (due.call != nullptr) due.call->end(Outcome::Status::lost);
  }
}

bool Connection::stalled(Deadline now, std::chrono::milliseconds after) const noexcept {
  return !due_.empty() && now - quiet_since_ >= after;
}

// --- Sending ------------------------------------------------------------------------------------

void Connection::enqueue(Call& call) {
  if (due_.empty()) quiet_since_ = reactor_.now();
  if (call.settings_.asking) due_.push_back({nullptr, &kGreetingReply});
  due_.push_back({&call, call.settings_.bounds});
  call.sequence_ = first_due_ + due_.size() - 1;
  try {
    encode(call);
  } catch (...) {
    // Half a command may be queued: nothing can follow it.
    due_.back().call = nullptr;
    end("out of memory while a command was encoded");
    throw;
  }
  post(flush_);
}

void Connection::encode(Call& call) {
  if (unsent_.empty() || unsent_.back().owner != nullptr)
    unsent_.emplace_back().bytes = std::exchange(spare_, {});
  std::string* text = &unsent_.back().bytes;
  if (call.settings_.asking) *text += "*1\r\n$6\r\nASKING\r\n";
  append_number(*text, '*', call.arguments_.size());
  for (const std::string_view argument : call.arguments_) {
    append_number(*text, '$', argument.size());
    if (argument.size() < kBorrowedFrom) {
      text->append(argument);
    } else {
      unsent_.push_back({{}, argument, &call});
      text = &unsent_.emplace_back().bytes;
    }
    *text += "\r\n";
  }
}

/// Takes the call off the queues. Its long arguments die with it: what is unsent of them is copied,
/// since the server was told their lengths.
void Connection::abandon(Call& call) noexcept {
  const std::size_t index = call.sequence_ - first_due_;
  UNUM_ASSERT(index < due_.size() && due_[index].call == &call);
  due_[index].call = nullptr;
  for (Piece& piece : unsent_) {
    if (piece.owner != &call) continue;
    try {
      piece.bytes = piece.borrowed;
    } catch (const std::exception&) {
      end("out of memory while a command was given up");
      return;
    }
    piece.owner = nullptr;
  }
}

void Connection::post(Event& event) noexcept {
  if (std::exchange(event.posted, true)) return;
  reactor_.post(event);
}

void Connection::flush() noexcept {
  if (!alive_) return;
  try {
    while (!unsent_.empty()) {
      if (!send_some()) {
        watch_for(POLLIN | POLLOUT);
        return;
      }
    }
    if (alive_) watch_for(POLLIN);
  } catch (const std::exception& error) {
    end(error.what());
  }
}

/// False when the kernel takes no more now.
bool Connection::send_some() {
  Piece& piece = unsent_.front();
  const std::string_view rest = piece.rest().substr(sent_);
  if (!rest.empty()) {
    const long sent = transport_->write(rest);
    if (sent == -EAGAIN) return false;
    if (sent <= 0) {
      end("sending to " + endpoint_ + ": " + transport_->why(sent));
      return true;
    }
    sent_ += static_cast<std::size_t>(sent);
    if (static_cast<std::size_t>(sent) < rest.size()) return true;
  }
  sent_ = 0;
  if (unsent_.size() == 1 && piece.owner == nullptr && piece.bytes.capacity() <= kSendBufferKept) {
    // The usual case: the buffer is used again.
    piece.bytes.clear();
    spare_ = std::move(piece.bytes);
  }
  unsent_.pop_front();
  return true;
}

void Connection::watch_for(unsigned events) {
  if (watched_ == events) return;
  watched_ = events;
  reactor_.change_watch(watch_, events);
}

// --- Receiving ----------------------------------------------------------------------------------

void Connection::receive() noexcept {
  std::array<char, kReceiveBytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (int turn = 0; alive_; ++turn) {
    if (turn >= kReceivesAtOnce && !transport_->holds_bytes()) return;  // the watch tells again
    const long got = transport_->read(buffer);
    if (got == -EAGAIN) return;
    if (got <= 0) {
      end("receiving from " + endpoint_ + ": " + transport_->why(got));
      return;
    }
    quiet_since_ = reactor_.now();
    try {
      parse(std::span(buffer.data(), static_cast<std::size_t>(got)));
    } catch (const Error& error) {
      const std::string why = "receiving from " + endpoint_ + ": " + error.message();
      if (error.code() == "Unum.RedisReplyTooLarge") refuse_reply(why);
      end(why);
    } catch (const std::exception& error) {
      end("receiving from " + endpoint_ + ": " + error.what());
    }
    const bool all = static_cast<std::size_t>(got) < buffer.size();
    if (all && alive_ && !transport_->holds_bytes()) return;
  }
}

void Connection::parse(std::span<const char> bytes) {
  while (alive_ && !bytes.empty()) {
    const std::size_t piece = std::min(bytes.size(), ReplyParser::kPieceBytes);
    parser_.feed(bytes.first(piece));
    bytes = bytes.subspan(piece);
    while (alive_) {
      // What nobody asked for may be a line that says why one is turned away.
      const ReplyBounds& bounds = due_.empty() ? kGreetingReply : *due_.front().bounds;
      std::optional<Reply> reply = parser_.next(bounds);
      if (!reply) break;
      deliver(std::move(*reply));
    }
  }
}

void Connection::deliver(Reply reply) {
  if (due_.empty()) {
    // Said without being asked: why the server ends the connection, or it is no Redis server.
    end(reply.is_error() ? reply.text : "a reply came that nothing was asked for");
    return;
  }
  Call* const call = due_.front().call;
  due_.pop_front();
  ++first_due_;
  if (call == nullptr) return;
  call->outcome_.reply = std::move(reply);
  call->end(Outcome::Status::replied);
}

/// The reply was too large for the command that it is for; the others are merely lost with the
/// connection.
void Connection::refuse_reply(const std::string& why) noexcept {
  if (due_.empty()) return;
  Call* const call = due_.front().call;
  due_.pop_front();
  ++first_due_;
  if (call == nullptr) return;
  call->outcome_.reply.text = why;
  call->end(Outcome::Status::refused);
}

}  // namespace unum::redis
