// A queue of an application's messages in a Redis server or cluster (6.2 or newer): a stream with
// one group of consumers, a sorted set of messages that wait for their time, and a stream of dead
// ones.
//
// What one delivery does to the queue goes by one connection (`Link`) or fails: a server that takes
// the place of another one may know less than what was done before, so whoever loses its link
// begins its delivery again. What may be done twice goes by a client that sends again.
//
// All calls are coroutines on one reactor; arguments passed by reference or view must outlive the
// task. Calls throw what redis::Client throws (origin "redis").
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
#include <vector>

#include "hosts/redis_streams/message.hpp"
#include "reactor/redis/client.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::streams {

/// The one group of consumers: all processes that run the application's steps.
inline constexpr std::string_view kGroup = "unum";

/// Names of the application's keys, which are in one slot of a cluster:
///   unum-queue:{<application>}            the stream
///   unum-queue:{<application>}:delayed    a sorted set of packed messages by ms since 1970
///   unum-queue:{<application>}:dead       a stream of its own
struct QueueKeys {
  explicit QueueKeys(std::string_view application);
  std::string stream;
  std::string delayed;
  std::string dead;
};

struct QueueOptions {
  /// As in StoreOptions.
  std::chrono::milliseconds patience{60'000};
  std::function<void(std::string_view)> waiting{};
  /// Called with a line about what is lost where, and about what went wrong and was put right.
  std::function<void(std::string_view)> warn{};
};

/// The way to the server by which one delivery does everything.
using Link = std::shared_ptr<redis::Connection>;

/// The link is gone, or leads to a server that is not the primary any more: whether the command
/// took effect is unknown, and so is whether those before it are still known there.
class LinkLost final : public Error {
 public:
  explicit LinkLost(std::string_view why);
};

/// What the queue holds, for people and for monitoring.
struct QueueStatus {
  struct Running {
    std::string entry;
    std::string consumer;
    std::chrono::milliseconds idle{0};  ///< Since its process told of it last.
    unsigned deliveries = 0;
    Message message;  ///< Empty if it was settled meanwhile.
  };
  struct Consumer {
    std::string name;
    std::size_t entries = 0;
    std::chrono::milliseconds idle{0};
  };
  std::size_t length = 0;   ///< Entries of the stream, those that are worked on included.
  std::size_t pending = 0;  ///< Entries that were delivered and not settled.
  std::size_t delayed = 0;
  std::size_t dead = 0;
  std::chrono::milliseconds oldest{0};  ///< Age of the oldest entry; 0 without any.
  std::vector<Consumer> consumers;
  std::vector<Running> running;  ///< At most kShownMax.
  static constexpr std::size_t kShownMax = 1000;
};

class Queue {
 public:
  /// `name` is that of a Redis store: HOST:PORT, a URL, several of one cluster. Throws `invalid`.
  Queue(Reactor& reactor, std::string_view name, std::string_view application,
        QueueOptions options = {});
  /// No call may be under way.
  virtual ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// Connects and makes the group, from the stream's beginning. Throws `not_found` if there is no
  /// server, `denied` for a replica, `invalid` for one that is too old.
  Task<void> open(Wait wait = {});
  void close() noexcept;
  /// The server's name without a secret.
  const std::string& name() const noexcept { return name_; }
  const QueueKeys& keys() const noexcept { return keys_; }

  // --- From outside -------------------------------------------------------------------------

  /// Adds a message; false, and nothing is added, if `length_max` or more are there. May add it
  /// twice where the connection is lost.
  Task<bool> submit(const Message& message, std::size_t length_max, Wait wait = {});
  Task<QueueStatus> status(Wait wait = {});

  // Virtual for the tests, which put faults and known mistakes there.

  // --- Taking entries -----------------------------------------------------------------------

  /// Waits for up to `block` for new entries, at most `count`, on a connection of its own. One call
  /// at a time. Where the reply is lost, the entries are the consumer's all the same: `take` finds
  /// them.
  virtual Task<std::vector<Entry>> read(std::string_view consumer, std::size_t count,
                                        std::chrono::milliseconds block, Wait wait = {});
  /// Takes over, at most `count`, entries of which nobody told anything for `lease`. `cursor`
  /// begins as "0-0" and ends as it.
  virtual Task<std::vector<Entry>> take(std::string_view consumer, std::chrono::milliseconds lease,
                                        std::string& cursor, std::size_t count, Wait wait = {});
  /// Tells that these are worked on; returns those that are another consumer's, or nobody's.
  virtual Task<std::vector<std::string>> beat(std::string_view consumer,
                                              std::span<const std::string> entries, Wait wait = {});
  /// Puts messages whose time has come into the stream; returns how long until the next one's, and
  /// nothing if there is none.
  virtual Task<std::optional<std::chrono::milliseconds>> move_due(Wait wait = {});
  /// Lets others have at once what the consumer has; without entries it is removed.
  virtual Task<void> leave(std::string_view consumer, Wait wait = {});
  /// Removes consumers that have nothing and were silent for so long.
  Task<std::size_t> sweep(std::chrono::milliseconds silent, Wait wait = {});

  // --- One delivery, by one link: each throws LinkLost --------------------------------------

  /// The link as it is, or a new one to the server that is the primary now.
  virtual Task<Link> link(Wait wait = {});
  /// Whether the entry is the consumer's.
  virtual Task<bool> is_mine(const Link& link, std::string_view consumer, std::string_view entry,
                             Wait wait = {});
  /// Adds a message, to the stream or, with `not_before`, to the delayed ones.
  virtual Task<void> send(const Link& link, const Message& message, WallTime not_before = {},
                          Wait wait = {});
  /// Acknowledges the entry; false if it is not the consumer's: nothing is done then.
  virtual Task<bool> acknowledge(const Link& link, std::string_view consumer,
                                 std::string_view entry, Wait wait = {});
  /// The same, and in the same moment puts `message` among the delayed ones.
  virtual Task<bool> deliver_again(const Link& link, std::string_view consumer,
                                   std::string_view entry, const Message& message,
                                   WallTime not_before, Wait wait = {});
  /// The same, and puts it among the dead ones, of which the last 10,000 are kept.
  virtual Task<bool> bury(const Link& link, std::string_view consumer, std::string_view entry,
                          const Message& message, Wait wait = {});

 private:
  using Arguments = std::vector<std::string_view>;

  Task<void> make_group(Wait wait);
  Task<void> remake_group(Wait wait);
  Task<redis::Reply> run(const redis::Script& script, Arguments arguments, Wait wait);
  Task<redis::Reply> call_on(const Link& link, Arguments arguments, Wait wait);
  Task<redis::Reply> run_on(const Link& link, const redis::Script& script, Arguments arguments,
                            Wait wait);
  Task<bool> settle(const Link& link, Arguments arguments, Wait wait);
  Task<void> ask_consumers(QueueStatus& status, Wait wait);
  Task<void> ask_oldest(QueueStatus& status, Wait wait);
  Task<void> ask_running(QueueStatus& status, Wait wait);
  void warn(std::string_view text) const;
  void warn_of_settings() const;

  Reactor& reactor_;
  const std::string name_;
  const QueueKeys keys_;
  const QueueOptions options_;
  redis::Client client_;
  redis::Client reader_;
  Link link_;
  redis::Script group_;
  redis::Script settle_;
  redis::Script beat_;
  redis::Script take_;
  redis::Script due_;
  redis::Script submit_;
  redis::Script lengths_;
  redis::Script leave_;
  redis::Script sweep_;
};

}  // namespace unum::streams
