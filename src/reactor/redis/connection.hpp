// One connection to a Redis server: hiredis' asynchronous context, driven by the reactor. Commands
// go out in the order in which they are awaited, as many as there are in one send, and replies are
// handed to them in that order.
//
// A command that is given up (deadline, stop) leaves its record with hiredis, orphaned: the late
// reply is dropped when it comes, and no other command suffers. Nothing is resumed from inside a
// callback: everything goes by the reactor's ready queue.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
    waiting,    ///< Nothing yet: it was time to look. The call can be awaited again.
  };
  Status status = Status::lost;
  Reply reply{};  ///< When replied; may be an error.
};

/// How a command is sent.
struct CallSettings {
  bool asking = false;  ///< With ASKING before it, for a slot that is on its way to this server.
  const ReplyBounds* bounds = &kValueReply;
  Deadline look = kNoDeadline;  ///< When to come back as `waiting`.
};

/// Awaits a command's reply. Its arguments must live until the call ends, and so must the
/// connection. A call that goes away before its reply leaves its record behind.
class [[nodiscard]] Call final : private Ready, private Timer {
 public:
  using Arguments = std::span<const std::string_view>;

  Call(Connection& connection, Arguments arguments, const Wait& wait,
       const CallSettings& settings) noexcept
      : connection_(connection), arguments_(arguments), wait_(wait), settings_(settings) {}
  ~Call() {
    suspended_ = false;
    give_up(Outcome::Status::cancelled);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// The next time to come back as `waiting`.
  void look_at(Deadline look) noexcept { settings_.look = look; }

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> waiter);
  Outcome await_resume() noexcept;

 private:
  friend class Connection;
  enum class State : std::uint8_t { fresh, pending, ended };
  void begin();
  void set_timer();
  void come_back() noexcept;
  void end(Outcome::Status status) noexcept;
  void give_up(Outcome::Status status) noexcept;

  Connection& connection_;
  const Arguments arguments_;
  const Wait wait_;
  CallSettings settings_;
  State state_ = State::fresh;
  bool suspended_ = false;          ///< Somebody waits, and was not posted yet.
  PendingReply* record_ = nullptr;  ///< Of a command that hiredis has.
  std::coroutine_handle<> waiter_;
  StopCallback stop_;
  Outcome outcome_;
};

class Connection {
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
  struct Event : Ready {
    Connection* connection = nullptr;
    bool posted = false;
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

  void enqueue(Call& call);
  void admit();
  void send(Call& call);
  bool append(Call::Arguments arguments, Call* call, const ReplyBounds& bounds) noexcept;
  void abandon(Call& call) noexcept;
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
  std::vector<const char*> arguments_;
  std::vector<std::size_t> lengths_;
  Event flush_;
};

/// Stands with hiredis for a command whose reply is due.
struct PendingReply {
  Connection* connection = nullptr;
  Call* call = nullptr;  ///< Null when it was given up.
  const ReplyBounds* bounds = nullptr;
  PendingReply* next = nullptr;
};

}  // namespace unum::redis
