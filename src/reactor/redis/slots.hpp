// Which server of a Redis cluster has which keys: 16,384 slots, a key's slot, who has it now.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/redis/reply.hpp"

namespace unum::redis {

inline constexpr std::size_t kSlots = 16'384;

/// The key's slot: CRC16 (XMODEM) of what stands between the first '{' and the next '}', if there
/// is something, else of the whole key (Redis cluster specification).
std::uint16_t key_slot(std::string_view key) noexcept;

/// A server's place as the cluster tells it.
struct Place {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

/// A row of CLUSTER SLOTS: slots first to last, their primary, its replicas.
struct SlotRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  Place primary;
  std::vector<Place> replicas;
  friend bool operator==(const SlotRange&, const SlotRange&) = default;
};

/// Reads the reply of CLUSTER SLOTS; a server that knows no name of its own is at `asked_host`.
/// Throws `corrupt` for what is none.
std::vector<SlotRange> parse_slots(const Reply& reply, std::string_view asked_host);

/// What a MOVED or ASK says.
struct Redirect {
  bool ask = false;
  std::uint16_t slot = 0;
  Place to;
};
/// Reads "MOVED 3999 127.0.0.1:6381" and "ASK ..."; nothing for other errors.
std::optional<Redirect> parse_redirect(std::string_view error, std::string_view asked_host);

}  // namespace unum::redis
