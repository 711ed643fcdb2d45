// The directories of sessions, kept open: those used last, so that an item costs one name and not a
// path.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stores/fs/directory.hpp"
#include "stores/fs/system_calls.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/reactor.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum::fs {

class SessionDirectories {
 public:
  SessionDirectories(SystemCalls& calls, StoreCounters& counters, DirectoryPtr root);

  const DirectoryPtr& root() const noexcept { return root_; }
  /// The session's directory if it is open already.
  DirectoryPtr cached(std::string_view session) noexcept;
  /// Nothing if there is none.
  Task<DirectoryPtr> find(std::string_view session, Wait wait);
  /// Makes it if there is none.
  Task<DirectoryPtr> make(std::string_view session, Wait wait);
  /// The directory that `components` lead to; nothing if there is none and it is not to be made.
  Task<DirectoryPtr> descend(DirectoryPtr from, const std::vector<std::string>& components,
                             bool make, Wait wait);
  /// Forgets a session whose directory was removed.
  void drop(std::string_view session) noexcept;
  void clear() noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Entry {
    DirectoryPtr directory;
    std::list<std::string>::iterator order;
  };
  Task<DirectoryPtr> open(std::string_view session, bool make, Wait wait);
  void keep(std::string_view session, const DirectoryPtr& directory);

  SystemCalls& calls_;
  StoreCounters& counters_;
  const DirectoryPtr root_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> open_;
  /// Sessions that a call is just opening; others wait for it, so that a thousand calls open one
  /// directory.
  std::unordered_map<std::string, std::shared_ptr<detail::WaitList>, Hash, std::equal_to<>>
      opening_;
  std::list<std::string> order_;  // oldest first
};

}  // namespace unum::fs
