// Routing, and asking again for what a server cannot answer now.
#include "reactor/redis/client.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/log.hpp"
#include "reactor/redis/client_impl.hpp"
#include "reactor/redis/slots.hpp"
#include "unum/assert.hpp"
#include "unum/task_group.hpp"

namespace unum::redis {
namespace {

// Redirects in a row: a slot moves once; more is a cluster that contradicts itself.
constexpr unsigned kRedirectsMax = 16;
// Servers that a client may come to know; the largest clusters in use have 1,000.
constexpr std::size_t kNodesMax = 2'048;
// How often a command that waits for a silent server checks where its slot is by now.
constexpr auto kCheckEvery = std::chrono::milliseconds(500);
// What passes sooner is told to nobody, and what lasts at most this often.
constexpr auto kTellAfter = std::chrono::seconds(1);
constexpr auto kTellEvery = std::chrono::seconds(5);

struct CodeKind {
  std::string_view code;
  ErrorKind kind;
  bool passes;  ///< Trying again later may help.
  bool demoted = false;
};
constexpr std::array<CodeKind, 15> kCodes = {{
    {"LOADING", ErrorKind::throttled, true},
    {"BUSY", ErrorKind::throttled, true},
    {"TRYAGAIN", ErrorKind::throttled, true},
    {"CLUSTERDOWN", ErrorKind::throttled, true},
    {"MASTERDOWN", ErrorKind::throttled, true},
    {"NOREPLICAS", ErrorKind::throttled, true},
    {"READONLY", ErrorKind::denied, true, true},  // a primary that became a replica
    {"NOAUTH", ErrorKind::denied, false},
    {"WRONGPASS", ErrorKind::denied, false},
    {"NOPERM", ErrorKind::denied, false},
    {"DENIED", ErrorKind::denied, false},
    {"OOM", ErrorKind::exhausted, false},
    {"MISCONF", ErrorKind::exhausted, false},
    {"WRONGTYPE", ErrorKind::corrupt, false},
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

/// "60 s", "200 ms".
std::string readable(std::chrono::milliseconds time) {
  const bool whole = time.count() % 1000 == 0;
  return whole ? std::to_string(time.count() / 1000) + " s" : std::to_string(time.count()) + " ms";
}

}  // namespace

Error connection_lost(std::string reason) {
  return Error(ErrorKind::disconnected, "redis", "Unum.Disconnected", std::move(reason));
}

Error no_answer(std::string message) {
  return Error(ErrorKind::disconnected, "redis", "Unum.NoAnswer", std::move(message));
}

Error error_of(const Reply& reply, std::string_view what) {
  const std::string_view code = code_of(reply);
  const CodeKind* const known = find_code(code);
  return Error(known != nullptr ? known->kind : ErrorKind::bug, "redis", code,
               std::string(what) + ": " + reply.text);
}

Client::Client(Reactor& reactor, std::vector<Address> named, ClientOptions options)
    : reactor_(reactor),
      named_(std::move(named)),
      options_(std::move(options)),
      gate_(reactor),
      room_{std::max<std::size_t>(1, options_.in_flight_max)} {
  UNUM_ASSERT(!named_.empty());
  for (const Address& address : named_) node_at(address);
  spokesman_ = nodes_.front().get();
}

Client::~Client() { close(); }

void Client::close() noexcept {
  gate_.shut();
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
                "the cluster of " + endpoints() + " named more than " + std::to_string(kNodesMax) +
                    " servers");
  }
  const NodePatience patience{options_.connect_timeout, options_.silence};
  return *nodes_.emplace_back(std::make_unique<Node>(reactor_, address, patience));
}

Client::Node& Client::node_at(std::string_view host, std::uint16_t port) {
  Address address = named_.front();
  address.host = host;
  address.port = port;
  return node_at(address);
}

Client::Node& Client::node_of(std::uint16_t slot) {
  if (slot < slots_.size() && slots_[slot] != nullptr) return *slots_[slot];
  return *spokesman_;
}

std::string Client::endpoints() const {
  std::string text;
  for (const Address& address : named_) text += (text.empty() ? "" : ", ") + address.endpoint();
  return text;
}

// --- One command --------------------------------------------------------------------------------

Task<void> Client::wait_for_room(Wait wait) {
  const int woken = co_await room_.came.wait(reactor_, wait);
  if (woken < 0) throw_wait_ended(woken, wait, "waiting for a turn at " + endpoints());
}

Gate::Pass Client::enter() {
  check_open();
  return gate_.enter();
}

Task<Reply> Client::send(Node* fixed, std::uint16_t slot, Arguments arguments, Wait wait) {
  Gate::Pass pass = enter();
  if (room_.left == 0) {
    co_await wait_for_room(wait);
  } else {
    --room_.left;
  }
  const Turn turn(room_, std::move(pass));
  Attempts attempts{.fixed = fixed, .slot = slot, .wait = wait, .give_up = wait.deadline};
  co_return co_await persist(std::move(attempts), arguments);
}

/// Attempts until one succeeds or no more are worth it.
Task<Reply> Client::persist(Attempts attempts, Arguments arguments) {
  const Wait wait = attempts.wait;
  for (;;) {
    std::optional<Error> failure;
    attempts.unanswered = attempts.demoted = false;
    try {
      std::optional<Reply> reply = co_await attempt(attempts, arguments, failure);
      if (reply) co_return std::move(*reply);
    } catch (const Error& error) {
      const bool unanswered = error.kind() == ErrorKind::timeout && reactor_.now() < wait.deadline;
      const bool passes = error.kind() == ErrorKind::disconnected ||
                          error.kind() == ErrorKind::throttled || unanswered;
      if (!passes) throw;
      failure = error;
      // It was our own time that was up, not the caller's.
      if (unanswered) failure = no_answer(error.message());
      attempts.unanswered = unanswered;
    }
    if (!failure) continue;
    // What cut the last attempt short says less than the failure before it.
    if (attempts.unanswered && attempts.last && reactor_.now() >= attempts.give_up)
      failure = attempts.last;
    attempts.last = failure;
    co_await wait_to_retry(attempts, *failure);
  }
}

Wait Client::wait_of_attempt(const Wait& wait, Deadline give_up) noexcept {
  // Patience that is shorter than a request's time is a request's time.
  const auto time = std::min(options_.request_timeout, options_.patience);
  return {std::min(give_up, reactor_.now() + time), wait.stop};
}

CallSettings Client::settings_of_attempt(bool asking) noexcept {
  return {.asking = asking, .bounds = bounds_, .check_at = reactor_.now() + options_.silence};
}

/// Sends the command once. Nothing: it is to be sent again, at once after a redirect, later after a
/// failure.
Task<std::optional<Reply>> Client::attempt(Attempts& attempts, Arguments arguments,
                                           std::optional<Error>& failure) {
  const Wait& wait = attempts.wait;
  const bool asking = attempts.asked != nullptr;
  std::shared_ptr<Connection> connection;
  std::optional<Call> own;
  Call* call = std::exchange(attempts.begun, nullptr);
  if (call == nullptr) {
    check_open();
    if (asking) {
      attempts.node = std::exchange(attempts.asked, nullptr);
    } else {
      attempts.node = attempts.fixed != nullptr ? attempts.fixed : &node_of(attempts.slot);
    }
    connection = attempts.node->current();
    if (!connection) connection = co_await connect(*attempts.node, {attempts.give_up, wait.stop});
    ++counters_.requests;
    call = &own.emplace(*connection, arguments, wait_of_attempt(wait, attempts.give_up),
                        settings_of_attempt(asking));
  }
  Node& node = *attempts.node;
  const auto doing = [&node] { return "a command to " + node.address().endpoint(); };
  struct Abandon {
    Call& call;
    ~Abandon() { call.abandon(); }
  };
  const Abandon at_the_end{*call};  // also of one that lives on in the command
  Outcome outcome = co_await *call;
  while (outcome.status == Outcome::Status::waiting) {
    const bool moved = co_await has_moved(attempts, call->connection(), asking);
    if (moved) co_return std::nullopt;
    call->check_again_at(reactor_.now() + kCheckEvery);
    outcome = co_await *call;
  }
  switch (outcome.status) {
    case Outcome::Status::waiting:
    case Outcome::Status::replied: break;
    case Outcome::Status::lost:
      failure = connection_lost(call->connection().reason());
      co_return std::nullopt;
    case Outcome::Status::refused: throw ReplyTooLarge(outcome.reply.text);
    case Outcome::Status::timed_out:
      if (call->deadline() == wait.deadline) throw_wait_ended(-ETIME, wait, doing());
      node.leave();
      failure = no_answer(doing() + " was not answered in time");
      attempts.unanswered = true;
      co_return std::nullopt;
    case Outcome::Status::cancelled: throw_wait_ended(-ECANCELED, wait, doing());
  }
  if (!outcome.reply.is_error()) co_return std::move(outcome.reply);
  const bool followed = co_await follow(attempts, outcome.reply);
  if (followed) co_return std::nullopt;
  const CodeKind* const known = find_code(code_of(outcome.reply));
  if (known == nullptr || !known->passes) co_return std::move(outcome.reply);
  failure = error_of(outcome.reply, node.address().endpoint());
  attempts.demoted = known->demoted;
  co_return std::nullopt;
}

/// Asks the cluster, while a server is silent, whether another one has the slot by now. The command
/// is sent to that one then: it may take effect twice, as after every lost connection.
Task<bool> Client::has_moved(Attempts& attempts, const Connection& connection, bool asking) {
  if (!connection.stalled(reactor_.now(), options_.silence)) co_return false;
  if (attempts.troubled_since == Deadline{})
    attempts.troubled_since = reactor_.now() - options_.silence;
  tell_waiting(attempts, attempts.node->address().endpoint() + " does not answer");
  if (!cluster_ || asking || attempts.fixed != nullptr) co_return false;
  co_await learn_slots(attempts.wait);
  if (&node_of(attempts.slot) == attempts.node) co_return false;
  begin_patience(attempts);
  ++counters_.followed;
  co_return true;
}

Task<std::shared_ptr<Connection>> Client::connect(Node& node, Wait wait) {
  std::shared_ptr<Connection> connection = co_await node.connection(wait);
  counters_.connections += node.take_opened();
  co_return connection;
}

void Client::check_open() const {
  if (gate_.is_closed()) {
    throw Error(ErrorKind::cancelled, "redis", "ECANCELED",
                "the client of " + endpoints() + " was closed");
  }
}

void Client::begin_patience(Attempts& attempts) noexcept {
  if (attempts.failures++ > 0) return;
  if (attempts.troubled_since == Deadline{}) attempts.troubled_since = reactor_.now();
  attempts.give_up = std::min(attempts.give_up, reactor_.now() + options_.patience);
}

/// Delays the next attempt, or throws the failure when none is left.
Task<void> Client::wait_to_retry(Attempts& attempts, const Error& failure) {
  check_open();
  const Deadline next =
      reactor_.now() + kBackoff.pause(attempts.failures, reactor_.random_fraction());
  begin_patience(attempts);
  if (opening_ && failure.kind() == ErrorKind::disconnected) throw failure;
  if (next >= attempts.give_up) {
    if (attempts.give_up == attempts.wait.deadline) throw failure;
    throw Error(failure.kind(), failure.origin(), failure.code(),
                failure.message() + " (waited for " + readable(options_.patience) +
                    " from the first failure on)");
  }
  ++counters_.retries;
  log::debug(LogArea::redis, "a command to {} failed ({}); sent again", endpoints(),
             failure.code());
  tell_waiting(attempts, failure.message());
  const bool came = co_await reactor_.sleep_until(next, attempts.wait.stop);
  if (!came) throw_wait_ended(-ECANCELED, attempts.wait, "a command to " + endpoints());
  if (attempts.demoted) attempts.node->leave();  // and ask for the new primary
  if (cluster_ && attempts.fixed == nullptr) co_await learn_slots(attempts.wait);
}

void Client::tell_waiting(const Attempts& attempts, std::string_view why) {
  const Deadline now = reactor_.now();
  if (!options_.waiting || now - attempts.troubled_since < kTellAfter || now < tell_again_) return;
  tell_again_ = now + kTellEvery;
  const auto waited =
      std::chrono::duration_cast<std::chrono::seconds>(now - attempts.troubled_since);
  options_.waiting(std::string(why) + "; waited for " + readable(waited) + " so far, at most " +
                   readable(options_.patience));
}

/// Follows a redirect; false if the error is none.
Task<bool> Client::follow(Attempts& attempts, Reply& reply) {
  const std::optional<Redirect> redirect =
      parse_redirect(reply.text, attempts.node->address().host);
  if (!redirect || attempts.fixed != nullptr) co_return false;
  ++counters_.redirects;
  if (++attempts.redirects > kRedirectsMax) {
    throw Error(ErrorKind::bug, "redis", reply.error_code(),
                "the cluster of " + endpoints() + " sends a command in circles: " + reply.text);
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

// --- What callers use ---------------------------------------------------------------------------

/// The first good answer of those that were named.
struct Client::FirstAnswer {
  explicit FirstAnswer(StopToken parent) : stop(parent) {}
  StopSource stop;
  std::optional<Reply> reply;
  std::optional<Error> error;  ///< The first one.
};

Task<void> Client::ask_about_one(Node& node, FirstAnswer& answer, Deadline deadline) {
  static constexpr std::array<std::string_view, 1> kInfo{"INFO"};
  const Wait until{deadline, answer.stop.token()};
  try {
    Reply reply = co_await send(&node, 0, kInfo, until);
    if (answer.reply) co_return;
    if (reply.is_error()) throw error_of(reply, "INFO at " + node.address().endpoint());
    answer.reply = std::move(reply);
    spokesman_ = &node;
    answer.stop.request("another server has answered");
  } catch (const Error& error) {
    if (!answer.error) answer.error = error;
  }
}

Task<Reply> Client::ask_about(Wait wait) {
  FirstAnswer answer(wait.stop);
  TaskGroup questions;
  // Nothing else is known yet, and one that is named twice is one node.
  const std::size_t named = nodes_.size();
  for (std::size_t i = 0; i < named; ++i)
    questions.spawn(ask_about_one(*nodes_[i], answer, wait.deadline));
  co_await questions.drain();
  if (!answer.reply) throw *answer.error;
  co_return std::move(*answer.reply);
}

Task<void> Client::open(Wait wait) {
  struct Opening {
    Client& client;
    const ReplyBounds* bounds;
    ~Opening() {
      client.opening_ = false;
      client.bounds_ = bounds;
    }
  };
  const Opening opening{*this, bounds_};
  opening_ = true;
  bounds_ = &kAboutReply;
  Reply reply = co_await ask_about(wait);
  info_ = std::move(reply.text);
  if (info("redis_mode") == "sentinel") {
    throw Error(ErrorKind::invalid, "redis", "Unum.Sentinel",
                spokesman_->address().endpoint() +
                    " is a Sentinel, which keeps no values; name the primary that it watches "
                    "(sentinel get-master-addr-by-name NAME tells it)");
  }
  cluster_ = info("redis_mode") == "cluster" || info("cluster_enabled") == "1";
  if (!cluster_) {
    if (named_.size() == 1) co_return;
    throw Error(ErrorKind::invalid, "redis", "Unum.NotACluster",
                spokesman_->address().endpoint() +
                    " is a server by itself: only servers of one cluster are named together");
  }
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

Client::Command Client::call(std::string_view key, Arguments arguments, const Wait& wait) noexcept {
  return {*this, slot_of(key), arguments, wait, Command::Errors::thrown};
}

Task<std::shared_ptr<Connection>> Client::connection(std::string_view key, Wait wait) {
  check_open();
  return connect(node_of(slot_of(key)), wait);
}

Task<void> Client::load(Script& script, Wait wait) {
  const std::array<std::string_view, 3> command{"SCRIPT", "LOAD", script.source};
  const Reply reply = co_await send(nullptr, 0, command, wait);
  if (reply.is_error()) throw error_of(reply, "SCRIPT LOAD at " + endpoints());
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
  const std::uint16_t slot = slot_of(keys[0]);
  Reply reply = co_await Command(*this, slot, command, wait, Command::Errors::given);
  if (reply.error_code() == "NOSCRIPT") {
    // A server that was restarted or flushed, or another one of the cluster: EVAL makes it known.
    command[0] = "EVAL";
    command[1] = script.source;
    reply = co_await Command(*this, slot, command, wait, Command::Errors::given);
  }
  if (reply.is_error()) throw error_of(reply, "a script at " + endpoints());
  co_return reply;
}

}  // namespace unum::redis
