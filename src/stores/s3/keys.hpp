// Where items stand in a bucket: `[prefix/]<session>/<instance>-output.json`.
//
// Session and item are one component each, encoded as file names are (stores/name_encoding.hpp): no
// name leaves its session, and a gateway that maps keys to paths is safe. What is longer than a
// file name may be is shortened: its beginning, `%~` (which nothing encoded holds) and its SHA-256.
// S3's keys end at 1,024 bytes and its metadata at 2 KB, so the whole name then stands in an object
// of its own beside the item, the companion, written before it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "unum/store.hpp"

namespace unum::s3 {

/// Bytes of a component: NAME_MAX of a gateway's file system, less the companion's suffix.
inline constexpr std::size_t kComponentBytesMax = 250;
/// Bytes of the prefix: what S3's 1,024 leave beside two components and a companion's suffix.
inline constexpr std::size_t kPrefixBytesMax = 512;
inline constexpr std::string_view kCompanionSuffix = ".name";

/// Names a store: "bucket" or "bucket/prefix".
struct Location {
  std::string bucket;
  std::string prefix;  ///< Empty, or ending in '/'.
};
/// Throws `invalid` with what may stand in a bucket's name or a prefix.
Location parse_location(std::string_view name);
/// Whether the bucket's name can be a part of a host's name that a wildcard certificate covers.
bool fits_host_name(std::string_view bucket) noexcept;

/// Appends the session's component, at most kComponentBytesMax bytes.
void append_session(std::string& out, std::string_view session);
/// The same of an item.
void append_item(std::string& out, std::string_view name, ItemKind kind);
/// Appends them as they stand in a request's path: what is not "unreserved" (RFC 3986) as %XX,
/// which S3's signature expects.
void append_session_url(std::string& out, std::string_view session);
void append_item_url(std::string& out, std::string_view name, ItemKind kind);
/// Any text, slashes too if they separate.
void append_url(std::string& out, std::string_view text, bool keep_slashes);

/// Whether the item needs a companion: its session or its own name is shortened.
bool needs_companion(std::string_view session, std::string_view name, ItemKind kind);
/// What stands in the companion, and back. Nothing if it is none of ours.
struct FullName {
  std::string session;
  std::string name;
};
std::string companion_text(std::string_view session, std::string_view name);
std::optional<FullName> parse_companion(std::string_view text);

bool is_shortened(std::string_view component) noexcept;
/// The session of a component that is not shortened; nothing if it is none of ours.
std::optional<std::string> decode_session(std::string_view component);
/// The same of an item.
std::optional<ItemId> decode_item(std::string_view component);
/// The kind of a shortened item, by its suffix.
std::optional<ItemKind> shortened_kind(std::string_view component);

}  // namespace unum::s3
