// One connection to a Redis server: hiredis' asynchronous context, driven by the reactor. Commands
// go out in the order in which they are awaited, as many as there are in one send, and replies are
// handed to them in that order.
//
// A command that is given up (deadline, stop) leaves its record with hiredis, orphaned: the late
// reply is dropped when it comes, and no other command suffers. Nothing is resumed from inside a
// callback: everything goes by the reactor's ready queue.
#pragma once

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "reactor/redis/address.hpp"
#include "reactor/redis/connect.hpp"
#include "reactor/redis/reply.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::redis {

class Connection;
struct PendingReply;

/// What came of a command.
struct Outcome {
  enum class Status : std::uint8_t {
    replied,
    lost,       ///< The connection died; whether the command took effect is unknown.
    refused,    ///< Its reply is beyond what it may be; that ended the connection, too.
    timed_out,  ///< The deadline passed.
    cancelled,  ///< A stop was requested.
    waiting,    ///< Nothing yet, and it was time to check. The call can be awaited again.
  };
  Status status = Status::lost;
  Reply reply{};  ///< When replied; may be an error.
};

/// How a command is sent.
struct CallSettings {
  bool asking = false;  ///< With ASKING before it, for a slot that is on its way to this server.
  const ReplyBounds* bounds = &kValueReply;
  Deadline check_at = kNoDeadline;  ///< When to come back as `waiting`.
};

/// A command on one connection, and what awaits its reply. Its arguments must live until the call
/// ends, and so must the connection. A call that goes away before its reply leaves its record
/// behind.
class [[nodiscard]] Call final : private Ready {
 public:
  using Arguments = std::span<const std::string_view>;
  /// Called from the ready queue when the call has ended, and when it is time to check.
  using Heard = void (*)(void* context) noexcept;

  Call(Connection& connection, Arguments arguments, const Wait& wait,
       const CallSettings& settings) noexcept
      : connection_(connection), arguments_(arguments), wait_(wait), settings_(settings) {}
  ~Call() { abandon(); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> waiter) {
    listen(&unum::detail::resume_address, waiter.address());
  }
  Outcome await_resume() noexcept;

  /// The same for code without a coroutine: sends the command, unless that was done, and calls
  /// `heard` once. Throws without memory; nothing is sent then, and nobody called.
  void listen(Heard heard, void* context);
  /// Nobody waits any more.
  void abandon() noexcept {
    heard_ = nullptr;
    give_up(Outcome::Status::cancelled);
  }
  /// The next time to come back as `waiting`.
  void check_again_at(Deadline time) noexcept { settings_.check_at = time; }

  /// Whether it has ended with a reply that is no error.
  bool has_succeeded() const noexcept {
    return state_ == State::ended && outcome_.status == Outcome::Status::replied &&
           !outcome_.reply.is_error();
  }
  Reply take_reply() noexcept { return std::move(outcome_.reply); }
  Connection& connection() const noexcept { return connection_; }
  Deadline deadline() const noexcept { return wait_.deadline; }

 private:
  friend class Connection;
  enum class State : std::uint8_t { fresh, pending, ended };
  void begin();
  /// When to do something although no reply has come; for the connection's timer.
  Deadline next_time() const noexcept {
    return heard_ == nullptr ? kNoDeadline : std::min(wait_.deadline, settings_.check_at);
  }
  void on_time(Deadline now) noexcept;
  void come_back() noexcept;
  void end(Outcome::Status status) noexcept;
  void give_up(Outcome::Status status) noexcept;

  Connection& connection_;
  const Arguments arguments_;
  const Wait wait_;
  CallSettings settings_;
  State state_ = State::fresh;
  Heard heard_ = nullptr;   ///< Null when nobody waits, or was posted already.
  Heard posted_ = nullptr;  ///< What `run` calls.
  void* context_ = nullptr;
  PendingReply* record_ = nullptr;  ///< Of a command that hiredis has.
  StopCallback stop_;
  Outcome outcome_;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// Connects, authenticates, selects the database. Throws what `connect` does; `denied` for a
  /// wrong user or password.
  static Task<std::shared_ptr<Connection>> open(Reactor& reactor, const Address& address,
                                                Wait wait);
  /// No command may be awaited any more.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends the command.
  Call call(Call::Arguments arguments, const Wait& wait,
            const CallSettings& settings = {}) noexcept {
    return {*this, arguments, wait, settings};
  }

  /// Whether commands can still be sent.
  bool alive() const noexcept { return alive_; }
  /// Whether something is due and nothing has come for longer than that, so that new commands
  /// better go by another connection. Those that wait here may go on waiting.
  bool stalled(Deadline now, std::chrono::milliseconds after) const noexcept;
  /// Why it is not alive.
  const std::string& reason() const noexcept { return reason_; }
  /// Closes it: what waits ends as `lost`.
  void end(std::string reason) noexcept;

 private:
  friend class Call;
  /// Something to go on with from the ready queue; keeps the connection until then.
  struct Event : Ready {
    void (Connection::*go_on)() noexcept = nullptr;
    std::shared_ptr<Connection> connection;
  };
  struct Alarm : Timer {
    Connection* connection = nullptr;
  };

  Connection(Reactor& reactor, std::string endpoint, bool tls, AsyncContext context);
  Task<void> introduce(const Address& address, Wait wait);

  // The adapter: what hiredis calls, and what the reactor calls.
  void attach();
  void on_read_wanted() noexcept;
  void on_write_wanted() noexcept;
  void on_cleanup() noexcept;
  static void on_reply(redisAsyncContext* context, void* reply, void* record) noexcept;
  static const ReplyBounds* bounds_due(void* self) noexcept;
  void read() noexcept;
  void write() noexcept;
  void watch_for(unsigned events);
  void post(Event& event) noexcept;

  void remind(Deadline time);
  void on_alarm() noexcept;

  void enqueue(Call& call);
  void admit();
  void send(Call& call);
  void encode(Call::Arguments arguments);
  bool append(Call::Arguments arguments, Call* call, const ReplyBounds& bounds) noexcept;
  void forget(Call& call) noexcept;
  void tell_lost(Call* call) noexcept;
  std::string hiredis_reason() const;

  Reactor& reactor_;
  const std::string endpoint_;
  const bool tls_;
  ReplyBudget budget_;
  redisAsyncContext* context_ = nullptr;  ///< Freed by hiredis; null from `on_cleanup` on.
  WatchId watch_;
  unsigned watched_ = 0;
  bool alive_ = true;
  bool refusal_told_ = false;
  bool writing_ = false;
  std::string reason_;

  std::deque<Call*> waiting_;         ///< For room in hiredis' send buffer, in order.
  std::deque<PendingReply> records_;  ///< All that were ever needed at once.
  PendingReply* spare_ = nullptr;     ///< Those not in use.
  std::size_t due_ = 0;               ///< Replies that hiredis waits for.
  Deadline quiet_since_{};            ///< Nothing has come since then, although something was due.
  std::size_t held_ = 0;              ///< Bytes in the reader before a read.
  std::size_t got_ = 0;               ///< Bytes that the read gave.
  std::string command_;               ///< The last one, encoded; its memory is used again.
  Event flush_;
  Event read_on_;
  int reads_in_a_row_ = 0;
  /// One for all commands, at the nearest of their times or before it: most are answered long
  /// before, and none then costs a timer.
  Alarm alarm_;
};

/// Stands with hiredis for a command whose reply is due.
struct PendingReply {
  Connection* connection = nullptr;
  Call* call = nullptr;  ///< Null when it was given up.
  const ReplyBounds* bounds = nullptr;
  PendingReply* next = nullptr;
};

}  // namespace unum::redis
