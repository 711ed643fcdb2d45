// What stands in a claim and in a `wanted`: whose it is and for which list.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "unum/store.hpp"

namespace unum {

struct FanInRecord {
  std::string owner;   ///< Instance name.
  std::string digest;  ///< Of the list and frames; see FanInSet::digest.
  std::string values;  ///< The list, readable.
  std::string list{};  ///< In a `wanted`: what FanInSet::to_json gave. JSON text, else empty.
};

/// The record that the context's instance makes of a fan-in, without `list`. Throws `bug` for a
/// fan-in without a list or an instance that takes part, and for a contributor without a place.
FanInRecord record_of(const SessionContext& context, const FanIn& fan_in, std::string_view origin);
/// JSON text.
std::string to_text(const FanInRecord& record);
/// Nothing if the text is torn, as a power loss may leave one that was not waited for.
std::optional<FanInRecord> parse_record(std::string_view text);

/// What another's differing record means to whoever has `mine`.
FanInState mismatch_of(const FanInRecord& mine, const FanInRecord& theirs);
/// What a claim that stands means to whoever has `mine`: claimed, taken or mismatch.
FanInState judge_claim(const FanInRecord& mine, const FanInRecord& claim);

}  // namespace unum
