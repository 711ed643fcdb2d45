// Encoding of sessions and names into the table's key, and back.
#include "stores/dynamodb/key.hpp"

#include <openssl/sha.h>

#include <array>

#include "base/utf8.hpp"
#include "stores/name_encoding.hpp"
#include "unum/assert.hpp"

namespace unum::dynamodb {
namespace {

// What an encoded session or name may take of a key; the rest is for '/', writers and groups.
constexpr std::size_t kSessionPartMax = 900;
constexpr std::size_t kItemPartMax = 1000;
constexpr char kHex[] = "0123456789ABCDEF";

/// Bytes that stand for themselves and are a character each.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) plain[c] = c != '/' && c != '%' && c != '#';
  return plain;
}();

void append_encoded(std::string& out, std::string_view text) {
  for (std::size_t place = 0; place < text.size();) {
    const std::size_t begin = place;
    while (place < text.size() && kPlain[static_cast<unsigned char>(text[place])]) ++place;
    out.append(text, begin, place - begin);
    if (place == text.size()) return;
    const auto c = static_cast<unsigned char>(text[place]);
    const std::size_t length = c < 0x80 ? 0 : utf8_character(text, place).length;
    if (length > 0) {
      out.append(text, place, length);
      place += length;
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 0xF];
      ++place;
    }
  }
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t place = 0; place < text.size(); ++place) {
    if (text[place] != '%') {
      out += text[place];
      continue;
    }
    if (place + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[place + 1]);
    const int low = hex_digit(text[place + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    place += 2;
  }
  return out;
}

void append_hash(std::string& out, std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  out += '#';
  for (const unsigned char byte : hash) {
    out += kHex[byte >> 4];
    out += kHex[byte & 0xF];
  }
}

}  // namespace

std::string session_prefix(std::string_view session) {
  std::string prefix;
  prefix.reserve(session.size() + 1);
  append_encoded(prefix, session);
  if (prefix.size() > kSessionPartMax) {
    prefix.clear();
    append_hash(prefix, session);
  }
  prefix += '/';
  return prefix;
}

void append_item_part(std::string& key, std::string_view name, ItemKind kind) {
  const std::size_t begin = key.size();
  append_encoded(key, name);
  if (key.size() - begin > kItemPartMax) {
    key.resize(begin);
    append_hash(key, name);
  }
  key += item_suffix(kind);
}

std::string item_key(std::string_view session, const ItemId& item) {
  std::string key = session_prefix(session);
  append_item_part(key, item.name, item.kind);
  UNUM_ASSERT(key.size() <= kKeyBytesMax);
  return key;
}

std::string full_name(std::string_view session, const ItemId& item) {
  std::string full;
  append_encoded(full, session);
  const std::size_t session_bytes = full.size();
  full += '/';
  append_encoded(full, item.name);
  const std::size_t name_bytes = full.size() - session_bytes - 1;
  if (session_bytes <= kSessionPartMax && name_bytes <= kItemPartMax) return {};
  full += item_suffix(item.kind);
  return full;
}

std::optional<KeyParts> split_key(std::string_view key) noexcept {
  const std::size_t first = key.find('/');
  if (first == std::string_view::npos || first == 0) return std::nullopt;
  KeyParts parts;
  parts.session = key.substr(0, first);
  parts.item = key.substr(first + 1);
  const std::size_t second = parts.item.find('/');
  if (second != std::string_view::npos) {
    parts.inner = parts.item.substr(second + 1);
    parts.item = parts.item.substr(0, second);
    if (parts.inner.empty()) return std::nullopt;
  }
  return parts;
}

std::optional<ParsedKey> parse_key(std::string_view key, std::string_view full) {
  const std::optional<KeyParts> parts = split_key(full.empty() ? key : full);
  if (!parts || !parts->inner.empty()) return std::nullopt;
  if (parts->session.front() == '#' || parts->item.starts_with('#')) return std::nullopt;
  std::optional<ItemId> item = parse_item_name(parts->item);
  if (!item) return std::nullopt;
  std::optional<std::string> session = decoded(parts->session);
  std::optional<std::string> name = decoded(item->name);
  if (!session || !name) return std::nullopt;
  return ParsedKey{std::move(*session), {std::move(*name), item->kind}};
}

std::optional<std::string> parse_session(std::string_view key, std::string_view full) {
  const std::optional<KeyParts> parts = split_key(full.empty() ? key : full);
  if (!parts || parts->session.front() == '#') return std::nullopt;
  return decoded(parts->session);
}

}  // namespace unum::dynamodb
