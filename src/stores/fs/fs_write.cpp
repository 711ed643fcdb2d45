// Writing to the file-system store: the value first, its name when it is whole, never the other way
// round.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "reactor/descriptor_limit.hpp"
#include "reactor/files.hpp"
#include "stores/fs/fs_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::fs {
namespace {

constexpr unsigned kFileMode = 0666;  // as far as the umask allows
// Somebody removes an empty session directory while we write into it: begin again.
constexpr int kAttemptsMax = 8;

}  // namespace

class FsStore::Slot {
 public:
  explicit Slot(FsStore& store) noexcept : store_(store) {}
  ~Slot() { release(); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  /// 0 or a negative errno.
  Task<int> acquire(Wait wait) {
    while (store_.free_slots_ == 0) {
      const int woken = co_await store_.slot_waiters_.wait(store_.reactor(), wait);
      if (woken < 0) co_return woken;
    }
    --store_.free_slots_;
    held_ = true;
    co_return 0;
  }
  void release() noexcept {
    if (!std::exchange(held_, false)) return;
    ++store_.free_slots_;
    store_.slot_waiters_.wake_one();
  }

 private:
  FsStore& store_;
  bool held_ = false;
};

FsStore::Temporary::~Temporary() {
  if (directory && !name.empty()) calls->remove_now(directory->fd.get(), name.c_str());
}

bool FsStore::is_durable(ItemKind kind) const noexcept {
  // A claim, a `wanted`, a confirmation or a session's application that a power loss takes away is
  // made again by whoever comes back; so nobody waits for the disk on their account.
  return durable_ && (kind == ItemKind::outcome || kind == ItemKind::report ||
                      kind == ItemKind::input || kind == ItemKind::delayed);
}

std::string FsStore::temporary_name() { return temporary_prefix_ + std::to_string(temporaries_++); }

std::string FsStore::described(const SessionContext& context, const ItemId& item) const {
  return item_name(item.name, item.kind) + " of session " + context.session() +
         " in the data store fs:" + name_;
}

void FsStore::throw_failed(int error, std::string_view doing, const SessionContext& context,
                           const ItemId& item) const {
  throw system_error("fs", error, std::string(doing) + " " + described(context, item));
}

/// Opens a file for the value: without a name if that will do and the file system can.
Task<FsStore::Temporary> FsStore::write_temporary(const SessionContext& context, const ItemId& item,
                                                  DirectoryPtr directory, std::string_view value,
                                                  bool named, Wait wait) {
  const bool unnamed = !named && file_system_.unnamed;
  Temporary temporary;
  std::string path = unnamed ? "." : temporary_name();
  const int flags = O_WRONLY | (unnamed ? O_TMPFILE : O_CREAT | O_EXCL);
  ++counters_.requests;
  const int above = directory->fd.get();
  int fd = co_await calls_->open_at(above, path.c_str(), flags, kFileMode, wait);
  if (means_no_descriptor(fd)) {
    fd = co_await calls_->open_patiently(above, path.c_str(), flags, kFileMode, wait);
  }
  // The directory was removed: ENOENT, but EPERM on ext4.
  if (fd == -ENOENT || (fd < 0 && calls_->is_gone(above))) co_return temporary;
  if (fd < 0) throw_failed(-fd, "writing", context, item);
  temporary.calls = calls_.get();
  temporary.file = std::make_shared<const Descriptor>(fd);
  temporary.directory = std::move(directory);
  if (!unnamed) temporary.name = std::move(path);
  std::string_view rest = value;
  std::uint64_t offset = 0;
  while (!rest.empty()) {
    const int count = co_await calls_->write(fd, rest, offset, wait);
    if (count <= 0) throw_failed(count < 0 ? -count : ENOSPC, "writing", context, item);
    rest.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  co_return temporary;
}

/// Gives the file its name; -EEXIST if the name is taken.
Task<int> FsStore::link_into(const Temporary& temporary, const Directory& directory,
                             const char* file, Wait wait) {
  std::string from = temporary.name;
  int above = temporary.directory->fd.get();
  int flags = 0;
  if (from.empty() && file_system_.by_descriptor) {
    above = temporary.file->get();
    flags = AT_EMPTY_PATH;
  } else if (from.empty()) {
    from = "/proc/self/fd/" + std::to_string(temporary.file->get());
    above = AT_FDCWD;
    flags = AT_SYMLINK_FOLLOW;
  }
  ++counters_.requests;
  int result = co_await calls_->link_at(above, from.c_str(), directory.fd.get(), file, flags, wait);
  if (result == -EEXIST) {
    // Over NFS the reply to a link that was made may be lost, and the request sent again finds the
    // name taken, by itself. The file's own count of names tells.
    struct ::statx status {};
    const unsigned own_names = temporary.name.empty() ? 0 : 1;
    constexpr int kFlags = AT_EMPTY_PATH | AT_STATX_FORCE_SYNC;
    const int known =
        co_await calls_->statx(temporary.file->get(), "", kFlags, STATX_NLINK, status, wait);
    if (known == 0 && status.stx_nlink > own_names) result = 0;
  }
  co_return result;
}

Task<void> FsStore::write_data(const Temporary& temporary, const SessionContext& context,
                               const ItemId& item, std::string_view value, bool flush, Wait wait) {
  if (!flush) co_return;
  const int error = co_await commit_.data(temporary.file, value.size(), wait);
  if (error < 0) throw_failed(-error, "writing to the disk", context, item);
}

Task<void> FsStore::wait_for_names(const DirectoryPtr& directory, const SessionContext& context,
                                   const ItemId& item, Wait wait) {
  const int error = co_await commit_.names(directory, wait);
  if (error < 0) throw_failed(-error, "writing to the disk the name of", context, item);
}

Task<WriteResult> FsStore::create(const SessionContext& context, const ItemId& item,
                                  std::string_view value, Wait wait) {
  const ItemPath path(item.name, item.kind);
  const bool durable = is_durable(item.kind);
  // Over a network the data must have left this machine before others can see the name, durable or
  // not.
  const bool flush = durable || calls_->is_slow();
  const bool keeps = item.kind == ItemKind::outcome && !context.redelivery().empty();
  Slot slot(*this);
  if (flush) {
    const int error = co_await slot.acquire(wait);
    if (error < 0) throw_failed(-error, "writing", context, item);
  }
  Temporary temporary;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    DirectoryPtr directory = sessions_.cached(context.session());
    if (!directory) directory = co_await sessions_.make(context.session(), wait);
    if (!path.directories().empty()) {
      directory = co_await sessions_.descend(directory, path.directories(), true, wait);
    }
    if (!temporary.file) {
      temporary = co_await write_temporary(context, item, directory, value, false, wait);
      const auto write = [&](std::size_t i) {
        return i == 0 ? write_data(temporary, context, item, value, flush, wait)
                      : keep_beside(context, item, flush, wait);
      };
      if (temporary.file && keeps) {
        co_await for_each_bounded(2, 2, write);
      } else if (temporary.file) {
        co_await write(0);
      }
    }
    const int linked =
        temporary.file ? co_await link_into(temporary, *directory, path.file(), wait) : -ENOENT;
    if (linked == 0) {
      temporary = Temporary();
      slot.release();
      if (durable) co_await wait_for_names(directory, context, item, wait);
      co_return WriteResult{};
    }
    if (linked == -EEXIST) {
      std::optional<std::string> stored = co_await get(context, item, wait);
      if (keeps && stored == kTombstone) {
        const ItemId beside{item.name, ItemKind::garbage};
        co_await remove(context, std::span(&beside, 1), wait);
      }
      if (stored) co_return WriteResult{WriteResult::Status::already_there, std::move(*stored)};
      continue;  // it was removed since
    }
    if (linked != -ENOENT) throw_failed(-linked, "writing", context, item);
    sessions_.drop(context.session());
  }
  throw Error(
      ErrorKind::conflict, "fs", "ENOENT",
      described(context, item) + " could not be written: its directory is removed again and again");
}

/// What stands beside an outcome gets its name first: whoever finds the outcome finds it, too. Both
/// share the flushes of the disk, and that of the names comes with the outcome's.
Task<void> FsStore::keep_beside(const SessionContext& context, const ItemId& item, bool flush,
                                Wait wait) {
  const ItemId beside{item.name, ItemKind::garbage};
  const ItemPath path(beside.name, beside.kind);
  const std::string& text = context.redelivery();
  const DirectoryPtr session = co_await sessions_.make(context.session(), wait);
  const bool nested = !path.directories().empty();
  DirectoryPtr directory = session;
  if (nested) directory = co_await sessions_.descend(session, path.directories(), true, wait);
  const Temporary temporary =
      co_await write_temporary(context, beside, directory, text, false, wait);
  int linked = -ENOENT;
  if (temporary.file) {
    co_await write_data(temporary, context, beside, text, flush, wait);
    linked = co_await link_into(temporary, *directory, path.file(), wait);
  }
  // Another delivery has written the same. A directory that was removed is told by the outcome.
  if (linked < 0 && linked != -EEXIST && linked != -ENOENT) {
    throw_failed(-linked, "writing", context, beside);
  }
  if (flush && nested) co_await wait_for_names(directory, context, beside, wait);
}

// --- Tombstones ---------------------------------------------------------------------------------

/// The one file that is all tombstones. Its text is on disk before it has any of their names, so
/// that no power loss leaves an outcome that cannot be read.
Task<void> FsStore::make_tombstone(Wait wait) {
  const SessionContext none = session_context("tombstones");
  const ItemId item{"tombstone", ItemKind::outcome};
  Temporary made = co_await write_temporary(none, item, sessions_.root(), kTombstone, true, wait);
  if (!made.file) co_return;
  co_await write_data(made, none, item, kTombstone, durable_ || calls_->is_slow(), wait);
  tombstone_ = std::make_shared<const Temporary>(std::move(made));
}

/// Gives it a further name.
Task<int> FsStore::link_tombstone(const Directory& directory, const char* name, Wait wait) {
  constexpr int kTriesMax = 3;
  int linked = -ENOENT;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const std::shared_ptr<const Temporary> tombstone = tombstone_;
    if (tombstone) {
      ++counters_.requests;
      linked = co_await calls_->link_at(tombstone->directory->fd.get(), tombstone->name.c_str(),
                                        directory.fd.get(), name, 0, wait);
      // A file may have so many names and no more; or somebody has tidied up.
      if (linked != -EMLINK && linked != -ENOENT) co_return linked;
    }
    if (tombstone == tombstone_) co_await make_tombstone(wait);
  }
  co_return linked;
}

Task<void> FsStore::bury(const SessionContext& context, const std::string& instance, Wait wait) {
  const ItemId item{instance, ItemKind::outcome};
  const ItemPath path(item.name, item.kind);
  DirectoryPtr directory = co_await sessions_.find(context.session(), wait);
  if (directory && !path.directories().empty()) {
    directory = co_await sessions_.descend(directory, path.directories(), false, wait);
  }
  if (!directory) co_return;  // the session was removed
  const std::string name = temporary_name();
  const int linked = co_await link_tombstone(*directory, name.c_str(), wait);
  if (linked == -ENOENT && calls_->is_gone(directory->fd.get())) co_return;
  if (linked < 0) throw_failed(-linked, "collecting", context, item);
  ++counters_.requests;
  const int above = directory->fd.get();
  const int renamed = co_await calls_->rename_at(above, name.c_str(), path.file(), wait);
  // Where both are names of one file already, the first stays.
  calls_->remove_now(above, name.c_str());
  if (renamed < 0) throw_failed(-renamed, "collecting", context, item);
}

Task<void> FsStore::collect(const SessionContext& context, std::span<const std::string> instances,
                            std::span<const ItemId> items, Wait wait) {
  if (!tombstone_ && !instances.empty()) co_await make_tombstone(wait);
  const auto bury_one = [&](std::size_t i) { return bury(context, instances[i], wait); };
  co_await for_each_bounded(instances.size(), in_flight_max_, bury_one);
  std::vector<ItemId> removed(items.begin(), items.end());
  for (const std::string& instance : instances) removed.push_back({instance, ItemKind::garbage});
  co_await remove(context, removed, wait);
}

Task<void> FsStore::put(const SessionContext& context, const ItemId& item, std::string_view value,
                        Wait wait) {
  const ItemPath path(item.name, item.kind);
  const bool durable = is_durable(item.kind);
  const bool flush = durable || calls_->is_slow();
  Slot slot(*this);
  if (flush) {
    const int error = co_await slot.acquire(wait);
    if (error < 0) throw_failed(-error, "writing", context, item);
  }
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    DirectoryPtr directory = co_await sessions_.make(context.session(), wait);
    if (!path.directories().empty()) {
      directory = co_await sessions_.descend(directory, path.directories(), true, wait);
    }
    Temporary temporary = co_await write_temporary(context, item, directory, value, true, wait);
    if (!temporary.file) {
      sessions_.drop(context.session());
      continue;
    }
    co_await write_data(temporary, context, item, value, flush, wait);
    ++counters_.requests;
    const int above = directory->fd.get();
    const int renamed =
        co_await calls_->rename_at(above, temporary.name.c_str(), path.file(), wait);
    if (renamed < 0) throw_failed(-renamed, "writing", context, item);
    temporary.name.clear();
    temporary = Temporary();
    slot.release();
    if (durable) co_await wait_for_names(directory, context, item, wait);
    co_return;
  }
  throw Error(
      ErrorKind::conflict, "fs", "ENOENT",
      described(context, item) + " could not be written: its directory is removed again and again");
}

}  // namespace unum::fs
