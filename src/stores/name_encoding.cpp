// Percent-encoding of names, and back.
#include "stores/name_encoding.hpp"

namespace unum {
namespace {

constexpr std::array<bool, 256> kSafe = [] {
  std::array<bool, 256> safe{};
  for (char c = '0'; c <= '9'; ++c) safe[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) safe[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) safe[static_cast<unsigned char>(c)] = true;
  for (const char c : {'-', '_', ',', '=', '+', '@', '~'})
    safe[static_cast<unsigned char>(c)] = true;
  return safe;
}();

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view file_suffix(ItemKind kind) noexcept {
  switch (kind) {
    case ItemKind::outcome: return "-output.json";
    case ItemKind::report: return "-error.json";
    case ItemKind::input: return "-input.json";
    case ItemKind::claim: return "-fanin";
    case ItemKind::wanted: return "-wanted";
    case ItemKind::garbage: return "-gc";
    case ItemKind::application: return "-application.json";
    case ItemKind::delayed: return "-delayed.json";
    case ItemKind::invoked: return "-invoked.json";
  }
  return "-gc";
}

char* encode_name(std::string_view name, char* out) noexcept {
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

std::string encode_name(std::string_view name) {
  std::string text(name.size() * 3, '\0');
  text.resize(static_cast<std::size_t>(encode_name(name, text.data()) - text.data()));
  return text;
}

std::optional<std::string> decode_name(std::string_view text) {
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
  if (encode_name(name) != text) return std::nullopt;
  return name;
}

std::optional<ItemId> decode_file_name(std::string_view text) {
  for (const ItemKind kind : kItemKinds) {
    const std::string_view suffix = file_suffix(kind);
    if (text.size() <= suffix.size() || !text.ends_with(suffix)) continue;
    std::optional<std::string> name = decode_name(text.substr(0, text.size() - suffix.size()));
    if (!name) return std::nullopt;
    return ItemId{std::move(*name), kind};
  }
  return std::nullopt;
}

std::size_t cut_before(std::string_view text, std::size_t at) noexcept {
  // Dots do not follow each other, so this ends after a few steps.
  while (text[at] == '.' || text[at - 1] == '%' || text[at - 2] == '%') --at;
  return at;
}

}  // namespace unum
