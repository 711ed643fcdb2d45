// Percent-encoding of names into path components, and back.
#include "stores/fs/path.hpp"

#include <cstring>

namespace unum::fs {
namespace {

// Where a long name is cut. What is left for the last component stays long enough for its suffix.
constexpr std::size_t kCutAt = 200;

constexpr std::array<bool, 256> kSafe = [] {
  std::array<bool, 256> safe{};
  for (char c = '0'; c <= '9'; ++c) safe[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) safe[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) safe[static_cast<unsigned char>(c)] = true;
  for (const char c : {'-', '_', ',', '=', '+', '@', '~'})
    safe[static_cast<unsigned char>(c)] = true;
  return safe;
}();

constexpr std::string_view suffix_of(ItemKind kind) {
  switch (kind) {
    case ItemKind::outcome: return "-output.json";
    case ItemKind::report: return "-error.json";
    case ItemKind::input: return "-input.json";
    case ItemKind::claim: return "-fanin";
    case ItemKind::wanted: return "-wanted";
    case ItemKind::garbage: return "-gc";
  }
  return "-gc";
}

/// Appends `name` encoded to what begins at `out` and has room for three times its size; its end.
char* encode(std::string_view name, char* out) noexcept {
  static constexpr char kHex[] = "0123456789ABCDEF";
  char previous = '.';  // as if a dot stood before the name: a dot at its beginning is encoded
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (kSafe[byte] || (c == '.' && previous != '.')) {
      *out++ = previous = c;
      continue;
    }
    *out++ = '%';
    *out++ = kHex[byte >> 4];
    *out++ = previous = kHex[byte & 0xF];
  }
  return out;
}

/// Cuts the front components off until the rest fits one.
std::vector<std::string> cut(std::string& text) {
  std::vector<std::string> front;
  while (text.size() > kComponentBytesMax) {
    std::size_t at = kCutAt;
    // Not through an escape, and not before a dot, which no component may begin with. Dots do not
    // follow each other, so this ends after a few steps.
    while (text[at] == '.' || text[at - 1] == '%' || text[at - 2] == '%') --at;
    front.push_back(text.substr(0, at) + '%');
    text.erase(0, at);
  }
  return front;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Only of what `encode` writes: another spelling of a name would be a second place for it.
std::optional<std::string> decode(std::string_view text) {
  std::string name;
  name.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  std::string again(name.size() * 3, '\0');
  again.resize(static_cast<std::size_t>(encode(name, again.data()) - again.data()));
  if (again != text) return std::nullopt;
  return name;
}

}  // namespace

ItemPath::ItemPath(std::string_view name, ItemKind kind) {
  const std::string_view suffix = suffix_of(kind);
  if (name.size() * 3 + suffix.size() <= kComponentBytesMax) {
    char* end = encode(name, file_.data());
    std::memcpy(end, suffix.data(), suffix.size());
    end[suffix.size()] = '\0';
    return;
  }
  std::string text(name.size() * 3, '\0');
  text.resize(static_cast<std::size_t>(encode(name, text.data()) - text.data()));
  text += suffix;
  directories_ = cut(text);
  std::memcpy(file_.data(), text.c_str(), text.size() + 1);
}

std::vector<std::string> session_components(std::string_view session) {
  std::string text(session.size() * 3, '\0');
  text.resize(static_cast<std::size_t>(encode(session, text.data()) - text.data()));
  std::vector<std::string> components = cut(text);
  components.push_back(std::move(text));
  return components;
}

bool is_continued(std::string_view component) noexcept { return component.ends_with('%'); }

std::optional<std::string> decode_session(std::string_view joined) {
  if (joined.empty() || joined.front() == '.') return std::nullopt;
  return decode(joined);
}

std::optional<ItemId> decode_item(std::string_view joined) {
  if (joined.empty() || joined.front() == '.') return std::nullopt;
  for (const ItemKind kind : {ItemKind::outcome, ItemKind::report, ItemKind::input, ItemKind::claim,
                              ItemKind::wanted, ItemKind::garbage}) {
    const std::string_view suffix = suffix_of(kind);
    if (joined.size() <= suffix.size() || !joined.ends_with(suffix)) continue;
    std::optional<std::string> name = decode(joined.substr(0, joined.size() - suffix.size()));
    if (!name) return std::nullopt;
    return ItemId{std::move(*name), kind};
  }
  return std::nullopt;
}

}  // namespace unum::fs
