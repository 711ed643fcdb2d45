// The file-system store: opening, listing, removing and closing.
#include "stores/fs/fs_store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/wall_time.hpp"
#include "reactor/files.hpp"
#include "reactor/random_text.hpp"
#include "stores/fs/fs_store_impl.hpp"

namespace unum::fs {
namespace {

// Writes in flight at once, each with an open file: one flush's worth. More gain nothing, since
// successive flushes overlap.
constexpr std::size_t kWritesInFlightMax = 1024;
// Descriptors left to everything else in the process.
constexpr std::size_t kDescriptorsLeft = 128;
// What a writer that died left behind is removed after this time: longer than any write takes.
constexpr std::chrono::hours kTemporaryAgeMax{1};

std::size_t writes_in_flight_max() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return kWritesInFlightMax;
  const std::size_t open_max = limit.rlim_cur;
  return std::clamp((open_max - std::min(open_max, kDescriptorsLeft)) / 2, std::size_t{8},
                    kWritesInFlightMax);
}

std::string random_prefix(Reactor& reactor) {
  std::string text(kHiddenPrefix);
  return text + std::to_string(::getpid()) + '-' + random_hex(reactor, 8) + '-';
}

Error no_such_store(const std::string& name) {
  return Error(ErrorKind::not_found, "fs", "Unum.NoSuchStore",
               "the data store fs:" + name + " does not exist; `unum store create fs:" + name +
                   "` makes it");
}

/// Whether files without a name can be written and named here, and how; throws what makes writing
/// impossible.
Task<void> probe(SystemCalls& calls, const std::string& name, int root, FileSystem& found) {
  const std::string linked = random_prefix(calls.reactor()) + "probe";
  int fd = co_await calls.open_at(root, ".", O_TMPFILE | O_WRONLY, 0600);
  if (fd >= 0) {
    const Descriptor file(fd);
    // Without a walk through /proc, which costs several microseconds. Older kernels refuse it to
    // processes without CAP_DAC_READ_SEARCH.
    int result = co_await calls.link_at(fd, "", root, linked.c_str(), AT_EMPTY_PATH);
    found.by_descriptor = result == 0;
    if (result != 0) {
      const std::string from = "/proc/self/fd/" + std::to_string(fd);
      result =
          co_await calls.link_at(AT_FDCWD, from.c_str(), root, linked.c_str(), AT_SYMLINK_FOLLOW);
    }
    if (result == 0) {
      calls.remove_now(root, linked.c_str());
      co_return;
    }
  }
  found.unnamed = false;
  // A file system without such files (NFS, many FUSE ones), or no /proc: by way of a hidden name.
  fd = co_await calls.open_at(root, linked.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0) {
    const bool denied = fd == -EACCES || fd == -EPERM || fd == -EROFS;
    throw Error(denied ? ErrorKind::denied : system_error("fs", -fd, "").kind(), "fs",
                strerrorname_np(-fd) != nullptr ? strerrorname_np(-fd) : "errno",
                "the data store fs:" + name + " cannot be written: " + strerrordesc_np(-fd));
  }
  const Descriptor file(fd);
  const std::string second = linked + "2";
  const int result = co_await calls.link_at(root, linked.c_str(), root, second.c_str(), 0);
  calls.remove_now(root, linked.c_str());
  if (result < 0) {
    throw Error(ErrorKind::invalid, "fs", "Unum.NoHardLinks",
                "the data store fs:" + name + " is on a file system without hard links (" +
                    strerrordesc_np(-result) +
                    "); a value could not be created exactly once there");
  }
  calls.remove_now(root, second.c_str());
}

/// What kind of file system this is, unless UNUM_FS says: for tests, and for those not known here.
Task<FileSystem> examine(SystemCalls& calls, const std::string& name, int root) {
  FileSystem found;
  calls.set_slow(is_slow_file_system(root));
  co_await probe(calls, name, root, found);
  const char* value = std::getenv("UNUM_FS");
  if (value == nullptr || *value == '\0') co_return found;
  const std::string_view text(value);
  if (text != "local" && text != "proc" && text != "slow" && text != "nfs") {
    throw Error(ErrorKind::invalid, "fs", "UNUM_FS",
                "UNUM_FS is \"" + std::string(text) +
                    "\"; it may be \"local\", \"proc\", \"slow\" or \"nfs\"");
  }
  calls.set_slow(text == "slow" || text == "nfs");
  found.unnamed = found.unnamed && text != "nfs";
  found.by_descriptor = found.by_descriptor && text != "proc";
  co_return found;
}

/// Removes a temporary file whose writer must have died.
Task<void> remove_if_old(SystemCalls& calls, int directory, const char* name, Wait wait) {
  struct ::statx status {};
  const int error =
      co_await calls.statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_MTIME, status, wait);
  const auto now = std::chrono::floor<std::chrono::seconds>(calls.reactor().wall_time());
  const auto changed = std::chrono::sys_seconds(std::chrono::seconds(status.stx_mtime.tv_sec));
  if (error == 0 && changed < now - kTemporaryAgeMax) calls.remove_now(directory, name);
}

}  // namespace

// --- Opening and making -------------------------------------------------------------------------

Task<std::unique_ptr<Store>> open_fs_store(Reactor& reactor, std::string_view name,
                                           const StoreOptions& options) {
  return open_with(std::make_unique<SystemCalls>(reactor), name, options);
}

Task<std::unique_ptr<Store>> open_with(std::unique_ptr<SystemCalls> calls, std::string_view given,
                                       const StoreOptions& given_options) {
  const std::string name(given);
  // The caller's may be gone after the first wait.
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization)
  const StoreOptions options = given_options;
  // Of the file system nothing is known yet.
  const int fd = co_await calls->open_waiting(AT_FDCWD, name.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd == -ENOENT) throw no_such_store(name);
  if (fd == -ENOTDIR) {
    throw Error(ErrorKind::invalid, "fs", "ENOTDIR",
                "the data store fs:" + name + " is not a directory, or something above it is not");
  }
  if (fd < 0) throw system_error("fs", -fd, "opening the data store fs:" + name);
  const auto root = std::make_shared<Directory>(Descriptor(fd), nullptr, std::string());
  const FileSystem file_system = co_await examine(*calls, name, fd);
  std::unique_ptr<Store> store =
      std::make_unique<FsStore>(std::move(calls), name, root, file_system, options);
  co_return store;
}

Task<bool> create_fs_store(Reactor& reactor, std::string_view given) {
  const std::string name(given);
  bool made = false;
  for (std::size_t at = 0; at != std::string::npos;) {
    at = name.find('/', at + 1);
    const std::string part = name.substr(0, at);
    const int result = co_await reactor.make_dir_at(AT_FDCWD, part.c_str(), 0777);
    // What is there is looked at below; on the way down only the rest of the path tells.
    if (result < 0 && result != -EEXIST && result != -EISDIR) {
      const int there = co_await reactor.open_at(AT_FDCWD, part.c_str(), O_PATH | O_DIRECTORY);
      if (there < 0) throw system_error("fs", -result, "making the data store fs:" + name);
      ::close(there);
    }
    if (result == 0) {
      made = true;
      const std::string above = part.substr(0, part.find_last_of('/') + 1);
      const int fd = co_await reactor.open_at(AT_FDCWD, above.empty() ? "." : above.c_str(),
                                              O_RDONLY | O_DIRECTORY);
      if (fd >= 0) {
        co_await reactor.sync_all(fd);
        ::close(fd);
      }
    }
  }
  const int fd = co_await reactor.open_at(AT_FDCWD, name.c_str(), O_PATH | O_DIRECTORY);
  if (fd < 0) throw system_error("fs", -fd, "making the data store fs:" + name);
  ::close(fd);
  co_return made;
}

FsStore::FsStore(std::unique_ptr<SystemCalls> calls, std::string name, const DirectoryPtr& root,
                 FileSystem file_system, const StoreOptions& options)
    : calls_(std::move(calls)),
      name_(std::move(name)),
      file_system_(file_system),
      durable_(options.durable),
      in_flight_max_(std::max<std::size_t>(1, options.in_flight_max)),
      sessions_(*calls_, counters_, root),
      commit_(*calls_, counters_, root),
      free_slots_(writes_in_flight_max()),
      temporary_prefix_(random_prefix(reactor())),
      fan_in_(*this, {.settle = [this](const SessionContext& context, Wait wait) {
        return settle(context, wait);
      }}) {
  counters_.connections = 1;
}

FsStore::~FsStore() = default;

Task<void> FsStore::close() {
  co_await commit_.drain();
  tombstone_ = nullptr;
  sessions_.clear();
}

// --- Listing ------------------------------------------------------------------------------------

Task<void> FsStore::list_items(DirectoryPtr directory, std::string prefix,
                               std::vector<ListedItem>& out, Wait wait) {
  const int fd = directory->fd.get();
  ++counters_.requests;
  const std::vector<DirectoryEntry> entries = co_await calls_->entries(fd, wait);
  const auto add = [&](std::size_t i) -> Task<void> {
    const DirectoryEntry& entry = entries[i];
    if (entry.name.starts_with(kHiddenPrefix)) {
      co_await remove_if_old(*calls_, fd, entry.name.c_str(), wait);
      co_return;
    }
    if (is_continued(entry.name)) {
      const std::vector<std::string> component{entry.name};
      const DirectoryPtr below = co_await sessions_.descend(directory, component, false, wait);
      if (below) {
        co_await list_items(below, prefix + entry.name.substr(0, entry.name.size() - 1), out, wait);
      }
      co_return;
    }
    std::optional<ItemId> id = decode_item(prefix + entry.name);
    if (!id) co_return;
    struct ::statx status {};
    ++counters_.requests;
    const int result = co_await calls_->statx(fd, entry.name.c_str(), AT_SYMLINK_NOFOLLOW,
                                              STATX_SIZE | STATX_MTIME, status, wait);
    if (result == -ENOENT) co_return;  // removed since
    if (result < 0) throw file_error(-result, "looking at", fd, entry.name.c_str());
    ListedItem item;
    item.bytes = status.stx_size;
    item.modified_unix_ns = saturated_unix_ns(status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec);
    item.id = std::move(*id);
    out.push_back(std::move(item));
  };
  co_await for_each_bounded(entries.size(), in_flight_max_, add);
}

Task<std::vector<ListedItem>> FsStore::list(const SessionContext& context, Wait wait) {
  std::vector<ListedItem> items;
  DirectoryPtr directory = co_await sessions_.find(context.session(), wait);
  if (directory && forget_if_gone(context, *directory)) {
    directory = co_await sessions_.find(context.session(), wait);
  }
  if (directory) co_await list_items(directory, {}, items, wait);
  co_return items;
}

Task<void> FsStore::list_sessions_in(DirectoryPtr directory, std::string prefix,
                                     std::vector<std::string>& out, Wait wait) {
  const int fd = directory->fd.get();
  ++counters_.requests;
  const std::vector<DirectoryEntry> entries = co_await calls_->entries(fd, wait);
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.starts_with(kHiddenPrefix)) {
      co_await remove_if_old(*calls_, fd, entry.name.c_str(), wait);
      continue;
    }
    bool is_directory = entry.type == DT_DIR;
    if (entry.type == DT_UNKNOWN) {
      struct ::statx status {};
      const int result = co_await calls_->statx(fd, entry.name.c_str(), AT_SYMLINK_NOFOLLOW,
                                                STATX_TYPE, status, wait);
      is_directory = result == 0 && S_ISDIR(status.stx_mode);
    }
    if (!is_directory) continue;
    if (is_continued(entry.name)) {
      const std::vector<std::string> component{entry.name};
      const DirectoryPtr below = co_await sessions_.descend(directory, component, false, wait);
      const std::string joined = prefix + entry.name.substr(0, entry.name.size() - 1);
      if (below) co_await list_sessions_in(below, joined, out, wait);
    } else if (std::optional<std::string> id = decode_session(prefix + entry.name)) {
      out.push_back(std::move(*id));
    }
  }
}

Task<std::vector<std::string>> FsStore::list_sessions(Wait wait) {
  std::vector<std::string> ids;
  co_await list_sessions_in(sessions_.root(), {}, ids, wait);
  co_return ids;
}

// --- Removing -----------------------------------------------------------------------------------

/// Removes the directory and those above it, as far as they are empty.
Task<void> FsStore::remove_if_empty(DirectoryPtr directory, const Directory* until) {
  while (directory->parent && directory.get() != until) {
    ++counters_.requests;
    const int result = co_await calls_->unlink_at(directory->parent->fd.get(),
                                                  directory->component.c_str(), AT_REMOVEDIR);
    if (result < 0) co_return;  // not empty, usually; an empty directory harms nobody
    directory = directory->parent;
  }
}

Task<void> FsStore::remove(const SessionContext& context, std::span<const ItemId> items,
                           Wait wait) {
  fan_in_.forget(items);
  DirectoryPtr session = co_await sessions_.find(context.session(), wait);
  if (session && forget_if_gone(context, *session)) {
    session = co_await sessions_.find(context.session(), wait);
  }
  if (!session) co_return;
  const auto remove_one = [&](std::size_t i) -> Task<void> {
    const ItemPath path(items[i].name, items[i].kind);
    DirectoryPtr directory = session;
    if (!path.directories().empty()) {
      directory = co_await sessions_.descend(session, path.directories(), false, wait);
      if (!directory) co_return;
    }
    ++counters_.requests;
    const int result = co_await calls_->unlink_at(directory->fd.get(), path.file(), 0, wait);
    if (result < 0 && result != -ENOENT) throw_failed(-result, "removing", context, items[i]);
    if (directory != session) co_await remove_if_empty(directory, session.get());
  };
  co_await for_each_bounded(items.size(), in_flight_max_, remove_one);
  co_await remove_if_empty(session, nullptr);
  forget_if_gone(context, *session);
}

// --- Before a claim -----------------------------------------------------------------------------

Task<void> FsStore::settle(const SessionContext& context, Wait wait) {
  if (!durable_) co_return;
  const DirectoryPtr session = co_await sessions_.find(context.session(), wait);
  if (session) co_await settle_nested(session, wait);
}

/// The directory's names, and those of the directories in it that carry long names.
Task<void> FsStore::settle_nested(DirectoryPtr directory, Wait wait) {
  struct ::stat status {};
  const int fd = directory->fd.get();
  const int unknown = calls_->stat(fd, status);
  if (unknown < 0) throw file_error(-unknown, "looking at", fd, "");
  // Nothing was linked since the last flush began: that is all on disk.
  if (calls_->is_slow() || !directory->on_disk(status.st_mtim)) {
    const int error = co_await commit_.names(directory, wait);
    if (error < 0) throw file_error(-error, "writing to the disk the names in", fd, "");
  }
  // A directory's link count is 2 and one for each directory in it; 1 where a file system does not
  // count.
  if (status.st_nlink == 2) co_return;
  const std::vector<DirectoryEntry> entries = co_await calls_->entries(fd, wait);
  for (const DirectoryEntry& entry : entries) {
    if (!is_continued(entry.name)) continue;
    const std::vector<std::string> component{entry.name};
    const DirectoryPtr below = co_await sessions_.descend(directory, component, false, wait);
    if (below) co_await settle_nested(below, wait);
  }
}

}  // namespace unum::fs
