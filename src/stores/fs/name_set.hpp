// The names in a directory as a set: of many names, cheaper than a check of each.
//
// A listing costs half of what single checks of as many names do (docs/performance.md). It holds
// what was there; what it does not hold may have come since, or be left out by a file system that
// was changed meanwhile, and needs a check of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unum::fs {

class NameSet {
 public:
  void add(std::string_view name);
  bool contains(std::string_view name) const noexcept;
  std::size_t size() const noexcept { return size_; }

 private:
  void insert(std::uint32_t at) noexcept;
  void grow();

  std::string names_;  // One after the other, each with a NUL behind it.
  // Open addressing: places in `names_` counted from 1; 0 is free. At least half are free.
  std::vector<std::uint32_t> table_;
  std::size_t size_ = 0;
};

/// Adds the entries of the directory from where `directory` stands, as one getdents64 gives them:
/// some 2,000. How many bytes of entries there were, 0 at the end, or a negative errno.
long add_entries(int directory, NameSet& names);

}  // namespace unum::fs
