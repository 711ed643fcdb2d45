// A hash table of names that stand behind each other in one text.
#include "stores/fs/name_set.hpp"

#include <dirent.h>

#include <cerrno>
#include <functional>
#include <memory>

#include "unum/assert.hpp"

namespace unum::fs {
namespace {

constexpr std::size_t kTablePlacesMin = 64;
constexpr std::size_t kEntriesBytes = 64 * 1024;

std::size_t hash_of(std::string_view name) noexcept { return std::hash<std::string_view>()(name); }

}  // namespace

void NameSet::insert(std::uint32_t at) noexcept {
  const std::size_t mask = table_.size() - 1;
  std::size_t place = hash_of(names_.data() + at - 1) & mask;
  while (table_[place] != 0) place = (place + 1) & mask;
  table_[place] = at;
}

void NameSet::grow() {
  table_.assign(table_.empty() ? kTablePlacesMin : table_.size() * 2, 0);
  std::size_t at = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    insert(static_cast<std::uint32_t>(at + 1));
    at = names_.find('\0', at) + 1;
  }
}

void NameSet::add(std::string_view name) {
  UNUM_ASSERT(names_.size() + name.size() < UINT32_MAX);
  if ((size_ + 1) * 2 > table_.size()) grow();
  const auto at = static_cast<std::uint32_t>(names_.size() + 1);
  names_.append(name).push_back('\0');
  insert(at);
  ++size_;
}

bool NameSet::contains(std::string_view name) const noexcept {
  if (size_ == 0) return false;
  const std::size_t mask = table_.size() - 1;
  for (std::size_t place = hash_of(name) & mask; table_[place] != 0; place = (place + 1) & mask) {
    if (names_.data() + table_[place] - 1 == name) return true;
  }
  return false;
}

long add_entries(int directory, NameSet& names) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kEntriesBytes);
  const ssize_t size = ::getdents64(directory, buffer.get(), kEntriesBytes);
  if (size < 0) return -errno;
  for (ssize_t at = 0; at < size;) {
    const auto* entry = reinterpret_cast<const dirent64*>(buffer.get() + at);
    names.add(entry->d_name);
    at += entry->d_reclen;
  }
  return size;
}

}  // namespace unum::fs
