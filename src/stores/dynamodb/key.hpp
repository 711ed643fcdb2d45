// Keys: where an item, a part of a large value and a node of a fan-in's tree stand in the table.
//
// The table's only key is the string attribute `Name`:
//
//   <session>/<instance>-output              an item; readable as it stands
//   <session>/<instance>-output/<writer>.<k> part k of a value that one item cannot hold
//   <session>/<aggregator>-fanin             the claim, and the root of the fan-in's tree
//   <session>/<aggregator>-fanin/<l>.<g>     group g of the tree's level l
//
// Session and name come from outside. '/', '%', '#', control characters and bytes that are no UTF-8
// are percent-encoded, so that a name never leaves its session and can be read back. A key has at
// most 2,048 bytes: what is too long stands as '#' and its SHA-256, and the item's attribute
// `FullName` then holds the whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "unum/store.hpp"

namespace unum::dynamodb {

/// DynamoDB's limit for a hash key (docs: "Constraints", partition key length).
inline constexpr std::size_t kKeyBytesMax = 2048;

/// What all keys of a session begin with; ends in '/'.
std::string session_prefix(std::string_view session);
/// Appends what follows the prefix.
void append_item_part(std::string& key, std::string_view name, ItemKind kind);
std::string item_key(std::string_view session, const ItemId& item);
/// The whole name, for the attribute `FullName`; empty where the key itself holds it.
std::string full_name(std::string_view session, const ItemId& item);

/// The pieces of a key; views into it.
struct KeyParts {
  std::string_view session;  ///< Encoded.
  std::string_view item;     ///< Encoded, with its suffix.
  std::string_view inner;    ///< Of a part or node what follows the item's own key; or empty.
};
/// Nothing if the key is none of ours.
std::optional<KeyParts> split_key(std::string_view key) noexcept;

struct ParsedKey {
  std::string session;
  ItemId item;
};
/// The names of an item by its key and `FullName` (empty if it has none). Nothing for parts, nodes
/// and keys that are none of ours.
std::optional<ParsedKey> parse_key(std::string_view key, std::string_view full);
/// The session's id by a key, which may be a part's or node's.
std::optional<std::string> parse_session(std::string_view key, std::string_view full);

}  // namespace unum::dynamodb
