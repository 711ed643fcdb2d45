// Encoding of sessions in keys.
#include "stores/redis/keys.hpp"

#include <charconv>

namespace unum::redis {
namespace {

constexpr std::string_view kBegin = "unum:{";
constexpr std::string_view kOutcomeSuffix = "-output";

}  // namespace

std::string index_key(std::string_view session) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string key;
  key.reserve(kBegin.size() + session.size() + 1);
  key += kBegin;
  for (const char c : session) {
    if (c == '{' || c == '}' || c == '%') {
      key += '%';
      key += kHex[static_cast<unsigned char>(c) >> 4];
      key += kHex[static_cast<unsigned char>(c) & 0xF];
    } else {
      key += c;
    }
  }
  key += '}';
  return key;
}

std::optional<std::string> session_of_index(std::string_view key) {
  if (!key.starts_with(kBegin) || !key.ends_with('}')) return std::nullopt;
  key.remove_prefix(kBegin.size());
  key.remove_suffix(1);
  std::string session;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '{' || key[i] == '}') return std::nullopt;
    if (key[i] != '%') {
      session += key[i];
      continue;
    }
    const std::string_view digits = key.substr(i + 1, 2);
    unsigned byte = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    session += static_cast<char>(byte);
    i += 2;
  }
  if (session.empty()) return std::nullopt;
  return session;
}

OutcomeKeys::OutcomeKeys(std::string_view index, std::span<const Pointer> pointers) {
  std::size_t bytes = 0;
  for (const Pointer& pointer : pointers)
    bytes += index.size() + 1 + pointer.name().size() + kOutcomeSuffix.size();
  text_.reserve(bytes);
  ends_.reserve(pointers.size());
  for (const Pointer& pointer : pointers) {
    text_.append(index).append(":").append(pointer.name()).append(kOutcomeSuffix);
    ends_.push_back(text_.size());
  }
}

void OutcomeKeys::append_to(std::vector<std::string_view>& arguments) const {
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    arguments.push_back(std::string_view(text_).substr(begin, end - begin));
    begin = end;
  }
}

}  // namespace unum::redis
