// The parts of a client, for its files: client.cpp sends commands, cluster.cpp knows which server
// has what.
#pragma once

#include "reactor/redis/client.hpp"
#include "reactor/redis/node.hpp"

namespace unum::redis {

struct Client::Node : redis::Node {
  using redis::Node::Node;
  Deadline rests_until{};  ///< A replica that did not answer is not asked until then.
};

struct Client::Replica {
  const Node* primary;
  Node* node;
  friend bool operator==(const Replica&, const Replica&) = default;
};

/// One command's way to its reply.
struct Client::Attempts {
  Node* fixed = nullptr;  ///< Goes to this server whatever the slot.
  std::uint16_t slot = 0;
  Wait wait;
  Deadline give_up{};
  Deadline troubled_since{};  ///< Since when its server is waited for.
  Node* node = nullptr;       ///< Where it went last.
  Node* asked = nullptr;      ///< Goes here next, with ASKING.
  unsigned redirects = 0;
  unsigned failures = 0;
  std::optional<Error> last{};  ///< The failure before.
  bool unanswered = false;      ///< The last attempt's time was up before a reply came.
  bool demoted = false;         ///< The last attempt's server has become a replica.
  Call* begun = nullptr;        ///< The first attempt, if it is under way already, at `node`.
};

}  // namespace unum::redis
