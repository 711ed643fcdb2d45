// Key slots, the topology's reply, redirects: parsing only, no I/O.
#include "reactor/redis/slots.hpp"

#include <charconv>

#include "unum/error.hpp"

namespace unum::redis {
namespace {

constexpr std::array<std::uint16_t, 256> make_crc_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}
constexpr std::array<std::uint16_t, 256> kCrcTable = make_crc_table();

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

[[noreturn]] void refuse() {
  throw Error(ErrorKind::corrupt, "redis", "Unum.RedisProtocol",
              "the reply of CLUSTER SLOTS is none");
}

Place parse_place(const Reply& reply, std::string_view asked_host) {
  if (reply.elements.size() < 2) refuse();
  const Reply& port = reply.elements[1];
  if (port.type != Reply::Type::integer || port.integer <= 0 || port.integer > 65'535) refuse();
  const std::string& host = reply.elements[0].text;
  return {host.empty() || host == "?" ? std::string(asked_host) : host,
          static_cast<std::uint16_t>(port.integer)};
}

}  // namespace

std::uint16_t key_slot(std::string_view key) noexcept {
  if (const std::size_t open = key.find('{'); open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1)
      key = key.substr(open + 1, close - open - 1);
  }
  unsigned crc = 0;
  for (const char c : key)
    crc = ((crc << 8) & 0xFFFF) ^ kCrcTable[((crc >> 8) ^ static_cast<unsigned char>(c)) & 0xFF];
  return static_cast<std::uint16_t>(crc % kSlots);
}

std::vector<SlotRange> parse_slots(const Reply& reply, std::string_view asked_host) {
  if (reply.type != Reply::Type::array) refuse();
  std::vector<SlotRange> ranges;
  for (const Reply& row : reply.elements) {
    if (row.elements.size() < 3) refuse();
    const std::int64_t first = row.elements[0].integer;
    const std::int64_t last = row.elements[1].integer;
    if (first < 0 || last < first || last >= static_cast<std::int64_t>(kSlots)) refuse();
    SlotRange range{static_cast<std::uint16_t>(first),
                    static_cast<std::uint16_t>(last),
                    parse_place(row.elements[2], asked_host),
                    {}};
    for (std::size_t i = 3; i < row.elements.size(); ++i)
      range.replicas.push_back(parse_place(row.elements[i], asked_host));
    ranges.push_back(std::move(range));
  }
  return ranges;
}

std::optional<Redirect> parse_redirect(std::string_view error, std::string_view asked_host) {
  Redirect redirect;
  redirect.ask = error.starts_with("ASK ");
  if (!redirect.ask && !error.starts_with("MOVED ")) return std::nullopt;
  error.remove_prefix(redirect.ask ? 4 : 6);
  const std::size_t blank = error.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const auto slot = number<std::uint16_t>(error.substr(0, blank));
  const std::string_view place = error.substr(blank + 1);
  const std::size_t colon = place.rfind(':');
  if (!slot || *slot >= kSlots || colon == std::string_view::npos) return std::nullopt;
  const auto port = number<std::uint16_t>(place.substr(colon + 1));
  if (!port || *port == 0) return std::nullopt;
  redirect.slot = *slot;
  const std::string_view host = place.substr(0, colon);
  redirect.to.host = host.empty() || host == "?" ? asked_host : host;
  redirect.to.port = *port;
  return redirect;
}

}  // namespace unum::redis
