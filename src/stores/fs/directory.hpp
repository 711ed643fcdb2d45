// An open directory of the store, and what is known about its entries' way to the disk.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "reactor/descriptor.hpp"

namespace unum::fs {

struct Directory {
  Descriptor fd;
  std::shared_ptr<Directory> parent;  ///< None for the store's root, which was there before us.
  std::string component;              ///< Its name in its parent.
  bool name_durable = false;          ///< Its entry in its parent is on disk.
  /// Made through this object: all that is in it is younger, so that the kernel has its entries
  /// cached, and a lookup of one does not wait for the disk.
  bool made_here = false;
  /// What was changed in it with a time stamp before this one is on disk.
  timespec synced_before{};

  Directory(Descriptor open, std::shared_ptr<Directory> above, std::string name)
      : fd(std::move(open)),
        parent(std::move(above)),
        component(std::move(name)),
        name_durable(parent == nullptr) {}

  /// Whether a change with this time stamp (of a file or of the directory itself) is known to be on
  /// disk. A stamp without a fraction may have been cut to whole seconds, as ext4 with small inodes
  /// does.
  bool on_disk(const timespec& changed) const noexcept {
    if (!name_durable) return false;
    const time_t slack = changed.tv_nsec == 0 ? 2 : 0;
    if (changed.tv_sec != synced_before.tv_sec - slack) {
      return changed.tv_sec < synced_before.tv_sec - slack;
    }
    return changed.tv_nsec < synced_before.tv_nsec;
  }
};
using DirectoryPtr = std::shared_ptr<Directory>;

}  // namespace unum::fs
