// CRC-32 by libdeflate: with the processor's carry-less multiplication where it has one, which is
// four times as fast as zlib's.
#include "aws/checksum.hpp"

#include <libdeflate.h>

#include <charconv>
#include <cstdint>

namespace unum::aws {

bool matches_checksum(const http::Response& response) noexcept {
  const std::string_view announced = response.header("x-amz-crc32");
  if (announced.empty()) return true;
  std::uint32_t expected = 0;
  const char* const end = announced.data() + announced.size();
  const auto [stopped, error] = std::from_chars(announced.data(), end, expected);
  if (error != std::errc() || stopped != end) return false;
  return libdeflate_crc32(0, response.body.data(), response.body.size()) == expected;
}

}  // namespace unum::aws
