// FNV-1a of 128 bits.
#include "base/digest.hpp"

#include <cstdint>

namespace unum {

std::string digest(std::string_view text) {
  __extension__ using Wide = unsigned __int128;
  constexpr Wide kOffsetBasis = Wide{0x6c62272e07bb0142u} << 64 | 0x62b821756295c58du;
  constexpr Wide kPrime = Wide{0x0000000001000000u} << 64 | 0x000000000000013bu;
  Wide hash = kOffsetBasis;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  std::string hex(32, '0');
  const std::uint64_t halves[] = {static_cast<std::uint64_t>(hash >> 64),
                                  static_cast<std::uint64_t>(hash)};
  for (std::size_t i = 0; i < hex.size(); ++i) {
    hex[i] = "0123456789abcdef"[halves[i / 16] >> (60 - 4 * (i % 16)) & 0xFu];
  }
  return hex;
}

}  // namespace unum
