// CRC-32C (Castagnoli; RFC 3720, appendix B.4), which S3 checks and keeps beside an object.
//
// S3 takes CRC-32, CRC-32C, CRC-64/NVME, SHA-1 and SHA-256. This one has an instruction on x86-64
// and, unlike the hashes, can be had of a whole object that is uploaded in parts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace unum::s3 {

/// The checksum of `data`, or of what gave `before` with `data` behind it.
std::uint32_t crc32c(std::string_view data, std::uint32_t before = 0) noexcept;

/// The same without the processor's instruction.
std::uint32_t crc32c_by_tables(std::string_view data, std::uint32_t before = 0) noexcept;

/// As S3's headers write it: four bytes, the highest first, in base64.
std::string crc32c_text(std::uint32_t checksum);

}  // namespace unum::s3
