// Sessions and items as components of paths and keys: what is not safe is percent-encoded,
// reversibly.
//
// Letters, digits and `-_.,=+@~` stand for themselves, except a dot at the beginning or after
// another dot; every other byte is `%XX`. So no component is empty, "." or "..", none begins with a
// dot, none holds a slash, a backslash or a NUL. Each name has one spelling.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "unum/store.hpp"

namespace unum {

inline constexpr std::array<ItemKind, 9> kItemKinds = {
    ItemKind::outcome, ItemKind::report,      ItemKind::input,   ItemKind::claim,  ItemKind::wanted,
    ItemKind::garbage, ItemKind::application, ItemKind::delayed, ItemKind::invoked};

/// What an item's name ends in: "-output", "-fanin", ...
std::string_view item_suffix(ItemKind kind) noexcept;
/// What an item's file or object ends in: "-output.json", "-fanin", ...
std::string_view file_suffix(ItemKind kind) noexcept;

/// Appends `name` encoded to what begins at `out` and has room for three times its size; its end.
char* encode_name(std::string_view name, char* out) noexcept;
std::string encode_name(std::string_view name);

/// Only of what `encode_name` writes: another spelling of a name would be a second place for it.
std::optional<std::string> decode_name(std::string_view text);
/// The same of a name with a suffix behind it.
std::optional<ItemId> decode_file_name(std::string_view text);

/// How much of `text` before `at` can be cut off: not through an escape, and not before a dot,
/// which no component may begin with. At most three less than `at`, which must be above that.
std::size_t cut_before(std::string_view text, std::size_t at) noexcept;

}  // namespace unum
