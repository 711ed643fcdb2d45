// Keys of a bucket: encoding, shortening, and back.
#include "stores/s3/keys.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "stores/name_encoding.hpp"

namespace unum::s3 {
namespace {

constexpr std::string_view kShortenedMark = "%~";
constexpr std::size_t kHashDigits = 64;
// How much of a shortened name stays readable.
constexpr std::size_t kHeadBytes = 100;
constexpr std::size_t kSuffixBytesMax = std::string_view("-output.json").size();
static_assert(kHeadBytes + kShortenedMark.size() + kHashDigits + kSuffixBytesMax <=
              kComponentBytesMax);
static_assert(kPrefixBytesMax + 2 * kComponentBytesMax + kCompanionSuffix.size() + 1 <= 1024);

constexpr char kHexUpper[] = "0123456789ABCDEF";
constexpr char kHexLower[] = "0123456789abcdef";

bool is_lower_or_digit(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alphanumeric(char c) noexcept { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }
bool is_unreserved(char c) noexcept {
  return is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

/// Whether the name stands for itself both as a component and in a path: nearly every one does.
bool is_plain(std::string_view name) noexcept {
  char previous = '.';
  for (const char c : name) {
    if (!is_unreserved(c) || (c == '.' && previous == '.')) return false;
    previous = c;
  }
  return true;
}

void append_sha256(std::string& out, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  std::size_t size = 0;
  if (EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), hash.data(), &size) != 1) {
    throw Error(ErrorKind::exhausted, "s3", "Unum.NoSha256", "libcrypto cannot compute a SHA-256");
  }
  for (std::size_t i = 0; i < size; ++i) {
    out += kHexLower[hash[i] >> 4];
    out += kHexLower[hash[i] & 0xF];
  }
}

/// Appends the encoded name, shortened if it and its suffix are too long, and the suffix.
void append_component(std::string& out, std::string_view name, std::string_view suffix) {
  std::string text = encode_name(name);
  if (text.size() + suffix.size() > kComponentBytesMax) {
    text.resize(cut_before(text, kHeadBytes));
    text += kShortenedMark;
    append_sha256(text, name);
  }
  out.append(text).append(suffix);
}

void append_component_url(std::string& out, std::string_view name, std::string_view suffix) {
  if (name.size() + suffix.size() <= kComponentBytesMax && is_plain(name)) {
    out.append(name).append(suffix);
    return;
  }
  std::string component;
  append_component(component, name, suffix);
  append_url(out, component, false);
}

bool is_too_long(std::string_view name, std::string_view suffix) {
  if (name.size() * 3 + suffix.size() <= kComponentBytesMax) return false;
  return encode_name(name).size() + suffix.size() > kComponentBytesMax;
}

[[noreturn]] void throw_bad_name(std::string_view name, const std::string& why) {
  throw Error(ErrorKind::invalid, "stores", "Unum.InvalidStoreName",
              "\"" + std::string(name) + "\" names no S3 store: " + why +
                  "; it should be a bucket, or bucket/prefix");
}

void check_bucket(std::string_view name, std::string_view bucket) {
  if (bucket.size() < 3 || bucket.size() > 63) {
    throw_bad_name(name, "a bucket's name has 3 to 63 characters");
  }
  const auto allowed = [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
  };
  const auto bad = std::find_if_not(bucket.begin(), bucket.end(), allowed);
  if (bad != bucket.end() || !is_alphanumeric(bucket.front()) || !is_alphanumeric(bucket.back()) ||
      bucket.find("..") != std::string_view::npos) {
    throw_bad_name(name,
                   "a bucket's name holds letters, digits, hyphens and single dots, and begins and "
                   "ends with a letter or digit");
  }
  const bool is_address = std::count(bucket.begin(), bucket.end(), '.') == 3 &&
                          bucket.find_first_not_of("0123456789.") == std::string_view::npos;
  if (is_address) throw_bad_name(name, "a bucket's name does not look like an IP address");
  if (bucket.ends_with("--x-s3")) {
    throw_bad_name(name,
                   "a directory bucket lists its keys in no order and is signed for in another "
                   "way; use a general purpose bucket");
  }
}

}  // namespace

Location parse_location(std::string_view name) {
  const std::size_t slash = name.find('/');
  Location location{std::string(name.substr(0, slash)), {}};
  check_bucket(name, location.bucket);
  if (slash == std::string_view::npos) return location;
  std::string_view prefix = name.substr(slash + 1);
  if (prefix.empty()) return location;
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.size() >= kPrefixBytesMax) {
    throw_bad_name(name, "a prefix has fewer than " + std::to_string(kPrefixBytesMax) + " bytes");
  }
  const auto allowed = [](char c) { return c > ' ' && c < '\x7f' && c != '\\'; };
  if (!std::all_of(prefix.begin(), prefix.end(), allowed)) {
    throw_bad_name(name, "a prefix holds printable ASCII characters, no blanks and no backslashes");
  }
  for (std::string_view rest = prefix;;) {
    const std::string_view component = rest.substr(0, rest.find('/'));
    if (component.empty() || component == "." || component == "..") {
      throw_bad_name(name, "no part of a prefix is empty, \".\" or \"..\"");
    }
    if (component.size() == rest.size()) break;
    rest.remove_prefix(component.size() + 1);
  }
  location.prefix = std::string(prefix) + '/';
  return location;
}

bool fits_host_name(std::string_view bucket) noexcept {
  return std::all_of(bucket.begin(), bucket.end(),
                     [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

void append_session(std::string& out, std::string_view session) {
  append_component(out, session, {});
}

void append_item(std::string& out, std::string_view name, ItemKind kind) {
  append_component(out, name, file_suffix(kind));
}

void append_session_url(std::string& out, std::string_view session) {
  append_component_url(out, session, {});
}

void append_item_url(std::string& out, std::string_view name, ItemKind kind) {
  append_component_url(out, name, file_suffix(kind));
}

void append_url(std::string& out, std::string_view text, bool keep_slashes) {
  for (const char c : text) {
    if (is_unreserved(c) || (keep_slashes && c == '/')) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHexUpper[byte >> 4];
    out += kHexUpper[byte & 0xF];
  }
}

bool needs_companion(std::string_view session, std::string_view name, ItemKind kind) {
  return is_too_long(session, {}) || is_too_long(name, file_suffix(kind));
}

std::string companion_text(std::string_view session, std::string_view name) {
  std::string text = std::to_string(session.size());
  text += '\n';
  text.append(session).append(name);
  return text;
}

std::optional<FullName> parse_companion(std::string_view text) {
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end == text.data() + text.size() || *end != '\n') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  if (size > text.size()) return std::nullopt;
  return FullName{std::string(text.substr(0, size)), std::string(text.substr(size))};
}

bool is_shortened(std::string_view component) noexcept {
  return component.find(kShortenedMark) != std::string_view::npos;
}

std::optional<std::string> decode_session(std::string_view component) {
  if (component.empty() || component.front() == '.') return std::nullopt;
  return decode_name(component);
}

std::optional<ItemId> decode_item(std::string_view component) {
  if (component.empty() || component.front() == '.') return std::nullopt;
  return decode_file_name(component);
}

std::optional<ItemKind> shortened_kind(std::string_view component) {
  const std::size_t mark = component.find(kShortenedMark);
  if (mark == std::string_view::npos) return std::nullopt;
  component.remove_prefix(std::min(component.size(), mark + kShortenedMark.size() + kHashDigits));
  for (const ItemKind kind : kItemKinds) {
    if (component == file_suffix(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace unum::s3
