// CRC-32C by the processor's instruction, or eight bytes at a time from tables.
#include "stores/s3/crc32c.hpp"

#include <array>
#include <cstring>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

namespace unum::s3 {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // 0x1EDC6F41 with its bits reversed

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;
constexpr Tables kTables = [] {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::size_t t = 1; t < tables.size(); ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}();

std::uint64_t load(const char* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

std::uint32_t by_tables(std::string_view data, std::uint32_t crc) noexcept {
  while (data.size() >= 8) {
    const std::uint64_t word = load(data.data()) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xFF];
    data.remove_prefix(8);
  }
  for (const char c : data) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  }
  return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view data,
                                                               std::uint32_t crc) noexcept {
  std::uint64_t wide = crc;
  while (data.size() >= 8) {
    wide = _mm_crc32_u64(wide, load(data.data()));
    data.remove_prefix(8);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (const char c : data) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(c));
  return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view data, std::uint32_t before) noexcept {
#ifdef __x86_64__
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return ~by_instruction(data, ~before);
#endif
  return crc32c_by_tables(data, before);
}

std::uint32_t crc32c_by_tables(std::string_view data, std::uint32_t before) noexcept {
  return ~by_tables(data, ~before);
}

std::string crc32c_text(std::uint32_t checksum) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text(8, '=');
  const std::uint64_t bits = static_cast<std::uint64_t>(checksum) << 4;  // 36 bits: six digits
  for (std::size_t i = 0; i < 6; ++i) text[i] = kDigits[(bits >> (30 - 6 * i)) & 0x3F];
  return text;
}

}  // namespace unum::s3
