// The keys of one read of many: each once, found again by its text in no particular order.
//
// BatchGetItem refuses a key that comes twice and answers in an order of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "stores/dynamodb/key.hpp"

namespace unum::dynamodb {

class KeyTable {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  /// For at most `count` keys, all of which begin with `prefix`.
  KeyTable(std::string prefix, std::size_t count) : prefix_(std::move(prefix)) {
    std::size_t slots = 16;
    while (slots < count * 2) slots *= 2;
    slots_.assign(slots, 0);
    keys_.reserve(count);
    text_.reserve(count * (prefix_.size() + 40));
  }

  /// The index of the item's key: a new one, or the one that it has.
  std::size_t add(std::string_view name, ItemKind kind) {
    const std::size_t begin = text_.size();
    text_ += prefix_;
    append_item_part(text_, name, kind);
    const std::string_view key = std::string_view(text_).substr(begin);
    std::uint32_t& slot = slot_of(key);
    if (slot != 0) {
      text_.resize(begin);
      return slot - 1;
    }
    keys_.push_back({begin, key.size()});
    slot = static_cast<std::uint32_t>(keys_.size());
    return keys_.size() - 1;
  }

  std::size_t find(std::string_view key) const {
    if (!key.starts_with(prefix_)) return kNone;
    const std::uint32_t slot = const_cast<KeyTable*>(this)->slot_of(key);
    return slot == 0 ? kNone : slot - 1;
  }

  std::size_t size() const noexcept { return keys_.size(); }
  /// Valid until the next `add`.
  std::string_view key(std::size_t index) const {
    return std::string_view(text_).substr(keys_[index].begin, keys_[index].size);
  }

 private:
  struct Place {
    std::size_t begin;
    std::size_t size;
  };
  /// The slot that holds the key, which begins with the prefix, or the empty one where it belongs
  /// (open addressing).
  std::uint32_t& slot_of(std::string_view text) {
    const std::string_view rest = text.substr(prefix_.size());
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = std::hash<std::string_view>{}(rest)&mask;
    while (slots_[at] != 0 && key(slots_[at] - 1).substr(prefix_.size()) != rest) {
      at = (at + 1) & mask;
    }
    return slots_[at];
  }

  const std::string prefix_;
  std::string text_;
  std::vector<Place> keys_;
  std::vector<std::uint32_t> slots_;  ///< Index plus one; 0: empty. Never more than half full.
};

}  // namespace unum::dynamodb
