// Names of a session's keys. All of them hold the hash tag {session}, so that a session is in one
// slot of a cluster and a script can reach all of it.
//
//   unum:{<session>}                       index: a sorted set of the items' names by their time
//   unum:{<session>}:<item name>           an item's value ("F-unumIndex-2-output")
//   unum:{<session>}:<aggregator>-marks    a fan-in under way: bit p stands for the p-th name
//   unum:{<session>}:<aggregator>-looks    its existence checks: the list's digest, a missing name
//   unum:{<session>}:-under-way            set of the aggregators that have the two above
//   unum:{<session>}:<writer>-<n>-parts    a long value on its way; expires
//
// No item's name ends in "-marks", "-looks", "-under-way" or "-parts" (see item_name.cpp), so
// nothing clashes. The suffix "-looks" is an older word for the existence checks. It stays:
// sessions are stored under it, and a process that knew another name beside one that knows this one
// would share the marks but not the digest that they belong to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/store.hpp"

namespace unum::redis {

inline constexpr std::string_view kSessionsPattern = "unum:{*}";
inline constexpr std::string_view kMarksSuffix = "-marks";
inline constexpr std::string_view kChecksSuffix = "-looks";

/// The session's index, and the beginning of all its other keys. Braces and '%' in the session are
/// percent-encoded: the tag is always the whole session.
std::string index_key(std::string_view session);
/// The reverse; nothing for a key that is no index.
std::optional<std::string> session_of_index(std::string_view key);

inline std::string item_key(std::string_view index, std::string_view name, ItemKind kind) {
  return std::string(index) + ":" + item_name(name, kind);
}

inline std::string parts_key(std::string_view index, std::string_view writer, std::uint64_t n) {
  return std::string(index) + ":" + std::string(writer) + "-" + std::to_string(n) + "-parts";
}

/// Many keys of outcomes in one allocation.
class OutcomeKeys {
 public:
  OutcomeKeys(std::string_view index, std::span<const Pointer> pointers);
  /// Behind a command's name, as arguments.
  void append_to(std::vector<std::string_view>& arguments) const;

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

}  // namespace unum::redis
