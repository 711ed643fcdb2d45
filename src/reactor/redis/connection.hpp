// One connection to a Redis server: commands go out in the order in which they are awaited, as many
// as there are in one send, and replies are handed to them in that order.
//
// Who gives up a command (deadline, stop) leaves its place in the queue behind: the late reply is
// dropped when it comes, and nobody else's command suffers. Nothing is resumed from inside a
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

#include "reactor/redis/address.hpp"
#include "reactor/redis/reply.hpp"
#include "reactor/redis/transport.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::redis {

class Connection;

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

/// Awaits a command's reply. Its arguments are encoded when it is first awaited, except long ones,
/// which are sent from where they are: they must live until the call ends. So must the connection.
/// A call that goes away before its reply leaves its place in the queue.
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
  bool suspended_ = false;  ///< Somebody waits, and was not posted yet.
  std::uint64_t sequence_ = 0;
  std::coroutine_handle<> waiter_;
  StopCallback stop_;
  Outcome outcome_;
};

class Connection {
 public:
  /// Connects, greets by TLS, authenticates, selects the database. Throws what Transport::open
  /// does; `denied` for a wrong user or password.
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
  /// Commands whose replies are due, given up ones included.
  std::size_t due() const noexcept { return due_.size(); }
  /// Why it is not alive.
  const std::string& reason() const noexcept { return reason_; }
  /// Closes it: what waits ends as `lost`.
  void end(std::string reason) noexcept;

 private:
  friend class Call;
  /// What is to be sent: bytes of ours, or a caller's long argument where it is.
  struct Piece {
    std::string bytes;
    std::string_view borrowed{};
    Call* owner = nullptr;
    std::string_view rest() const noexcept { return owner != nullptr ? borrowed : bytes; }
  };
  /// A reply that is due.
  struct Due {
    Call* call;  ///< Null where nobody waits any more.
    const ReplyBounds* bounds;
  };
  struct Event : Ready {
    Connection* connection = nullptr;
    bool posted = false;
  };

  Connection(Reactor& reactor, std::string endpoint, std::unique_ptr<Transport> transport);
  Task<void> introduce(const Address& address, Wait wait);

  void enqueue(Call& call);
  void encode(Call& call);
  void abandon(Call& call) noexcept;
  void post(Event& event) noexcept;
  void flush() noexcept;
  bool send_some();
  void receive() noexcept;
  void parse(std::span<const char> bytes);
  void deliver(Reply reply);
  void refuse_reply(const std::string& why) noexcept;
  void watch_for(unsigned events);

  Reactor& reactor_;
  const std::string endpoint_;
  std::unique_ptr<Transport> transport_;
  ReplyParser parser_;
  WatchId watch_;
  unsigned watched_ = 0;
  bool alive_ = true;
  std::string reason_;

  std::deque<Piece> unsent_;
  std::size_t sent_ = 0;         ///< Of the first piece.
  std::deque<Due> due_;          ///< In the order of sending.
  std::uint64_t first_due_ = 0;  ///< The sequence number of due_.front().
  Deadline quiet_since_{};       ///< Nothing has come since then, although something was due.
  std::string spare_;            ///< The last send buffer, to be used again.
  Event flush_;
};

}  // namespace unum::redis
