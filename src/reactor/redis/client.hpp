// A Redis server, or a cluster of them, on the reactor: commands of many coroutines share one
// connection a server and go out together; what a server cannot answer now is asked again. Commands
// that wait for a cluster's server that fell silent follow its slots to the server that replaces
// it.
//
// A command is sent again after a lost connection, so that it may take effect twice: send only what
// may (reads, create-if-absent, idempotent scripts). Connections are opened when first needed and
// opened again, with growing random delays, when lost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reactor/gate.hpp"
#include "reactor/redis/address.hpp"
#include "reactor/redis/connection.hpp"
#include "reactor/redis/reply.hpp"
#include "reactor/redis/slots.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::redis {

struct ClientOptions {
  /// Commands under way at once; what is beyond waits, first come, first served.
  std::size_t in_flight_max = 1024;
  /// To resolve, connect, greet and authenticate; a deadline that is nearer counts.
  std::chrono::milliseconds connect_timeout{5'000};
  /// A command that has no reply after this long counts as lost and is sent again, by another
  /// connection; a deadline that is nearer counts.
  std::chrono::milliseconds request_timeout{30'000};
  /// How long after its first failure a command is tried again while its server is away, loading,
  /// failing over or moving slots; a deadline that is nearer counts.
  std::chrono::milliseconds patience{60'000};
  /// A connection that owes replies and has been silent for this long may lead to nobody: new
  /// commands go by a new one, and in a cluster those that wait look for another server that has
  /// their slot now. Shorter than people wait, longer than a server is busy with one command.
  std::chrono::milliseconds silence{2'000};
  /// Called with one line, at most once in some seconds, while commands wait for a server.
  std::function<void(std::string_view)> waiting{};
  /// Whether `call_replica` has anybody to ask: in a cluster, each primary's replicas.
  bool read_replicas = false;
};

/// For tests and benchmarks.
struct ClientCounters {
  std::uint64_t requests = 0;     ///< Commands sent, those that were sent again included.
  std::uint64_t connections = 0;  ///< Opened so far.
  std::uint64_t retries = 0;      ///< Commands sent again after a failure that may pass.
  std::uint64_t redirects = 0;    ///< MOVED and ASK followed.
  std::uint64_t followed = 0;     ///< Commands that left a silent server for the one in its place.
};

/// A Lua script, by text and, once `Client::load` has told, by the server's name for it.
struct Script {
  std::string source;
  std::string sha{};
};

class Client {
 public:
  using Arguments = std::span<const std::string_view>;
  class Command;

  Client(Reactor& reactor, Address address, ClientOptions options = {})
      : Client(reactor, std::vector<Address>{std::move(address)}, std::move(options)) {}
  /// Servers of one cluster (at least one server): whichever answers.
  Client(Reactor& reactor, std::vector<Address> named, ClientOptions options = {});
  /// No call may be under way.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Connects, asks the server about itself (INFO; if several are named all of them, and the first
  /// good answer counts) and, if it is of a cluster, learns which server has what. Tries once; only
  /// a server that loads its data is waited for. Throws what `call` does, and `invalid` for a
  /// Sentinel and for several servers that are no cluster.
  Task<void> open(Wait wait = {});
  /// What INFO said at `open`: the value of "role", "maxmemory_policy", ...; empty if it said
  /// nothing.
  std::string_view info(std::string_view field) const noexcept;
  bool cluster() const noexcept { return cluster_; }
  /// Whether replies may be as long as values (they may, from the beginning) or only as long as
  /// what a server says about itself.
  void expect_values(bool yes) noexcept { bounds_ = yes ? &kValueReply : &kAboutReply; }

  /// Sends a command to the server that has the key's slot (any server, where that does not matter
  /// or there is but one) and gives the reply, which is no error. Awaited at once. The arguments
  /// must live until then. Throws, with origin "redis" and the server's code ("NOPERM"):
  ///   `timeout`       the wait's deadline passed (the reply is dropped when it comes; commands of
  ///                   others go on);
  ///   `cancelled`     a stop was requested, or the client was closed;
  ///   `disconnected`  the server cannot be reached, or was lost again and again;
  ///   `throttled`     it is loading, busy, or its cluster is down, for longer than is waited;
  ///   `denied`        NOAUTH, WRONGPASS, NOPERM, READONLY (a replica that stays one), TLS;
  ///   `exhausted`     OOM, MISCONF (it cannot persist), or this process is out of memory;
  ///   `corrupt`       WRONGTYPE, somebody else's value stands there, or the reply is beyond what
  ///                   it may be (a ReplyTooLarge);
  ///   `bug`           any other error.
  Command call(std::string_view key, Arguments arguments, const Wait& wait = {}) noexcept;

  /// The connection to the server that has the key's slot, opened if there is none. For commands
  /// that must go by one connection or fail, since what another server knows may be older. Follows
  /// no redirect and tries once; throws what Connection::open does.
  Task<std::shared_ptr<Connection>> connection(std::string_view key, Wait wait = {});

  /// Sends a read to a replica of the server that has the key's slot, the replicas in turn. Nothing
  /// where there is none, or none that answers soon: `call` says what is wrong, or asks the
  /// primary. What comes may be older than what the primary has. Only with `read_replicas`.
  Task<std::optional<Reply>> call_replica(std::string_view key, Arguments arguments,
                                          Wait wait = {});

  /// Makes the script known to a server and learns its name.
  Task<void> load(Script& script, Wait wait = {});
  /// Runs a script that was loaded, in one round trip where the server knows it, in two where not.
  /// All keys must have one slot; there is at least one.
  Task<Reply> run(const Script& script, Arguments keys, Arguments arguments, Wait wait = {});

  /// All keys that match the pattern, of all primaries; a key may come twice while the cluster
  /// moves slots.
  Task<std::vector<std::string>> scan(std::string pattern, Wait wait = {});

  /// Ends the connections; calls under way end as `cancelled`.
  void close() noexcept;

  /// The server that was named, or the first of those.
  const Address& address() const noexcept { return named_.front(); }
  ClientCounters counters() const noexcept { return counters_; }

 private:
  struct Node;
  struct Attempts;
  struct FirstAnswer;
  struct Replica;
  struct Round;
  struct View;

  /// How many more commands may be under way.
  struct Room {
    std::size_t left;
    detail::WaitList came{};
  };
  /// A command's place among those under way.
  class Turn {
   public:
    Turn(Room& room, Gate::Pass pass) noexcept : room_(room), pass_(std::move(pass)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      // A waiter gets the place itself, so that nobody who comes later is before it.
      if (room_.came.empty()) ++room_.left;
      room_.came.wake_one();
    }

   private:
    Room& room_;
    const Gate::Pass pass_;
  };

  Node& node_at(const Address& address);
  Node& node_at(std::string_view host, std::uint16_t port);
  Node& node_of(std::uint16_t slot);
  Node* next_replica(std::uint16_t slot) noexcept;
  void learn_replicas(const Node& primary, const std::vector<Place>& places);
  Task<void> wait_for_room(Wait wait);
  std::uint16_t slot_of(std::string_view key) const noexcept {
    return cluster_ ? key_slot(key) : std::uint16_t{0};
  }
  Gate::Pass enter();
  Wait wait_of_attempt(const Wait& wait, Deadline give_up) noexcept;
  CallSettings settings_of_attempt(bool asking) noexcept;
  Task<Reply> send(Node* fixed, std::uint16_t slot, Arguments arguments, Wait wait);
  Task<Reply> persist(Attempts attempts, Arguments arguments);
  Task<std::optional<Reply>> attempt(Attempts& attempts, Arguments arguments,
                                     std::optional<Error>& failure);
  Task<bool> has_moved(Attempts& attempts, const Connection& connection, bool asking);
  Task<std::shared_ptr<Connection>> connect(Node& node, Wait wait);
  Task<bool> follow(Attempts& attempts, Reply& reply);
  void begin_patience(Attempts& attempts) noexcept;
  Task<void> wait_to_retry(Attempts& attempts, const Error& failure);
  void tell_waiting(const Attempts& attempts, std::string_view why);
  Task<Reply> ask_about(Wait wait);
  Task<void> ask_about_one(Node& node, FirstAnswer& answer, Deadline deadline);
  Task<void> learn_slots(Wait wait);
  Task<void> ask_cluster(Wait wait);
  Task<void> ask_topology(Node& node, Round& round, Deadline deadline);
  Task<std::optional<Reply>> ask_once(Node& node, Arguments arguments, Wait wait);
  std::vector<Node*> whom_to_ask();
  void take(const View& view);
  void check_open() const;
  std::string endpoints() const;

  Reactor& reactor_;
  const std::vector<Address> named_;
  const ClientOptions options_;
  ClientCounters counters_;
  std::vector<std::unique_ptr<Node>> nodes_;  ///< The first are those that were named.
  std::vector<Node*> slots_;                  ///< Empty unless in a cluster.
  std::vector<Replica> replicas_;             ///< Empty unless they are read.
  std::size_t replica_turn_ = 0;
  std::size_t question_turn_ = 0;
  std::string info_;
  const ReplyBounds* bounds_ = &kValueReply;
  Node* spokesman_ = nullptr;  ///< Answered last for all; has what nobody is known to have.
  bool cluster_ = false;
  bool opening_ = false;  ///< A server that is not there is told at once.
  bool learning_ = false;
  detail::WaitList
      learnt_;  ///< Commands that wait for the topology that another one is asking for.
  Deadline learn_again_{};
  Deadline tell_again_{};
  Gate gate_;  ///< Shut when the client was closed.
  Room room_;
};

/// Awaits one command. Where its server can be reached and answers well, the command lives here, in
/// its caller's frame, and nothing is allocated for it; what needs another attempt goes on in a
/// coroutine.
class [[nodiscard]] Client::Command {
 public:
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter);
  Reply await_resume();
  /// For who wants a task of it.
  operator Task<Reply>() const { return as_task(client_, slot_, arguments_, wait_); }

 private:
  friend class Client;
  enum class Errors : std::uint8_t { thrown, given };  ///< What comes of a reply that is one.

  Command(Client& client, std::uint16_t slot, Arguments arguments, const Wait& wait,
          Errors errors) noexcept
      : client_(client), arguments_(arguments), wait_(wait), slot_(slot), errors_(errors) {}
  bool begin();
  void on_heard() noexcept;
  static Task<Reply> as_task(Client& client, std::uint16_t slot, Arguments arguments, Wait wait);

  Client& client_;
  const Arguments arguments_;
  const Wait wait_;
  const std::uint16_t slot_;
  const Errors errors_;
  Node* node_ = nullptr;
  std::coroutine_handle<> waiter_;
  std::shared_ptr<Connection> connection_;
  std::optional<Turn> turn_;
  std::optional<Call> call_;
  Task<Reply> attempts_;  ///< Empty while the first attempt is all that is needed.
};

/// A reply is beyond what it may be: with fewer values asked for at once it may do.
class ReplyTooLarge final : public Error {
 public:
  explicit ReplyTooLarge(std::string message)
      : Error(ErrorKind::corrupt, "redis", "Unum.RedisReplyTooLarge", std::move(message)) {}
};

/// The error that a reply is.
Error error_of(const Reply& reply, std::string_view what);
/// The connection ended before the reply came, or none came in time: whether the command took
/// effect is unknown.
Error connection_lost(std::string reason);
Error no_answer(std::string message);

}  // namespace unum::redis
