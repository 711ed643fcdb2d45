// A digest of 128 bits that tells texts apart: the same on every machine and in every version.
#pragma once

#include <string>
#include <string_view>

namespace unum {

/// FNV-1a of 128 bits (Fowler, Noll and Vo, with their published offset basis and prime), 32 hex
/// digits. Two different texts have one digest by accident with probability 2^-128; it is no
/// protection against somebody who looks for such texts.
std::string digest(std::string_view text);

}  // namespace unum
