// Sessions and items as path components: names encoded (stores/name_encoding.hpp), and what is too
// long for one component cut into several; each but the last ends in a lone `%`, which nothing
// encoded does.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/store.hpp"

namespace unum::fs {

/// Bytes of one component: NAME_MAX of Linux file systems. (eCryptfs has 143: its error says so.)
inline constexpr std::size_t kComponentBytesMax = 255;

/// Names that begin so are ours and no items: temporary files.
inline constexpr std::string_view kHiddenPrefix = ".unum-";

/// Where an item stands in its session's directory. Most names are one component and cost no
/// allocation.
class ItemPath {
 public:
  ItemPath(std::string_view name, ItemKind kind);
  /// The last component.
  const char* file() const noexcept { return file_.data(); }
  /// Directories between the session's and the file; empty unless the name is too long.
  const std::vector<std::string>& directories() const noexcept { return directories_; }

 private:
  std::array<char, kComponentBytesMax + 1> file_;
  std::vector<std::string> directories_;
};

/// The components of a session's directory; one unless the id is too long.
std::vector<std::string> session_components(std::string_view session);

/// Whether a component is continued by those in it.
bool is_continued(std::string_view component) noexcept;
/// The session of components joined, without their continuation marks; nothing if it is none of
/// ours.
std::optional<std::string> decode_session(std::string_view joined);
/// The same for items.
std::optional<ItemId> decode_item(std::string_view joined);

}  // namespace unum::fs
