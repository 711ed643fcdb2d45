// The files that AWS' tools share, ~/.aws/config and ~/.aws/credentials: their syntax.
//
// As in "Using shared config and credentials files" (AWS SDKs and Tools Reference Guide), held to
// the SDKs' own table of cases (tests/fixtures/aws/profile-parser-tests.json), and wider where AWS'
// own command (botocore) is: names of any kind, quoted ones, indented properties, ':' for '='.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace unum::aws {

/// Names in lower case. The value of a property with sub-properties is a line end and these, one a
/// line.
using Properties = std::map<std::string, std::string, std::less<>>;

/// What both files say together.
struct ProfileFiles {
  using Sections = std::map<std::string, Properties, std::less<>>;
  Sections profiles;
  Sections sso_sessions;
  Sections services;
};

enum class ProfileFileKind : std::uint8_t {
  config,      ///< "[profile NAME]" (NAME in quotes if it has blanks), "[default]", "[sso-session
               ///< NAME]", "[services NAME]".
  credentials  ///< "[NAME]".
};

/// Adds what a file says; what is in `into` already gives way, so the credentials file comes last.
/// Sections of other kinds, and properties with names that are none, are ignored, as the SDKs do.
/// Throws `invalid`, code "Unum.InvalidProfileFile", with file and line, never with what stands
/// there.
void parse_profile_file(std::string_view text, ProfileFileKind kind, std::string_view file,
                        ProfileFiles& into);

/// A property's value, or nothing.
std::optional<std::string_view> property(const Properties& section, std::string_view name);
/// A sub-property of a property's value, or nothing: `endpoint_url` of "\nendpoint_url = x".
std::optional<std::string_view> sub_property(std::string_view value, std::string_view name);

}  // namespace unum::aws
