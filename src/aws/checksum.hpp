// The checksum that DynamoDB sends along with an answer.
#pragma once

#include "reactor/http/client.hpp"

namespace unum::aws {

/// Whether the body is the one that was sent: its CRC-32 (IEEE 802.3) is the number in the header
/// `x-amz-crc32`. It is that of the body as it was sent, which is never compressed here: nothing
/// asks for that. An answer without the header, as those of some errors are, is taken as it is.
bool matches_checksum(const http::Response& response) noexcept;

}  // namespace unum::aws
