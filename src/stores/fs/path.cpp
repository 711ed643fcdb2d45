// Encoded names cut into path components, and joined again.
#include "stores/fs/path.hpp"

#include <cstring>

#include "stores/name_encoding.hpp"

namespace unum::fs {
namespace {

// Where a long name is cut. What is left for the last component stays long enough for its suffix.
constexpr std::size_t kCutAt = 200;

/// Cuts the front components off until the rest fits one.
std::vector<std::string> cut(std::string& text) {
  std::vector<std::string> front;
  while (text.size() > kComponentBytesMax) {
    const std::size_t at = cut_before(text, kCutAt);
    front.push_back(text.substr(0, at) + '%');
    text.erase(0, at);
  }
  return front;
}

}  // namespace

ItemPath::ItemPath(std::string_view name, ItemKind kind) {
  const std::string_view suffix = file_suffix(kind);
  if (name.size() * 3 + suffix.size() <= kComponentBytesMax) {
    char* end = encode_name(name, file_.data());
    std::memcpy(end, suffix.data(), suffix.size());
    end[suffix.size()] = '\0';
    return;
  }
  std::string text = encode_name(name);
  text += suffix;
  directories_ = cut(text);
  std::memcpy(file_.data(), text.c_str(), text.size() + 1);
}

std::vector<std::string> session_components(std::string_view session) {
  std::string text = encode_name(session);
  std::vector<std::string> components = cut(text);
  components.push_back(std::move(text));
  return components;
}

bool is_continued(std::string_view component) noexcept { return component.ends_with('%'); }

std::optional<std::string> decode_session(std::string_view joined) {
  if (joined.empty() || joined.front() == '.') return std::nullopt;
  return decode_name(joined);
}

std::optional<ItemId> decode_item(std::string_view joined) {
  if (joined.empty() || joined.front() == '.') return std::nullopt;
  return decode_file_name(joined);
}

}  // namespace unum::fs
