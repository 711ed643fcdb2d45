// One server of a client: its connection, made when needed, by one for all who wait for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "base/backoff.hpp"
#include "reactor/redis/connection.hpp"
#include "unum/detail/wait_list.hpp"

namespace unum::redis {

/// The first pause is a fraction of what people notice; the longest keeps a server that is away
/// from being asked more than about twice a second.
inline constexpr Backoff kBackoff{std::chrono::milliseconds(20), std::chrono::milliseconds(1000)};

/// How long a server is waited for.
struct NodePatience {
  std::chrono::milliseconds connect;  ///< To resolve, connect, greet and authenticate.
  std::chrono::milliseconds silence;  ///< A connection that is silent for longer is left.
};

class Node {
 public:
  Node(Reactor& reactor, Address address, NodePatience patience)
      : reactor_(reactor), address_(std::move(address)), patience_(patience) {}

  /// The connection, opened if there is none that can be used. One caller opens it, the others
  /// wait and share its result; a caller whose own wait ends leaves the work to the next. Throws
  /// what Connection::open does.
  Task<std::shared_ptr<Connection>> connection(Wait wait);
  /// The connection as it is; null if there is none that can be used.
  std::shared_ptr<Connection> current() noexcept;
  /// Whoever asks next gets a new connection (the name may lead to another server by now). Commands
  /// that wait on the old one go on.
  void leave() noexcept { connection_.reset(); }
  void end(const std::string& reason) noexcept;

  const Address& address() const noexcept { return address_; }
  /// Connections opened since this was asked last.
  std::uint64_t take_opened() noexcept { return std::exchange(opened_, 0); }

 private:
  Task<std::shared_ptr<Connection>> open(Wait wait);

  Reactor& reactor_;
  const Address address_;
  const NodePatience patience_;
  std::shared_ptr<Connection> connection_;
  detail::WaitList opening_ended_;
  bool opening_ = false;
  std::uint64_t opened_ = 0;
  std::uint64_t failed_ = 0;  ///< Attempts so far.
  unsigned failed_in_a_row_ = 0;
  Deadline not_before_{};       ///< Of the next attempt.
  std::exception_ptr failure_;  ///< Of the last attempt.
};

}  // namespace unum::redis
