// The queue's commands. See queue.hpp.
#include "hosts/redis_streams/queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "hosts/redis_streams/scripts.hpp"
#include "reactor/redis/address.hpp"
#include "unum/task_group.hpp"

namespace unum::streams {
namespace {

using redis::Reply;

/// Dead letters are for people: the newest are enough, and nobody is waiting for them.
constexpr std::string_view kDeadKept = "10000";
/// Messages that one call of the script moves: it blocks the server for about a millisecond.
constexpr std::string_view kDueAtOnce = "200";
/// Longer than any lease: what a consumer that leaves still has is everybody's.
constexpr std::string_view kIdleForEver = "86400000";
/// A command of a delivery that has no reply after this long goes by a new link.
constexpr std::chrono::seconds kLinkTimeout{10};
constexpr std::chrono::seconds kReadMargin{10};

std::vector<redis::Address> addresses_of(std::string_view name) {
  std::vector<redis::Address> addresses = redis::parse_addresses(name);
  for (redis::Address& address : addresses) redis::add_environment(address);
  return addresses;
}

redis::ClientOptions client_options(const QueueOptions& options, std::string_view name) {
  redis::ClientOptions chosen;
  chosen.patience = options.patience;
  if (options.waiting) {
    chosen.waiting = [tell = options.waiting,
                      shown = redis::without_secret(name)](std::string_view why) {
      tell("the queue redis:" + shown + ": " + std::string(why));
    };
  }
  return chosen;
}

/// The same, silent: the other client tells the same.
redis::ClientOptions reader_options(const QueueOptions& options) {
  redis::ClientOptions chosen;
  chosen.patience = options.patience;
  return chosen;
}

std::string number(std::int64_t value) { return std::to_string(value); }

std::string ms_of(WallTime time) {
  return number(std::chrono::ceil<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

/// A braced part is what a cluster hashes: it must be the whole name.
std::string tagged(std::string_view application) {
  std::string key = "unum-queue:{";
  for (const char c : application) {
    if (c == '{' || c == '}' || c == '%') {
      key += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      key += c;
    }
  }
  return key + "}";
}

Message message_of(Reply& fields) {
  Message message;
  for (std::size_t i = 0; i + 1 < fields.elements.size(); i += 2) {
    take_field(message, fields.elements[i].text, std::move(fields.elements[i + 1].text));
  }
  return message;
}

/// Entries as XREADGROUP and XRANGE reply them; those that were removed meanwhile have no fields.
std::vector<Entry> entries_of(Reply& list) {
  std::vector<Entry> entries;
  for (Reply& each : list.elements) {
    if (each.elements.size() < 2 || each.elements[1].is_nil()) continue;
    Entry entry;
    entry.id = std::move(each.elements[0].text);
    entry.message = message_of(each.elements[1]);
    if (each.elements.size() > 2) {
      entry.deliveries = static_cast<unsigned>(each.elements[2].integer);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// Another server has the queue now, or will: what was done before may be unknown to it.
bool is_of_another_server(std::string_view code) noexcept {
  constexpr std::array<std::string_view, 8> kCodes = {
      "MOVED", "ASK", "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOGROUP"};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

/// A script passes on what its command was told, in 6.2 inside a text of its own.
bool is_no_group(std::string_view text) noexcept {
  return text.find("NOGROUP") != std::string_view::npos;
}

std::int64_t field_of(const Reply& pairs, std::string_view name) noexcept {
  for (std::size_t i = 0; i + 1 < pairs.elements.size(); i += 2) {
    if (pairs.elements[i].text == name) return pairs.elements[i + 1].integer;
  }
  return 0;
}

/// "major.minor" as a number to compare; a server that does not say it is new enough.
int version_of(std::string_view text) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(std::string(text).c_str(), "%d.%d", &major, &minor) < 1) return 1'000'000;
  return major * 1000 + minor;
}

}  // namespace

LinkLost::LinkLost(std::string_view why)
    : Error(ErrorKind::disconnected, "redis", "Unum.LinkLost",
            "the connection to the queue was lost: " + std::string(why)) {}

QueueKeys::QueueKeys(std::string_view application)
    : stream(tagged(application)), delayed(stream + ":delayed"), dead(stream + ":dead") {}

Queue::Queue(Reactor& reactor, std::string_view name, std::string_view application,
             QueueOptions options)
    : reactor_(reactor),
      name_(redis::without_secret(name)),
      keys_(application),
      options_(std::move(options)),
      client_(reactor, addresses_of(name), client_options(options_, name)),
      reader_(reactor, addresses_of(name), reader_options(options_)),
      group_{kGroupScript},
      settle_{kSettleScript},
      beat_{kBeatScript},
      take_{kTakeScript},
      due_{kDueScript},
      submit_{kSubmitScript},
      lengths_{kLengthsScript},
      leave_{kLeaveScript},
      sweep_{kSweepScript} {}

Queue::~Queue() = default;

void Queue::warn(std::string_view text) const {
  if (options_.warn) options_.warn(text);
}

Task<void> Queue::open(Wait wait) {
  try {
    co_await client_.open(wait);
    co_await reader_.open(wait);
    if (client_.info("role") == "slave" && !client_.cluster()) {
      throw Error(ErrorKind::denied, "redis", "READONLY",
                  "it is a read-only replica of " + std::string(client_.info("master_host")) + ":" +
                      std::string(client_.info("master_port")) + "; name the primary");
    }
    constexpr int kOldest = 6002;
    if (version_of(client_.info("redis_version")) < kOldest) {
      throw Error(ErrorKind::invalid, "redis", "Unum.RedisVersion",
                  "its version is " + std::string(client_.info("redis_version")) +
                      "; a queue needs 6.2 or newer");
    }
    const std::array<redis::Script*, 9> scripts{&group_,  &settle_,  &beat_,  &take_, &due_,
                                                &submit_, &lengths_, &leave_, &sweep_};
    for (redis::Script* script : scripts) co_await client_.load(*script, wait);
    co_await make_group(wait);
  } catch (const Error& error) {
    const bool absent = error.kind() == ErrorKind::disconnected;
    throw Error(absent ? ErrorKind::not_found : error.kind(), "redis",
                absent ? "Unum.NoSuchQueue" : error.code(),
                "the queue redis:" + name_ +
                    (absent ? " cannot be reached: " : " cannot be opened: ") + error.message());
  }
  warn_of_settings();
}

void Queue::warn_of_settings() const {
  const std::string_view policy = client_.info("maxmemory_policy");
  if (!policy.empty() && policy != "noeviction") {
    warn(
        fmt::format("the queue redis:{} may be evicted when the server's memory is full "
                    "(maxmemory-policy {}): its messages would vanish; set maxmemory-policy "
                    "noeviction",
                    name_, policy));
  }
  if (client_.info("aof_enabled") == "0") {
    warn(
        fmt::format("the queue redis:{} keeps no append-only file (appendonly no): messages that "
                    "are not in its last snapshot are lost when it restarts; set appendonly yes",
                    name_));
  }
}

Task<void> Queue::make_group(Wait wait) {
  const std::array<std::string_view, 3> keys{keys_.stream, keys_.delayed, keys_.dead};
  const std::array<std::string_view, 1> arguments{kGroup};
  co_await client_.run(group_, keys, arguments, wait);
}

Task<void> Queue::remake_group(Wait wait) {
  warn(
      fmt::format("the queue redis:{} has lost its stream {} or the group: it was emptied, or "
                  "restarted without what it had; messages are lost, and unum resume finishes "
                  "their sessions",
                  name_, keys_.stream));
  co_await make_group(wait);
}

void Queue::close() noexcept {
  link_.reset();
  client_.close();
  reader_.close();
}

// --- By a client that sends again -----------------------------------------------------------

Task<Reply> Queue::run(const redis::Script& script, Arguments arguments, Wait wait) {
  const std::array<std::string_view, 3> keys{keys_.stream, keys_.delayed, keys_.dead};
  std::optional<Error> no_group;
  try {
    co_return co_await client_.run(script, keys, arguments, wait);
  } catch (const Error& error) {
    if (!is_no_group(error.message())) throw;
    no_group = error;
  }
  co_await remake_group(wait);
  co_return co_await client_.run(script, keys, arguments, wait);
}

Task<bool> Queue::submit(const Message& message, std::size_t length_max, Wait wait) {
  const Fields fields = fields_of(message);
  const std::string most = std::to_string(length_max);
  Arguments arguments{most};
  for (const auto& [name, value] : fields) arguments.insert(arguments.end(), {name, value});
  const Reply reply = co_await run(submit_, std::move(arguments), wait);
  co_return !reply.is_nil();
}

Task<std::vector<Entry>> Queue::read(std::string_view consumer, std::size_t count,
                                     std::chrono::milliseconds block, Wait wait) {
  const std::string most = std::to_string(count);
  const std::string time = number(block.count());
  const std::array<std::string_view, 11> command{"XREADGROUP", "GROUP",      kGroup,  consumer,
                                                 "COUNT",      most,         "BLOCK", time,
                                                 "STREAMS",    keys_.stream, ">"};
  wait.deadline = std::min(wait.deadline, reactor_.now() + block + kReadMargin);
  std::optional<Error> failure;
  Reply reply;
  try {
    reply = co_await reader_.call(keys_.stream, command, wait);
  } catch (const Error& error) {
    if (!is_no_group(error.message())) throw;
    failure = error;
  }
  if (failure) {
    co_await remake_group(wait);
    co_return std::vector<Entry>();
  }
  if (reply.elements.empty() || reply.elements[0].elements.size() < 2) {
    co_return std::vector<Entry>();
  }
  co_return entries_of(reply.elements[0].elements[1]);
}

Task<std::vector<Entry>> Queue::take(std::string_view consumer, std::chrono::milliseconds lease,
                                     std::string& cursor, std::size_t count, Wait wait) {
  const std::string time = number(lease.count());
  const std::string most = std::to_string(count);
  const std::string from = cursor;
  Arguments arguments{kGroup, consumer, time, from, most};
  Reply reply = co_await run(take_, std::move(arguments), wait);
  if (reply.elements.size() < 3) co_return std::vector<Entry>();
  cursor = reply.elements[0].text;
  if (!reply.elements[2].elements.empty()) {
    warn(
        fmt::format("{} messages of the queue redis:{} were removed from {} by somebody else "
                    "while they were worked on",
                    reply.elements[2].elements.size(), name_, keys_.stream));
  }
  co_return entries_of(reply.elements[1]);
}

Task<std::vector<std::string>> Queue::beat(std::string_view consumer,
                                           std::span<const std::string> entries, Wait wait) {
  Arguments arguments{kGroup, consumer};
  arguments.insert(arguments.end(), entries.begin(), entries.end());
  Reply reply = co_await run(beat_, std::move(arguments), wait);
  std::vector<std::string> lost;
  for (Reply& entry : reply.elements) lost.push_back(std::move(entry.text));
  co_return lost;
}

Task<std::optional<std::chrono::milliseconds>> Queue::move_due(Wait wait) {
  Arguments arguments{kDueAtOnce, kDeadKept};
  const Reply reply = co_await run(due_, std::move(arguments), wait);
  if (reply.elements.size() < 2 || reply.elements[1].integer < 0) co_return std::nullopt;
  co_return std::chrono::milliseconds(reply.elements[1].integer);
}

Task<void> Queue::leave(std::string_view consumer, Wait wait) {
  Arguments arguments{kGroup, consumer, kIdleForEver};
  co_await run(leave_, std::move(arguments), wait);
}

Task<std::size_t> Queue::sweep(std::chrono::milliseconds silent, Wait wait) {
  const std::string time = number(silent.count());
  Arguments arguments{kGroup, time};
  const Reply reply = co_await run(sweep_, std::move(arguments), wait);
  co_return static_cast<std::size_t>(reply.integer);
}

/// Who has entries; their total.
Task<void> Queue::ask_consumers(QueueStatus& status, Wait wait) {
  const std::array<std::string_view, 4> command{"XINFO", "CONSUMERS", keys_.stream, kGroup};
  const Reply consumers = co_await client_.call(keys_.stream, command, wait);
  for (const Reply& each : consumers.elements) {
    QueueStatus::Consumer consumer;
    for (std::size_t i = 0; i + 1 < each.elements.size(); i += 2) {
      if (each.elements[i].text == "name") consumer.name = each.elements[i + 1].text;
    }
    consumer.entries = static_cast<std::size_t>(field_of(each, "pending"));
    consumer.idle = std::chrono::milliseconds(field_of(each, "idle"));
    status.pending += consumer.entries;
    status.consumers.push_back(std::move(consumer));
  }
}

/// The first entry's id begins with the time at which the server made it.
Task<void> Queue::ask_oldest(QueueStatus& status, Wait wait) {
  const std::array<std::string_view, 6> range{"XRANGE", keys_.stream, "-", "+", "COUNT", "1"};
  const std::array<std::string_view, 1> clock{"TIME"};
  const Reply first = co_await client_.call(keys_.stream, range, wait);
  if (first.elements.empty() || first.elements[0].elements.empty()) co_return;
  const Reply time = co_await client_.call(keys_.stream, clock, wait);
  if (time.elements.empty()) co_return;
  const std::int64_t now = std::atoll(time.elements[0].text.c_str()) * 1000;
  const std::int64_t then = std::atoll(first.elements[0].elements[0].text.c_str());
  status.oldest = std::chrono::milliseconds(std::max<std::int64_t>(0, now - then));
}

Task<void> Queue::ask_running(QueueStatus& status, Wait wait) {
  const std::string most = std::to_string(QueueStatus::kShownMax);
  const std::array<std::string_view, 6> command{"XPENDING", keys_.stream, kGroup, "-", "+", most};
  const Reply pending = co_await client_.call(keys_.stream, command, wait);
  for (const Reply& each : pending.elements) {
    if (each.elements.size() < 4) continue;
    QueueStatus::Running running;
    running.entry = each.elements[0].text;
    running.consumer = each.elements[1].text;
    running.idle = std::chrono::milliseconds(each.elements[2].integer);
    running.deliveries = static_cast<unsigned>(each.elements[3].integer);
    status.running.push_back(std::move(running));
  }
  const auto read_message = [&](std::size_t i) -> Task<void> {
    QueueStatus::Running& running = status.running[i];
    const std::array<std::string_view, 4> words{"XRANGE", keys_.stream, running.entry,
                                                running.entry};
    Reply reply = co_await client_.call(keys_.stream, words, wait);
    std::vector<Entry> found = entries_of(reply);
    if (!found.empty()) running.message = std::move(found[0].message);
  };
  co_await for_each_bounded(status.running.size(), 16, read_message);
}

Task<QueueStatus> Queue::status(Wait wait) {
  QueueStatus status;
  const Reply lengths = co_await run(lengths_, Arguments(), wait);
  if (lengths.elements.size() == 3) {
    status.length = static_cast<std::size_t>(lengths.elements[0].integer);
    status.delayed = static_cast<std::size_t>(lengths.elements[1].integer);
    status.dead = static_cast<std::size_t>(lengths.elements[2].integer);
  }
  co_await ask_consumers(status, wait);
  co_await ask_oldest(status, wait);
  co_await ask_running(status, wait);
  co_return status;
}

// --- By one link ----------------------------------------------------------------------------

Task<Link> Queue::link(Wait wait) {
  const bool usable = link_ && link_->alive() && !link_->stalled(reactor_.now(), kLinkTimeout / 2);
  if (usable) co_return link_;
  // A command that changes something goes to who is the primary now: the client looks for it.
  const std::string probe = keys_.stream + ":probe";
  const std::array<std::string_view, 2> command{"UNLINK", probe};
  co_await client_.call(keys_.stream, command, wait);
  Link found = co_await client_.connection(keys_.stream, wait);
  link_ = found;
  co_return found;
}

Task<Reply> Queue::call_on(const Link& link, Arguments arguments, Wait wait) {
  const Link kept = link;
  wait.deadline = std::min(wait.deadline, reactor_.now() + kLinkTimeout);
  redis::Call call = kept->call(arguments, wait);
  redis::Outcome outcome = co_await call;
  switch (outcome.status) {
    case redis::Outcome::Status::replied: break;
    case redis::Outcome::Status::cancelled:
      throw Error(ErrorKind::cancelled, "redis", "ECANCELED",
                  "a command to the queue redis:" + name_ + " was cancelled");
    case redis::Outcome::Status::timed_out:
      kept->end("a command was not answered in time");
      throw LinkLost("a command was not answered in time");
    default: throw LinkLost(kept->reason());
  }
  if (!outcome.reply.is_error()) co_return std::move(outcome.reply);
  if (outcome.reply.error_code() == "NOSCRIPT") co_return std::move(outcome.reply);
  if (is_of_another_server(outcome.reply.error_code()) || is_no_group(outcome.reply.text)) {
    kept->end(outcome.reply.text);
    throw LinkLost(outcome.reply.text);
  }
  throw redis::error_of(outcome.reply, "the queue redis:" + name_);
}

Task<Reply> Queue::run_on(const Link& link, const redis::Script& script, Arguments arguments,
                          Wait wait) {
  arguments.insert(arguments.begin(),
                   {"EVALSHA", script.sha, "3", keys_.stream, keys_.delayed, keys_.dead});
  Reply reply = co_await call_on(link, arguments, wait);
  if (!reply.is_error()) co_return reply;
  // A server that was restarted: EVAL makes the script known to it.
  arguments[0] = "EVAL";
  arguments[1] = script.source;
  co_return co_await call_on(link, std::move(arguments), wait);
}

Task<bool> Queue::is_mine(const Link& link, std::string_view consumer, std::string_view entry,
                          Wait wait) {
  Arguments arguments{"XPENDING", keys_.stream, kGroup, entry, entry, "1", consumer};
  const Reply reply = co_await call_on(link, std::move(arguments), wait);
  co_return !reply.elements.empty();
}

Task<void> Queue::send(const Link& link, const Message& message, WallTime not_before, Wait wait) {
  if (not_before > reactor_.wall_time()) {
    const std::string when = ms_of(not_before);
    const std::string text = packed(message);
    Arguments delayed{"ZADD", keys_.delayed, when, text};
    co_await call_on(link, std::move(delayed), wait);
    co_return;
  }
  const Fields fields = fields_of(message);
  Arguments arguments{"XADD", keys_.stream, "*"};
  for (const auto& [name, value] : fields) arguments.insert(arguments.end(), {name, value});
  co_await call_on(link, std::move(arguments), wait);
}

Task<bool> Queue::settle(const Link& link, Arguments arguments, Wait wait) {
  const Reply reply = co_await run_on(link, settle_, std::move(arguments), wait);
  co_return reply.integer == 1;
}

Task<bool> Queue::acknowledge(const Link& link, std::string_view consumer, std::string_view entry,
                              Wait wait) {
  Arguments arguments{kGroup, consumer, entry, "done"};
  return settle(link, std::move(arguments), wait);
}

Task<bool> Queue::deliver_again(const Link& link, std::string_view consumer, std::string_view entry,
                                const Message& message, WallTime not_before, Wait wait) {
  const std::string when = ms_of(not_before);
  const std::string text = packed(message);
  Arguments arguments{kGroup, consumer, entry, "later", when, text};
  co_return co_await settle(link, std::move(arguments), wait);
}

Task<bool> Queue::bury(const Link& link, std::string_view consumer, std::string_view entry,
                       const Message& message, Wait wait) {
  const Fields fields = fields_of(message);
  Arguments arguments{kGroup, consumer, entry, "dead", kDeadKept};
  for (const auto& [name, value] : fields) arguments.insert(arguments.end(), {name, value});
  co_return co_await settle(link, std::move(arguments), wait);
}

}  // namespace unum::streams
