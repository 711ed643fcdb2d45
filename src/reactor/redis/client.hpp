// A Redis server, or a cluster of them, on the reactor: commands of many coroutines share one
// connection a server and go out together; what a server cannot answer now is asked again.
//
// A command is sent again after a lost connection, so that it may take effect twice: send only what
// may (reads, create-if-absent, idempotent scripts). Connections are opened when first needed and
// opened again, with growing random delays, when lost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/redis/address.hpp"
#include "reactor/redis/reply.hpp"
#include "reactor/redis/slots.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::redis {

class Connection;

struct ClientOptions {
  /// Commands under way at once; what is beyond waits, first come, first served.
  std::size_t in_flight_max = 1024;
  /// To resolve, connect, greet and authenticate; a deadline that is nearer counts.
  std::chrono::milliseconds connect_timeout{5'000};
  /// A command that has no reply after this long counts as lost and is sent again, by another
  /// connection; a deadline that is nearer counts.
  std::chrono::milliseconds request_timeout{30'000};
  /// How long after its first failure a command is tried again while its server is away, loading,
  /// failing over or moving slots; a deadline that is nearer counts. A cluster replaces a primary
  /// that is silent for 15 s (cluster-node-timeout).
  std::chrono::milliseconds retry_for{20'000};
  /// Whether `call_replica` has anybody to ask: in a cluster, each primary's replicas.
  bool read_replicas = false;
};

/// For tests and benchmarks.
struct ClientCounters {
  std::uint64_t requests = 0;     ///< Commands sent, those that were sent again included.
  std::uint64_t connections = 0;  ///< Opened so far.
  std::uint64_t retries = 0;      ///< Commands sent again after a failure that may pass.
  std::uint64_t redirects = 0;    ///< MOVED and ASK followed.
};

/// A Lua script, by text and, once `Client::load` has told, by the server's name for it.
struct Script {
  std::string source;
  std::string sha{};
};

class Client {
 public:
  using Arguments = std::span<const std::string_view>;

  Client(Reactor& reactor, Address address, ClientOptions options = {});
  /// No call may be under way.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Connects, asks the server about itself (INFO) and, if it is of a cluster, learns which server
  /// has what. Tries once; only a server that loads its data is waited for. Throws what `call`
  /// does.
  Task<void> open(Wait wait = {});
  /// What INFO said at `open`: the value of "role", "maxmemory_policy", ...; empty if it said
  /// nothing.
  std::string_view info(std::string_view field) const noexcept;
  bool cluster() const noexcept { return cluster_; }

  /// Sends a command to the server that has the key's slot (any server, where that does not matter
  /// or there is but one) and gives the reply, which is no error. Arguments and key must live until
  /// the task has ended. Throws, with origin "redis" and the server's code ("NOPERM"):
  ///   `timeout`       the wait's deadline passed (the reply is dropped when it comes; commands of
  ///                   others go on);
  ///   `cancelled`     a stop was requested, or the client was closed;
  ///   `disconnected`  the server cannot be reached, or was lost again and again;
  ///   `throttled`     it is loading, busy, or its cluster is down, for longer than is waited;
  ///   `denied`        NOAUTH, WRONGPASS, NOPERM, READONLY (a replica that stays one), TLS;
  ///   `exhausted`     OOM, MISCONF (it cannot persist), or this process is out of memory;
  ///   `conflict`      WRONGTYPE: somebody else's value stands there;
  ///   `bug`           any other error.
  Task<Reply> call(std::string_view key, Arguments arguments, Wait wait = {});

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

  const Address& address() const noexcept { return address_; }
  ClientCounters counters() const noexcept { return counters_; }

 private:
  struct Node;
  struct Attempts;
  struct Replica;
  struct Room;
  struct Turn;

  Node& node_at(const Address& address);
  Node& node_at(std::string_view host, std::uint16_t port);
  Node& node_of(std::uint16_t slot);
  Node* next_replica(std::uint16_t slot) noexcept;
  void learn_replicas(const Node& primary, const std::vector<Place>& places);
  Task<void> wait_for_room(Wait wait);
  Task<Reply> send(Node* fixed, std::uint16_t slot, Arguments arguments, Wait wait);
  Task<std::optional<Reply>> attempt(Attempts& attempts, Arguments arguments,
                                     std::optional<Error>& failure);
  Task<std::shared_ptr<Connection>> connect(Node& node, Wait wait);
  Task<bool> follow(Attempts& attempts, Reply& reply);
  Task<void> wait_to_retry(Attempts& attempts, const Error& failure);
  Task<void> learn_slots(Wait wait);
  void check_open() const;

  Reactor& reactor_;
  const Address address_;
  const ClientOptions options_;
  ClientCounters counters_;
  std::vector<std::unique_ptr<Node>> nodes_;  ///< The first is the one that was named.
  std::vector<Node*> slots_;                  ///< Empty unless in a cluster.
  std::vector<Replica> replicas_;             ///< Empty unless they are read.
  std::size_t replica_turn_ = 0;
  std::string info_;
  bool cluster_ = false;
  bool opening_ = false;  ///< A server that is not there is told at once.
  bool closed_ = false;
  Deadline learn_again_{};
  std::unique_ptr<Room> room_;
};

/// The error that a reply is.
Error error_of(const Reply& reply, std::string_view what);

}  // namespace unum::redis
