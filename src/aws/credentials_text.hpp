// The forms in which credentials come: JSON of programs and metadata services, XML of STS.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/credentials.hpp"

namespace unum::aws {

/// Who wrote the JSON: they differ in little.
enum class CredentialsJson : std::uint8_t {
  process,    ///< Version 1; SessionToken.
  container,  ///< Token; "code" and "message" for an error.
  metadata    ///< The same with "Code": "Success".
};

/// Throws `invalid`, code "Unum.InvalidCredentials", naming `source` and what is missing; never
/// with a part of the text.
Credentials parse_credentials_json(std::string_view text, CredentialsJson form,
                                   const std::string& source);

/// The answer of STS to AssumeRole and AssumeRoleWithWebIdentity. Throws like the other.
Credentials parse_sts_answer(std::string_view text, const std::string& source);

/// What keeps a text from being a key or a token, which are printable ASCII without blanks (the end
/// of a line in a header would begin another one): "ends with a line's end". Or empty.
std::string_view flaw_of_key(std::string_view text);

/// "2026-11-25T20:00:00Z", and the other forms that programs print and botocore takes: a blank for
/// T, without seconds, without separators, a fraction; "UTC", "GMT" or an offset ("+01:00",
/// "+0100", "+01") for Z, a blank before it; the date of HTTP. A zone there must be. Between 1970
/// and 2200 whatever the text says: see bounded_wall_time.
std::optional<std::chrono::system_clock::time_point> parse_expiration(std::string_view text);

/// A command as a POSIX shell splits it, without running one: blanks, quotes and backslashes mean
/// what they mean there, and nothing else means anything. Throws `invalid` for a quote that does
/// not end; empty for an empty command.
std::vector<std::string> split_command(std::string_view command);

}  // namespace unum::aws
