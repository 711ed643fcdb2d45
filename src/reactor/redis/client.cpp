// Routing, and asking again for what a server cannot answer now.
#include "reactor/redis/client.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "reactor/redis/node.hpp"
#include "reactor/redis/slots.hpp"
#include "reactor/wait_list.hpp"
#include "unum/assert.hpp"

namespace unum::redis {
namespace {

// Redirects in a row: a slot moves once; more is a cluster that contradicts itself.
constexpr unsigned kRedirectsMax = 16;
// Servers that a client may come to know; the largest clusters in use have 1,000.
constexpr std::size_t kNodesMax = 2'048;
// The topology is asked for at most this often.
constexpr auto kLearnEvery = std::chrono::milliseconds(100);
// A read waits for a replica for so long; the primary is asked then. One that did not answer is let
// alone for a while: its reads cost the primary what they would without it.
constexpr auto kReplicaPatience = std::chrono::seconds(2);
constexpr auto kReplicaRest = std::chrono::seconds(10);
// Keys that a SCAN looks at in one round trip: about a millisecond of the server.
constexpr std::string_view kScanCount = "1000";

struct CodeKind {
  std::string_view code;
  ErrorKind kind;
  bool passes;  ///< Trying again later may help.
};
constexpr std::array<CodeKind, 15> kCodes = {{
    {"LOADING", ErrorKind::throttled, true},
    {"BUSY", ErrorKind::throttled, true},
    {"TRYAGAIN", ErrorKind::throttled, true},
    {"CLUSTERDOWN", ErrorKind::throttled, true},
    {"MASTERDOWN", ErrorKind::throttled, true},
    {"NOREPLICAS", ErrorKind::throttled, true},
    {"READONLY", ErrorKind::denied, true},  // a primary that became a replica: ask for the new one
    {"NOAUTH", ErrorKind::denied, false},
    {"WRONGPASS", ErrorKind::denied, false},
    {"NOPERM", ErrorKind::denied, false},
    {"DENIED", ErrorKind::denied, false},
    {"OOM", ErrorKind::exhausted, false},
    {"MISCONF", ErrorKind::exhausted, false},
    {"WRONGTYPE", ErrorKind::conflict, false},
    {"CROSSSLOT", ErrorKind::bug, false},
}};

const CodeKind* find_code(std::string_view code) noexcept {
  const auto found = std::find_if(kCodes.begin(), kCodes.end(),
                                  [&](const CodeKind& each) { return each.code == code; });
  return found == kCodes.end() ? nullptr : &*found;
}

// How a server says inside a script what is NOPERM outside of one; all have the code ERR. The last
// is that of Redis 8, the others that of 7.0.
constexpr std::string_view kDenialsInScripts[] = {
    "can't run this command or subcommand",
    "can't access at least one of the keys",
    "ACL failure in script",
};

/// The code as if the command had been sent by itself: a script that fails on a command passes the
/// command's error on, in older servers inside a text of its own.
std::string_view code_of(const Reply& reply) noexcept {
  const std::string_view text = reply.text;
  for (const std::string_view denial : kDenialsInScripts) {
    if (text.find(denial) != std::string_view::npos) return "NOPERM";
  }
  if (text.starts_with("ERR Error running script")) {
    for (const CodeKind& each : kCodes) {
      if (text.find("-" + std::string(each.code) + " ") != std::string_view::npos) return each.code;
    }
  }
  return reply.error_code();
}

}  // namespace

Error error_of(const Reply& reply, std::string_view what) {
  const std::string_view code = code_of(reply);
  const CodeKind* const known = find_code(code);
  return Error(known != nullptr ? known->kind : ErrorKind::bug, "redis", code,
               std::string(what) + ": " + reply.text);
}

struct Client::Node : redis::Node {
  using redis::Node::Node;
  Deadline rests_until{};  ///< A replica that did not answer is not asked until then.
};

struct Client::Replica {
  const Node* primary;
  Node* node;
  friend bool operator==(const Replica&, const Replica&) = default;
};

/// How many more commands may be under way.
struct Client::Room {
  std::size_t left = 0;
  WaitList came;
};

/// A command's place among those under way.
struct Client::Turn {
  Room& room;
  ~Turn() {
    // A waiter gets the place itself, so that nobody who comes later is before it.
    if (room.came.empty()) ++room.left;
    room.came.wake_one();
  }
};

/// One command's way to its reply.
struct Client::Attempts {
  Node* fixed = nullptr;  ///< Goes to this server whatever the slot.
  std::uint16_t slot = 0;
  Wait wait;
  Deadline give_up{};
  Node* node = nullptr;   ///< Where it went last.
  Node* asked = nullptr;  ///< Goes here next, with ASKING.
  unsigned redirects = 0;
  unsigned failures = 0;
  Backoff backoff{};
};

Client::Client(Reactor& reactor, Address address, ClientOptions options)
    : reactor_(reactor),
      address_(std::move(address)),
      options_(options),
      room_(std::make_unique<Room>()) {
  room_->left = std::max<std::size_t>(1, options_.in_flight_max);
  node_at(address_);
}

Client::~Client() { close(); }

void Client::close() noexcept {
  closed_ = true;
  for (const auto& node : nodes_) node->end("the client was closed");
}

Client::Node& Client::node_at(const Address& address) {
  const std::string endpoint = address.endpoint();
  for (const auto& node : nodes_) {
    if (node->address().endpoint() == endpoint && node->address().of_replica == address.of_replica)
      return *node;
  }
  if (nodes_.size() >= kNodesMax) {
    throw Error(ErrorKind::exhausted, "redis", "Unum.ClusterTooLarge",
                "the cluster of " + address_.endpoint() + " named more than " +
                    std::to_string(kNodesMax) + " servers");
  }
  return *nodes_.emplace_back(std::make_unique<Node>(reactor_, address, options_.connect_timeout));
}

Client::Node& Client::node_at(std::string_view host, std::uint16_t port) {
  Address address = address_;
  address.host = host;
  address.port = port;
  return node_at(address);
}

Client::Node& Client::node_of(std::uint16_t slot) {
  if (slot < slots_.size() && slots_[slot] != nullptr) return *slots_[slot];
  return *nodes_.front();
}

// --- One command --------------------------------------------------------------------------------

Task<void> Client::wait_for_room(Wait wait) {
  const int woken = co_await room_->came.wait(reactor_, wait);
  if (woken < 0) throw_wait_ended(woken, wait, "waiting for a turn at " + address_.endpoint());
}

Task<Reply> Client::send(Node* fixed, std::uint16_t slot, Arguments arguments, Wait wait) {
  if (room_->left == 0) {
    co_await wait_for_room(wait);
  } else {
    --room_->left;
  }
  const Turn turn{*room_};

  Attempts attempts{.fixed = fixed, .slot = slot, .wait = wait, .give_up = wait.deadline};
  for (;;) {
    std::optional<Error> failure;
    try {
      std::optional<Reply> reply = co_await attempt(attempts, arguments, failure);
      if (reply) co_return std::move(*reply);
    } catch (const Error& error) {
      const bool passes = error.kind() == ErrorKind::disconnected ||
                          error.kind() == ErrorKind::throttled ||
                          (error.kind() == ErrorKind::timeout && reactor_.now() < wait.deadline);
      if (!passes) throw;
      failure = error;
    }
    if (failure) co_await wait_to_retry(attempts, *failure);
  }
}

/// Sends the command once. Nothing: it is to be sent again, at once after a redirect, later after a
/// failure.
Task<std::optional<Reply>> Client::attempt(Attempts& attempts, Arguments arguments,
                                           std::optional<Error>& failure) {
  check_open();
  const Wait& wait = attempts.wait;
  const bool asking = attempts.asked != nullptr;
  Node& node = asking                      ? *std::exchange(attempts.asked, nullptr)
               : attempts.fixed != nullptr ? *attempts.fixed
                                           : node_of(attempts.slot);
  attempts.node = &node;
  std::shared_ptr<Connection> connection = node.current();
  if (!connection) connection = co_await connect(node, Wait{attempts.give_up, wait.stop});
  ++counters_.requests;
  Wait once = wait;
  once.deadline = std::min(wait.deadline, reactor_.now() + options_.request_timeout);
  const auto doing = [&node] { return "a command to " + node.address().endpoint(); };
  Outcome outcome = co_await connection->call(arguments, once, asking);
  switch (outcome.status) {
    case Outcome::Status::replied: break;
    case Outcome::Status::lost:
      failure.emplace(ErrorKind::disconnected, "redis", "Unum.Disconnected", connection->reason());
      co_return std::nullopt;
    case Outcome::Status::timed_out:
      if (once.deadline == wait.deadline) throw_wait_ended(-ETIME, wait, doing());
      node.leave();
      failure.emplace(ErrorKind::disconnected, "redis", "Unum.NoAnswer",
                      doing() + " was not answered in time");
      co_return std::nullopt;
    case Outcome::Status::cancelled: throw_wait_ended(-ECANCELED, wait, doing());
  }
  if (!outcome.reply.is_error()) co_return std::move(outcome.reply);
  if (co_await follow(attempts, outcome.reply)) co_return std::nullopt;
  const CodeKind* const known = find_code(code_of(outcome.reply));
  if (known == nullptr || !known->passes) co_return std::move(outcome.reply);
  failure = error_of(outcome.reply, node.address().endpoint());
  co_return std::nullopt;
}

Task<std::shared_ptr<Connection>> Client::connect(Node& node, Wait wait) {
  std::shared_ptr<Connection> connection = co_await node.connection(wait);
  counters_.connections += node.take_opened();
  co_return connection;
}

void Client::check_open() const {
  if (closed_) {
    throw Error(ErrorKind::cancelled, "redis", "ECANCELED",
                "the client of " + address_.endpoint() + " was closed");
  }
}

/// Delays the next attempt, or throws the failure when none is left.
Task<void> Client::wait_to_retry(Attempts& attempts, const Error& failure) {
  check_open();
  if (attempts.failures == 0) {
    attempts.give_up = std::min(attempts.give_up, reactor_.now() + options_.retry_for);
  }
  const Deadline next = reactor_.now() + attempts.backoff.delay(attempts.failures++);
  if (opening_ && failure.kind() == ErrorKind::disconnected) throw failure;
  if (next >= attempts.give_up) throw failure;
  ++counters_.retries;
  const bool came = co_await reactor_.sleep_until(next, attempts.wait.stop);
  if (!came) throw_wait_ended(-ECANCELED, attempts.wait, "a command to " + address_.endpoint());
  if (failure.code() == "READONLY") attempts.node->leave();
  if (cluster_ && attempts.fixed == nullptr) co_await learn_slots(attempts.wait);
}

/// Follows a redirect; false if the error is none.
Task<bool> Client::follow(Attempts& attempts, Reply& reply) {
  const std::optional<Redirect> redirect =
      parse_redirect(reply.text, attempts.node->address().host);
  if (!redirect || attempts.fixed != nullptr) co_return false;
  ++counters_.redirects;
  if (++attempts.redirects > kRedirectsMax) {
    throw Error(
        ErrorKind::bug, "redis", reply.error_code(),
        "the cluster of " + address_.endpoint() + " sends a command in circles: " + reply.text);
  }
  Node& to = node_at(redirect->to.host, redirect->to.port);
  if (redirect->ask) {
    attempts.asked = &to;
    co_return true;
  }
  // A server of a cluster that was opened as if it were alone tells on itself here, too.
  cluster_ = true;
  slots_.resize(kSlots, nullptr);
  co_await learn_slots(attempts.wait);
  slots_[redirect->slot] = &to;  // newer than what another server may still believe
  co_return true;
}

/// Asks any server that can be reached for who has what. Without success everything stays as it is:
/// the next redirect or retry asks again.
Task<void> Client::learn_slots(Wait wait) {
  if (reactor_.now() < learn_again_) co_return;
  learn_again_ = reactor_.now() + kLearnEvery;
  static constexpr std::array<std::string_view, 2> kCommand{"CLUSTER", "SLOTS"};
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = *nodes_[i];
    try {
      Wait once = wait;
      once.deadline = std::min(wait.deadline, reactor_.now() + options_.connect_timeout);
      const std::shared_ptr<Connection> connection = co_await connect(node, once);
      ++counters_.requests;
      const Outcome outcome = co_await connection->call(kCommand, once);
      if (outcome.status != Outcome::Status::replied || outcome.reply.is_error()) continue;
      const std::vector<SlotRange> ranges = parse_slots(outcome.reply, node.address().host);
      slots_.assign(kSlots, nullptr);
      replicas_.clear();
      for (const SlotRange& range : ranges) {
        Node& primary = node_at(range.primary.host, range.primary.port);
        if (options_.read_replicas) learn_replicas(primary, range.replicas);
        std::fill(slots_.begin() + range.first, slots_.begin() + range.last + 1, &primary);
      }
      co_return;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
    }
  }
}

// --- Replicas -----------------------------------------------------------------------------------

void Client::learn_replicas(const Node& primary, const std::vector<Place>& places) {
  for (const Place& place : places) {
    Address address = address_;
    address.host = place.host;
    address.port = place.port;
    address.of_replica = true;
    const Replica replica{&primary, &node_at(address)};
    // A primary may have many ranges of slots.
    if (std::find(replicas_.begin(), replicas_.end(), replica) == replicas_.end())
      replicas_.push_back(replica);
  }
}

/// The next one in turn that is not known to be away; null if there is none.
Client::Node* Client::next_replica(std::uint16_t slot) noexcept {
  const Node* const primary = &node_of(slot);
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const Replica& replica = replicas_[replica_turn_++ % replicas_.size()];
    if (replica.primary == primary && replica.node->rests_until <= reactor_.now())
      return replica.node;
  }
  return nullptr;
}

Task<std::optional<Reply>> Client::call_replica(std::string_view key, Arguments arguments,
                                                Wait wait) {
  Node* const node = cluster_ ? next_replica(key_slot(key)) : nullptr;
  if (node == nullptr) co_return std::nullopt;
  if (room_->left == 0) {
    co_await wait_for_room(wait);
  } else {
    --room_->left;
  }
  const Turn turn{*room_};
  Wait soon = wait;
  soon.deadline = std::min(wait.deadline, reactor_.now() + kReplicaPatience);
  try {
    check_open();
    std::shared_ptr<Connection> connection = node->current();
    if (!connection) connection = co_await connect(*node, soon);
    ++counters_.requests;
    Outcome outcome = co_await connection->call(arguments, soon);
    const bool replied = outcome.status == Outcome::Status::replied;
    if (replied && !outcome.reply.is_error()) co_return std::move(outcome.reply);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
  }
  node->rests_until = reactor_.now() + kReplicaRest;
  co_return std::nullopt;
}

// --- What callers use ---------------------------------------------------------------------------

Task<void> Client::open(Wait wait) {
  static constexpr std::array<std::string_view, 1> kInfo{"INFO"};
  struct Opening {
    bool& opening;
    ~Opening() { opening = false; }
  };
  opening_ = true;
  const Opening opening{opening_};
  Reply reply = co_await send(nodes_.front().get(), 0, kInfo, wait);
  if (reply.is_error()) throw error_of(reply, "INFO at " + address_.endpoint());
  info_ = std::move(reply.text);
  cluster_ = info("redis_mode") == "cluster" || info("cluster_enabled") == "1";
  if (!cluster_) co_return;
  slots_.assign(kSlots, nullptr);
  co_await learn_slots(wait);
}

std::string_view Client::info(std::string_view field) const noexcept {
  std::string_view rest = info_;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find("\r\n"), rest.size());
    const std::string_view line = rest.substr(0, end);
    if (line.size() > field.size() && line.starts_with(field) && line[field.size()] == ':')
      return line.substr(field.size() + 1);
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return {};
}

Task<Reply> Client::call(std::string_view key, Arguments arguments, Wait wait) {
  Reply reply = co_await send(nullptr, cluster_ ? key_slot(key) : 0, arguments, wait);
  if (reply.is_error())
    throw error_of(reply, std::string(arguments[0]) + " at " + address_.endpoint());
  co_return reply;
}

Task<void> Client::load(Script& script, Wait wait) {
  const std::array<std::string_view, 3> command{"SCRIPT", "LOAD", script.source};
  const Reply reply = co_await send(nullptr, 0, command, wait);
  if (reply.is_error()) throw error_of(reply, "SCRIPT LOAD at " + address_.endpoint());
  script.sha = reply.text;
}

Task<Reply> Client::run(const Script& script, Arguments keys, Arguments arguments, Wait wait) {
  UNUM_ASSERT(!keys.empty() && !script.sha.empty());
  const std::string count = std::to_string(keys.size());
  std::vector<std::string_view> command;
  command.reserve(3 + keys.size() + arguments.size());
  command.assign({"EVALSHA", script.sha, count});
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  const std::uint16_t slot = cluster_ ? key_slot(keys[0]) : 0;
  Reply reply = co_await send(nullptr, slot, command, wait);
  if (reply.error_code() == "NOSCRIPT") {
    // A server that was restarted or flushed, or another one of the cluster: EVAL makes it known.
    command[0] = "EVAL";
    command[1] = script.source;
    reply = co_await send(nullptr, slot, command, wait);
  }
  if (reply.is_error()) throw error_of(reply, "a script at " + address_.endpoint());
  co_return reply;
}

Task<std::vector<std::string>> Client::scan(std::string pattern, Wait wait) {
  std::vector<Node*> primaries;
  if (cluster_) co_await learn_slots(wait);
  for (Node* node : slots_) {
    if (node != nullptr && std::find(primaries.begin(), primaries.end(), node) == primaries.end())
      primaries.push_back(node);
  }
  if (primaries.empty()) primaries.push_back(nodes_.front().get());
  std::vector<std::string> keys;
  for (Node* node : primaries) {
    std::string cursor = "0";
    do {
      const std::array<std::string_view, 6> command{"SCAN",  cursor,  "MATCH",
                                                    pattern, "COUNT", kScanCount};
      Reply reply = co_await send(node, 0, command, wait);
      if (reply.is_error()) throw error_of(reply, "SCAN at " + node->address().endpoint());
      if (reply.elements.size() != 2) {
        throw Error(ErrorKind::corrupt, "redis", "Unum.RedisProtocol",
                    "the reply of SCAN at " + node->address().endpoint() + " is none");
      }
      for (Reply& key : reply.elements[1].elements) keys.push_back(std::move(key.text));
      cursor = reply.elements[0].text;
    } while (cursor != "0");
  }
  co_return keys;
}

}  // namespace unum::redis
