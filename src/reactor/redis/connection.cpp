// The adapter between hiredis and the reactor, and whom the replies are for.
#include "reactor/redis/connection.hpp"

#include <hiredis/async.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

namespace unum::redis {
namespace {

// What hiredis' send buffer holds at most, but for the last command: it moves the rest of it to the
// front after each partial send. What is beyond waits where it is, uncopied.
constexpr std::size_t kSendBufferBytes = 256u * 1024;
// A longer encoded command gives its memory back when the next one is encoded.
constexpr std::size_t kEncodedKeptBytes = 512u * 1024;
// What hiredis reads at once, and how often in a row before others have their turn.
constexpr std::size_t kReadBytes = 16u * 1024;
constexpr int kReadsAtOnce = 64;
constexpr int kWritesAtOnce = 16;

void append_count(std::string& text, char type, std::size_t count) {
  std::array<char, 24> line;
  line[0] = type;
  char* const end = std::to_chars(line.data() + 1, line.data() + line.size() - 2, count).ptr;
  end[0] = '\r';
  end[1] = '\n';
  text.append(line.data(), static_cast<std::size_t>(end - line.data()) + 2);
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

Outcome Call::await_resume() noexcept {
  if (state_ != State::pending) return std::move(outcome_);
  Outcome nothing_yet;
  nothing_yet.status = Outcome::Status::waiting;
  return nothing_yet;
}

void Call::listen(Heard heard, void* context) {
  heard_ = heard;
  context_ = context;
  try {
    connection_.remind(next_time());
    if (state_ == State::fresh) begin();
  } catch (...) {
    heard_ = nullptr;
    throw;
  }
}

void Call::begin() {
  run = [](Ready& ready) noexcept {
    auto& call = static_cast<Call&>(ready);
    call.posted_(call.context_);
  };
  state_ = State::pending;
  try {
    connection_.enqueue(*this);
  } catch (...) {
    state_ = State::fresh;
    throw;
  }
  if (state_ != State::pending) return;  // the connection has ended over it
  stop_.link(
      wait_.stop,
      [](void* self) noexcept { static_cast<Call*>(self)->give_up(Outcome::Status::cancelled); },
      this);
}

void Call::on_time(Deadline now) noexcept {
  if (now >= wait_.deadline) {
    give_up(Outcome::Status::timed_out);
  } else {
    come_back();
  }
}

/// Tells who waits; the call may go on.
void Call::come_back() noexcept {
  if (heard_ == nullptr) return;
  posted_ = std::exchange(heard_, nullptr);
  connection_.reactor_.post(*this);
}

void Call::end(Outcome::Status status) noexcept {
  state_ = State::ended;
  outcome_.status = status;
  stop_.unlink();
  come_back();
}

void Call::give_up(Outcome::Status status) noexcept {
  if (state_ != State::pending) return;
  connection_.forget(*this);
  end(status);
}

// --- Opening and closing ------------------------------------------------------------------------

Connection::Connection(Reactor& reactor, std::string endpoint, bool tls, AsyncContext context)
    : reactor_(reactor),
      endpoint_(std::move(endpoint)),
      tls_(tls),
      budget_(&Connection::bounds_due, this),
      context_(context.get()) {
  attach();
  static_cast<void>(context.release());  // it frees itself with the connection, or `end` does
}

Connection::~Connection() {
  end("closed");
  reactor_.remove_timer(alarm_);
  const auto is_awaited = [](const PendingReply& each) { return each.call != nullptr; };
  UNUM_ASSERT(std::none_of(records_.begin(), records_.end(), is_awaited));
}

Task<std::shared_ptr<Connection>> Connection::open(Reactor& reactor, const Address& address,
                                                   Wait wait) {
  AsyncContext context = co_await connect(reactor, address, wait);
  std::shared_ptr<Connection> connection(
      new Connection(reactor, address.endpoint(), address.tls, std::move(context)));
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
  ::redisAsyncFree(context_);
}

bool Connection::stalled(Deadline now, std::chrono::milliseconds after) const noexcept {
  return due_ > 0 && now - quiet_since_ >= after;
}

// --- The adapter --------------------------------------------------------------------------------

// hiredis' own time-outs, for which it would want `scheduleTimer`, are never set: a command's
// deadline is its own and ends no connection.
void Connection::attach() {
  flush_.go_on = &Connection::write;
  read_on_.go_on = &Connection::read;
  flush_.run = read_on_.run = [](Ready& ready) noexcept {
    auto& event = static_cast<Event&>(ready);
    const std::shared_ptr<Connection> connection = std::move(event.connection);
    ((*connection).*event.go_on)();
  };
  alarm_.connection = this;
  alarm_.fire = [](Timer& timer) noexcept { static_cast<Alarm&>(timer).connection->on_alarm(); };
  const auto on_ready = [](void* self, unsigned events) noexcept {
    auto& connection = *static_cast<Connection*>(self);
    if ((events & POLLOUT) != 0) connection.write();
    const bool reads = connection.read_on_.connection != nullptr;
    if ((events & ~unsigned{POLLOUT}) != 0 && !reads) connection.read();
  };
  watched_ = POLLIN;
  watch_ = reactor_.watch(context_->c.fd, watched_, on_ready, this);
  budget_.attach_to(*context_->c.reader);
  context_->ev.data = this;
  context_->ev.addRead = [](void* self) { static_cast<Connection*>(self)->on_read_wanted(); };
  context_->ev.delRead = [](void*) {};  // the connection is always read: its end is seen that way
  context_->ev.addWrite = [](void* self) { static_cast<Connection*>(self)->on_write_wanted(); };
  context_->ev.delWrite = [](void*) {};  // `write` sees itself what is left
  context_->ev.cleanup = [](void* self) { static_cast<Connection*>(self)->on_cleanup(); };
}

/// hiredis calls it when it has read and before it looks at what came.
void Connection::on_read_wanted() noexcept { got_ = context_->c.reader->len - held_; }

/// All commands of this tick leave together, and while replies are read in a row those that follow
/// from them, too.
void Connection::on_write_wanted() noexcept {
  if (writing_ || (watched_ & POLLOUT) != 0 || read_on_.connection != nullptr) return;
  post(flush_);
}

void Connection::post(Event& event) noexcept {
  if (event.connection != nullptr) return;
  event.connection = weak_from_this().lock();
  if (event.connection != nullptr) reactor_.post(event);
}

/// hiredis is about to free the context, whoever wanted that.
void Connection::on_cleanup() noexcept {
  if (std::exchange(alive_, false)) reason_ = hiredis_reason();
  log::info(LogArea::redis, "the connection to {} ended: {}", endpoint_, reason_);
  reactor_.unwatch(watch_);
  context_ = nullptr;
  for (Call* const call : std::exchange(waiting_, {})) call->end(Outcome::Status::lost);
}

std::string Connection::hiredis_reason() const {
  const std::string at = "the connection to " + endpoint_ + ": ";
  if (!budget_.refused().empty())
    return at + "the server sent a reply that it may not send: " + std::string(budget_.refused());
  const redisContext& context = context_->c;
  if (context.err == REDIS_ERR_EOF) return at + "the server closed it";
  if (context.err == REDIS_ERR_PROTOCOL)
    return at + "what came is not a reply of a Redis server: " + context.errstr;
  return at + context.errstr;
}

/// Reads once. If that took all that hiredis reads at once, it goes on when those who have their
/// replies now have run: what they are given is still in the processor's cache then.
void Connection::read() noexcept {
  if (context_ == nullptr) return;
  if (tls_) forget_tls_errors();
  held_ = context_->c.reader->len;
  got_ = 0;
  ::redisAsyncHandleRead(context_);
  if (got_ > 0) quiet_since_ = reactor_.now();
  if (context_ == nullptr) return;
  if (!budget_.allows_pending(*context_->c.reader)) return end(hiredis_reason());
  if (got_ == kReadBytes && ++reads_in_a_row_ < kReadsAtOnce) return post(read_on_);
  reads_in_a_row_ = 0;
  if (sdslen(context_->c.obuf) > 0) on_write_wanted();
}

void Connection::write() noexcept {
  for (int turn = 0; context_ != nullptr; ++turn) {
    if (tls_) forget_tls_errors();
    writing_ = true;
    ::redisAsyncHandleWrite(context_);
    writing_ = false;
    if (context_ == nullptr) return;
    try {
      const bool all = sdslen(context_->c.obuf) == 0;
      if (all) admit();
      if (context_ == nullptr) return;
      if (all && sdslen(context_->c.obuf) > 0 && turn < kWritesAtOnce) continue;
      watch_for(sdslen(context_->c.obuf) > 0 ? POLLIN | POLLOUT : POLLIN);
    } catch (const std::exception& error) {
      end(error.what());
    }
    return;
  }
}

void Connection::watch_for(unsigned events) {
  if (watched_ == events) return;
  watched_ = events;
  reactor_.change_watch(watch_, events);
}

// --- Commands -----------------------------------------------------------------------------------

void Connection::enqueue(Call& call) {
  if (due_ == 0 && waiting_.empty()) quiet_since_ = reactor_.now();
  if (waiting_.empty() && sdslen(context_->c.obuf) < kSendBufferBytes) {
    send(call);
  } else {
    waiting_.push_back(&call);
  }
}

/// Gives hiredis those that wait, as many as it has room for.
void Connection::admit() {
  while (context_ != nullptr && !waiting_.empty() && sdslen(context_->c.obuf) < kSendBufferBytes) {
    Call& call = *waiting_.front();
    waiting_.pop_front();
    send(call);
  }
}

void Connection::send(Call& call) {
  static constexpr std::array<std::string_view, 1> kAsking{"ASKING"};
  bool sent = !call.settings_.asking || append(kAsking, nullptr, kGreetingReply);
  sent = sent && append(call.arguments_, &call, *call.settings_.bounds);
  if (sent) return;
  // Half a command may be queued: nothing can follow it.
  end("out of memory while a command was encoded");
  if (call.state_ == Call::State::pending) call.end(Outcome::Status::lost);
}

/// An array of strings. hiredis' own formatter gives the same, in a string that it makes anew for
/// each command and with a printf for each length.
void Connection::encode(Call::Arguments arguments) {
  if (command_.capacity() > kEncodedKeptBytes) command_ = std::string();
  command_.clear();
  append_count(command_, '*', arguments.size());
  for (const std::string_view argument : arguments) {
    append_count(command_, '$', argument.size());
    command_.append(argument).append("\r\n");
  }
}

/// False without memory.
bool Connection::append(Call::Arguments arguments, Call* call, const ReplyBounds& bounds) noexcept {
  try {
    encode(arguments);
    if (spare_ == nullptr) {
      spare_ = &records_.emplace_back();
      spare_->connection = this;
    }
  } catch (const std::exception&) {
    return false;
  }
  PendingReply& record = *spare_;
  record.bounds = &bounds;
  const int result = ::redisAsyncFormattedCommand(context_, &Connection::on_reply, &record,
                                                  command_.data(), command_.size());
  if (result != REDIS_OK) return false;
  spare_ = record.next;
  record.call = call;
  if (call != nullptr) call->record_ = &record;
  ++due_;
  return context_->c.err == 0;
}

/// Its record stays with hiredis, for whom nothing changes.
void Connection::forget(Call& call) noexcept {
  if (PendingReply* const record = std::exchange(call.record_, nullptr)) {
    record->call = nullptr;
  } else {
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &call));
  }
}

// --- Times --------------------------------------------------------------------------------------

/// Sees to it that the alarm goes off at that time or before it.
void Connection::remind(Deadline time) {
  if (time >= alarm_.when) return;
  reactor_.remove_timer(alarm_);
  alarm_.when = time;
  try {
    reactor_.add_timer(alarm_);
  } catch (...) {
    alarm_.when = kNoDeadline;
    throw;
  }
}

void Connection::on_alarm() noexcept {
  const Deadline now = reactor_.now();
  Deadline next = kNoDeadline;
  const auto check = [&](Call& call) {
    if (call.next_time() <= now) call.on_time(now);
    next = std::min(next, call.next_time());
  };
  for (const PendingReply& record : records_) {
    if (record.call != nullptr) check(*record.call);
  }
  for (std::size_t i = 0; i < waiting_.size();) {
    Call* const call = waiting_[i];
    check(*call);
    if (i < waiting_.size() && waiting_[i] == call) ++i;  // else it was given up
  }
  alarm_.when = next;
  if (next != kNoDeadline) reactor_.add_timer(alarm_);  // in the place that it has just left
}

// --- Replies ------------------------------------------------------------------------------------

const ReplyBounds* Connection::bounds_due(void* self) noexcept {
  const redisCallback* const next = static_cast<Connection*>(self)->context_->replies.head;
  return next == nullptr ? nullptr : static_cast<PendingReply*>(next->privdata)->bounds;
}

/// The reply to the command of that record; none when the connection has ended.
void Connection::on_reply(redisAsyncContext* context, void* reply, void* of) noexcept {
  auto& record = *static_cast<PendingReply*>(of);
  Connection& connection = *record.connection;
  Call* const call = std::exchange(record.call, nullptr);
  record.next = std::exchange(connection.spare_, &record);
  --connection.due_;
  if (call != nullptr) call->record_ = nullptr;
  if (reply == nullptr) {
    connection.tell_lost(call);
  } else if (is_unasked(reply)) {
    // It began before the command was sent, and is none of it.
    if (std::exchange(connection.alive_, false))
      connection.reason_ = "a reply came that nothing was asked for";
    connection.tell_lost(call);
    ::redisAsyncFree(context);
  } else if (call != nullptr) {
    call->outcome_.reply = std::move(reply_of(reply));
    call->end(Outcome::Status::replied);
  }
}

/// A reply that was refused was too large for the command that it is for, the first one; the others
/// are merely lost with the connection.
void Connection::tell_lost(Call* call) noexcept {
  const bool is_refused = !budget_.refused().empty() && !std::exchange(refusal_told_, true);
  if (call == nullptr) return;
  if (is_refused) call->outcome_.reply.text = hiredis_reason();
  call->end(is_refused ? Outcome::Status::refused : Outcome::Status::lost);
}

}  // namespace unum::redis
