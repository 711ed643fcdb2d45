// Which server of a cluster has what: asking for the topology, replicas, all primaries.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/limits.hpp"
#include "reactor/redis/client_impl.hpp"
#include "reactor/redis/slots.hpp"
#include "unum/task_group.hpp"

namespace unum::redis {
namespace {

// The topology is asked for at most this often.
constexpr auto kLearnEvery = std::chrono::milliseconds(100);
// Servers that are asked together: a small cluster whole, of a large one a part, another one each
// time.
constexpr std::size_t kAskedMax = 16;
// How long the others are waited for behind the first good answer, unless most have answered.
constexpr auto kOthersWait = std::chrono::milliseconds(300);
// A read waits for a replica for so long; the primary is asked then. One that did not answer is let
// alone for a while: its reads cost the primary what they would without it.
constexpr auto kReplicaPatience = std::chrono::seconds(2);
constexpr auto kReplicaRest = std::chrono::seconds(10);
// Keys that a SCAN looks at in one round trip: about a millisecond of the server.
constexpr std::string_view kScanCount = "1000";

/// "cluster_current_epoch:7" of CLUSTER INFO; 0 if it is not told (the user may not ask).
std::uint64_t epoch_of(std::string_view text) {
  constexpr std::string_view kField = "cluster_current_epoch:";
  const std::size_t at = text.find(kField);
  if (at == std::string_view::npos) return 0;
  std::uint64_t epoch = 0;
  text.remove_prefix(at + kField.size());
  std::from_chars(text.data(), text.data() + text.size(), epoch);
  return epoch;
}

}  // namespace

// --- The topology -------------------------------------------------------------------------------

/// What servers believe. Elections raise the epoch, and whoever was cut off from them has an older
/// one: the highest counts, and of equal ones what most believe.
struct Client::View {
  std::uint64_t epoch = 0;
  std::vector<SlotRange> ranges;
  std::size_t votes = 0;
  Node* told_by = nullptr;  ///< The first.
};

/// The same question to several servers.
struct Client::Round {
  explicit Round(StopToken parent) : stop(parent) {}
  StopSource stop;
  detail::WaitList came;  ///< An answer, or the failure to get one.
  std::size_t asked = 0;
  std::size_t ended = 0;
  std::size_t answered = 0;
  std::vector<View> views;

  void add(View view) {
    ++answered;
    const auto same = [&](const View& each) {
      return each.epoch == view.epoch && each.ranges == view.ranges;
    };
    const auto known = std::find_if(views.begin(), views.end(), same);
    ++(known == views.end() ? views.emplace_back(std::move(view)) : *known).votes;
  }
  bool is_enough() const noexcept { return ended == asked || answered > asked / 2; }
  const View& best() const {
    return *std::max_element(views.begin(), views.end(), [](const View& a, const View& b) {
      return std::pair(a.epoch, a.votes) < std::pair(b.epoch, b.votes);
    });
  }
};

/// Learns who has what. One command asks, the others wait for it. Without success everything stays
/// as it is: the next redirect or retry asks again.
Task<void> Client::learn_slots(Wait wait) {
  if (learning_) {
    const int woken = co_await learnt_.wait(reactor_, wait);
    if (woken < 0) throw_wait_ended(woken, wait, "asking the cluster of " + endpoints());
    co_return;
  }
  if (reactor_.now() < learn_again_) co_return;
  struct Learning {
    Client& client;
    ~Learning() {
      client.learning_ = false;
      client.learn_again_ = client.reactor_.now() + kLearnEvery;
      client.learnt_.wake_all();
    }
  };
  learning_ = true;
  const Learning learning{*this};
  co_await ask_cluster(wait);
}

/// The servers that were named, those that have slots, then the others, all once.
std::vector<Client::Node*> Client::whom_to_ask() {
  std::vector<Node*> asked;
  const auto add = [&](Node* node) {
    if (node == nullptr || node->address().of_replica || asked.size() >= kAskedMax) return;
    if (std::find(asked.begin(), asked.end(), node) == asked.end()) asked.push_back(node);
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    // In a large cluster others each time.
    const bool all = nodes_.size() <= kAskedMax;
    add(nodes_[all ? i : question_turn_++ % nodes_.size()].get());
  }
  return asked;
}

Task<void> Client::ask_cluster(Wait wait) {
  const Deadline last = std::min(wait.deadline, reactor_.now() + options_.connect_timeout);
  const std::vector<Node*> asked = whom_to_ask();
  Round round(wait.stop);
  round.asked = asked.size();
  TaskGroup questions;
  for (Node* node : asked) questions.spawn(ask_topology(*node, round, last));
  Deadline until = last;
  while (!round.is_enough()) {
    if (round.answered > 0) until = std::min(until, reactor_.now() + kOthersWait);
    const Wait for_others{until, wait.stop};
    const int woken = co_await round.came.wait(reactor_, for_others);
    if (woken < 0) break;
  }
  round.stop.request("enough servers have answered");
  co_await questions.drain();
  if (wait.stop.stop_requested())
    throw_wait_ended(-ECANCELED, wait, "asking the cluster of " + endpoints());
  if (!round.views.empty()) take(round.best());
}

/// One server's part of a round. Throws nothing.
Task<void> Client::ask_topology(Node& node, Round& round, Deadline deadline) {
  static constexpr std::array<std::string_view, 2> kSlotsCommand{"CLUSTER", "SLOTS"};
  static constexpr std::array<std::string_view, 2> kInfoCommand{"CLUSTER", "INFO"};
  const Wait wait{deadline, round.stop.token()};
  try {
    const std::optional<Reply> slots = co_await ask_once(node, kSlotsCommand, wait);
    if (slots) {
      View view;
      view.told_by = &node;
      view.ranges = parse_slots(*slots, node.address().host);
      if (round.asked > 1) {
        const std::optional<Reply> about = co_await ask_once(node, kInfoCommand, wait);
        if (about) view.epoch = epoch_of(about->text);
      }
      round.add(std::move(view));
    }
  } catch (const Error&) {
    // It is away, or tells nonsense: the others are asked, too.
  }
  ++round.ended;
  round.came.wake_all();
}

Task<std::optional<Reply>> Client::ask_once(Node& node, Arguments arguments, Wait wait) {
  std::shared_ptr<Connection> connection = node.current();
  if (!connection) connection = co_await connect(node, wait);
  ++counters_.requests;
  const CallSettings settings{.bounds = &kAboutReply};
  Outcome outcome = co_await connection->call(arguments, wait, settings);
  if (outcome.status != Outcome::Status::replied || outcome.reply.is_error())
    co_return std::nullopt;
  co_return std::move(outcome.reply);
}

void Client::take(const View& view) {
  slots_.assign(kSlots, nullptr);
  replicas_.clear();
  spokesman_ = view.told_by;
  for (const SlotRange& range : view.ranges) {
    Node& primary = node_at(range.primary.host, range.primary.port);
    if (options_.read_replicas) learn_replicas(primary, range.replicas);
    std::fill(slots_.begin() + range.first, slots_.begin() + range.last + 1, &primary);
    // Whoever takes over is asked who has what, too.
    for (const Place& replica : range.replicas) node_at(replica.host, replica.port);
  }
}

// --- Replicas -----------------------------------------------------------------------------------

void Client::learn_replicas(const Node& primary, const std::vector<Place>& places) {
  for (const Place& place : places) {
    Address address = named_.front();
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
  Gate::Pass pass = enter();
  if (room_.left == 0) {
    co_await wait_for_room(wait);
  } else {
    --room_.left;
  }
  const Turn turn(room_, std::move(pass));
  Wait soon = wait;
  soon.deadline = std::min(wait.deadline, reactor_.now() + kReplicaPatience);
  try {
    check_open();
    std::shared_ptr<Connection> connection = node->current();
    if (!connection) connection = co_await connect(*node, soon);
    ++counters_.requests;
    const CallSettings settings{.bounds = bounds_};
    Outcome outcome = co_await connection->call(arguments, soon, settings);
    const bool replied = outcome.status == Outcome::Status::replied;
    if (replied && !outcome.reply.is_error()) co_return std::move(outcome.reply);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
  }
  node->rests_until = reactor_.now() + kReplicaRest;
  co_return std::nullopt;
}

// --- All keys -----------------------------------------------------------------------------------

Task<std::vector<std::string>> Client::scan(std::string pattern, Wait wait) {
  std::vector<Node*> primaries;
  if (cluster_) co_await learn_slots(wait);
  for (Node* node : slots_) {
    if (node != nullptr && std::find(primaries.begin(), primaries.end(), node) == primaries.end())
      primaries.push_back(node);
  }
  if (primaries.empty()) primaries.push_back(spokesman_);
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
      if (keys.size() > kRedisScanKeysMax) {
        throw Error(ErrorKind::exhausted, "redis", "Unum.TooManyKeys",
                    node->address().endpoint() + " has more than " +
                        std::to_string(kRedisScanKeysMax) + " keys that match " + pattern);
      }
      cursor = reply.elements[0].text;
    } while (cursor != "0");
  }
  co_return keys;
}

}  // namespace unum::redis
