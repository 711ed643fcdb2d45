// The types of data stores: one table for templates, payloads, opening and the command.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace unum {

enum class StoreType : std::uint8_t { fs, memory, redis, dynamodb, s3 };

struct StoreTypeInfo {
  StoreType type = StoreType::fs;
  std::string_view word;      ///< "fs": as it stands before the colon, in templates and payloads.
  std::string_view alias;     ///< Another word for it, or empty.
  std::string_view named_by;  ///< What a template must name it by; empty: it has a default.
  bool may_hold_secret = false;  ///< Its name may: a password, for example.
};

/// Of a type, by its word or its alias in lower case; null for another word.
const StoreTypeInfo* find_store_type(std::string_view word) noexcept;
const StoreTypeInfo& store_type_info(StoreType type) noexcept;
std::string_view to_string(StoreType type) noexcept;
/// All words and aliases, for did_you_mean.
std::span<const std::string_view> store_type_words() noexcept;

/// Why `word`, in any case, cannot be a data store, if it names a queue or a publish/subscribe
/// service; nothing for another word.
std::optional<std::string> queue_refusal(std::string_view word);

}  // namespace unum
