// Reading from the file-system store: by plain calls what the kernel has cached, through the
// reactor what it has not, and where the reactor is a ring all opens of many.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <span>
#include <unordered_set>

#include "base/limits.hpp"
#include "base/padded.hpp"
#include "reactor/descriptor_limit.hpp"
#include "reactor/files.hpp"
#include "stores/fs/cache_guess.hpp"
#include "stores/fs/fs_store_impl.hpp"
#include "stores/fs/name_set.hpp"

namespace unum::fs {
namespace {

constexpr int kReadFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
// One buffer a thread for the first read: most values are smaller and are then copied once.
constexpr std::size_t kFirstReadBytes = 64 * 1024;
// Data that is cached in part ends a read at a page; what ends inside one is the end of the file.
constexpr std::size_t kPageBytesMin = 4096;
// Names checked, items read or bytes read before others get a turn: a fraction of a millisecond.
// A value of more bytes is read by the ring, cached or not, in pieces.
constexpr std::size_t kChecksAtOnce = 1024;
constexpr std::size_t kReadsAtOnce = 256;
constexpr std::size_t kBytesAtOnce = 4 * 1024 * 1024;
// Opened by the ring at a time: with more, what the first ones brought into the processor's cache
// is gone before it is read.
constexpr std::size_t kOpensAtOnce = 64;
// Cold reads in flight for each one asked for: the disk, not a peer, is what is kept busy.
constexpr std::size_t kColdFactor = 4;
// On a slow file system a listing costs less than this many single checks.
constexpr std::size_t kListingFrom = 64;
// On a local one it does if the directory holds no more than about twice as many names as are
// looked for: an entry takes 40 to 80 bytes of its directory.
constexpr std::size_t kListedBytesMax = 128;
// Single checks before a listing: most times when something is missing, the first one tells.
constexpr std::size_t kChecksBeforeListing = 4;

/// The beginning of a file, of which `guess` says whether a plain read will do; -EAGAIN for what
/// would need the disk.
long read_first_bytes(SystemCalls& calls, int fd, std::span<char> buffer,
                      CacheGuess& guess) noexcept {
  if (guess.is_cached()) {
    const Request plain{
        .opcode = Opcode::read, .fd = fd, .address = buffer.data(), .length = buffer.size()};
    const int count = calls.execute(plain);
    guess.was_read();
    return count >= 0 ? count : -EAGAIN;
  }
  const long count = calls.read_cached(fd, buffer, 0);
  guess.was_asked(count >= 0);
  return count;
}

void resize_padded(std::string& value, std::size_t size) {
  value.reserve(size + kValuePadding);
  value.resize(size);
}

/// How much of a part the file holds.
std::size_t bytes_in_file(const ByteRange& part, const struct ::stat& status) noexcept {
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (part.offset >= size) return 0;
  return static_cast<std::size_t>(std::min<std::uint64_t>(part.bytes, size - part.offset));
}

Error unreadable(int error, int directory, const char* file) {
  if (error == ELOOP) {
    return Error(ErrorKind::corrupt, "fs", "ELOOP",
                 path_name(directory, file) + " is a symbolic link; values are plain files");
  }
  return file_error(error, "reading", directory, file);
}

}  // namespace

// --- One item -----------------------------------------------------------------------------------

FsStore::CacheRead FsStore::read_cached(const Directory& directory, const char* file,
                                        bool with_stamp, CacheGuess& guess, Found& out) {
  ++counters_.requests;
  const Descriptor open(calls_->open_cached(directory.fd.get(), file, directory.made_here));
  if (open.get() == -ENOENT) return CacheRead::absent;
  if (open.get() == -EAGAIN || open.get() == -EINTR) {
    guess.was_asked(false);
    return CacheRead::cold;
  }
  if (means_no_descriptor(open.get())) return CacheRead::cold;
  if (!open) throw unreadable(-open.get(), directory.fd.get(), file);
  if (out.part) return read_part_cached(open.get(), directory, file, out);
  return read_cached(open.get(), directory, file, with_stamp, guess, out);
}

FsStore::CacheRead FsStore::read_cached(int fd, const Directory& directory, const char* file,
                                        bool with_stamp, CacheGuess& guess, Found& out) {
  struct ::stat status {};
  if (with_stamp) {
    const int error = calls_->stat(fd, status);
    if (error < 0) throw unreadable(-error, directory.fd.get(), file);
    out.changed = status.st_ctim;
  }
  thread_local const auto buffer = std::make_unique<char[]>(kFirstReadBytes);
  const long first = read_first_bytes(*calls_, fd, {buffer.get(), kFirstReadBytes}, guess);
  if (first < 0) return CacheRead::cold;
  std::size_t done = static_cast<std::size_t>(first);
  if (done % kPageBytesMin != 0) {
    out.value = padded_copy({buffer.get(), done});
    return CacheRead::found;
  }
  if (!with_stamp) {
    const int error = calls_->stat(fd, status);
    if (error < 0) throw unreadable(-error, directory.fd.get(), file);
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > kBytesAtOnce || size < done) return CacheRead::cold;
  resize_padded(out.value, size);
  std::copy_n(buffer.get(), done, out.value.data());
  while (done < size) {
    const long count = calls_->read_cached(fd, std::span(out.value).subspan(done), done);
    if (count <= 0) return CacheRead::cold;
    done += static_cast<std::size_t>(count);
  }
  return CacheRead::found;
}

FsStore::CacheRead FsStore::read_part_cached(int fd, const Directory& directory, const char* file,
                                             Found& out) {
  struct ::stat status {};
  const int error = calls_->stat(fd, status);
  if (error < 0) throw unreadable(-error, directory.fd.get(), file);
  out.changed = status.st_ctim;
  const std::size_t size = bytes_in_file(*out.part, status);
  if (size > kBytesAtOnce) return CacheRead::cold;
  resize_padded(out.value, size);
  for (std::size_t done = 0; done < out.value.size();) {
    const auto rest = std::span(out.value).subspan(done);
    const long count = calls_->read_cached(fd, rest, out.part->offset + done);
    if (count <= 0) return CacheRead::cold;
    done += static_cast<std::size_t>(count);
  }
  return CacheRead::found;
}

/// The same where the kernel has to wait for the disk or for a server.
Task<bool> FsStore::read_waiting(const Directory& directory, const char* file, Found& out,
                                 Wait wait) {
  ++counters_.requests;
  const int above = directory.fd.get();
  int fd = co_await calls_->open_waiting(above, file, kReadFlags, wait);
  if (means_no_descriptor(fd)) {
    fd = co_await calls_->open_patiently(above, file, kReadFlags, 0, wait);
  }
  if (fd == -ENOENT) co_return false;
  if (fd < 0) throw unreadable(-fd, above, file);
  const Descriptor open(fd);
  struct ::stat status {};
  const int error = calls_->stat(fd, status);
  if (error < 0) throw unreadable(-error, above, file);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::corrupt, "fs", "Unum.NotAFile",
                path_name(above, file) + " is no plain file");
  }
  out.changed = status.st_ctim;
  const ByteRange part = out.part.value_or(ByteRange{0, SIZE_MAX});
  const std::size_t size = bytes_in_file(part, status);
  if (size > kValueBytesMax) {
    throw Error(ErrorKind::corrupt, "fs", "Unum.ValueTooLarge",
                path_name(above, file) + " has " + std::to_string(size) + " bytes; at most " +
                    std::to_string(kValueBytesMax) + " are possible");
  }
  resize_padded(out.value, size);
  for (std::size_t done = 0; done < size;) {
    const std::size_t piece = std::min(size - done, kBytesAtOnce);
    const auto rest = std::as_writable_bytes(std::span(out.value)).subspan(done, piece);
    const int count = co_await calls_->read_waiting(fd, rest, part.offset + done, wait);
    if (count < 0) throw unreadable(-count, above, file);
    if (count == 0) {
      throw Error(ErrorKind::corrupt, "fs", "Unum.ShortFile",
                  path_name(above, file) + " became shorter while it was read");
    }
    done += static_cast<std::size_t>(count);
  }
  co_return true;
}

Task<DirectoryPtr> FsStore::directory_of(const SessionContext& context, const ItemPath& path,
                                         Wait wait) {
  DirectoryPtr directory = co_await sessions_.find(context.session(), wait);
  if (directory && !path.directories().empty()) {
    directory = co_await sessions_.descend(directory, path.directories(), false, wait);
  }
  co_return directory;
}

bool FsStore::forget_if_gone(const SessionContext& context, const Directory& directory) noexcept {
  if (!calls_->is_gone(directory.fd.get())) return false;
  sessions_.drop(context.session());
  return true;
}

/// Makes a network file system ask its server what is in the directory now (close-to-open
/// consistency: an open does), so that neither a cached absence nor a cached listing answers.
Task<void> FsStore::revalidate(const Directory& directory, Wait wait) {
  ++counters_.requests;
  constexpr int kFlags = O_RDONLY | O_DIRECTORY;
  int fd = co_await calls_->open_waiting(directory.fd.get(), ".", kFlags, wait);
  if (means_no_descriptor(fd)) {
    fd = co_await calls_->open_patiently(directory.fd.get(), ".", kFlags, 0, wait);
  }
  if (fd >= 0) ::close(fd);
}

/// Whether it is there; `directory` is then where it was found.
Task<bool> FsStore::read_item(const SessionContext& context, const ItemPath& path, bool with_stamp,
                              Found& out, DirectoryPtr& directory, Wait wait) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    directory = path.directories().empty() ? sessions_.cached(context.session()) : nullptr;
    if (!directory) directory = co_await directory_of(context, path, wait);
    if (!directory) {
      const DirectoryPtr session = sessions_.cached(context.session());
      if (session && forget_if_gone(context, *session)) continue;
      co_return false;
    }
    CacheRead read = CacheRead::cold;
    if (calls_->is_slow()) {
      co_await revalidate(*directory, wait);
    } else {
      CacheGuess guess(reactor());  // of a single value nothing can be guessed
      read = read_cached(*directory, path.file(), with_stamp, guess, out);
    }
    if (read == CacheRead::cold) {
      read = co_await read_waiting(*directory, path.file(), out, wait) ? CacheRead::found
                                                                       : CacheRead::absent;
    }
    if (read == CacheRead::found) co_return true;
    if (!forget_if_gone(context, *directory)) co_return false;
  }
  co_return false;
}

/// The item as its caller may go on from: its name is on disk where it has to be.
Task<bool> FsStore::read_settled(const SessionContext& context, const ItemId& item, Found& out,
                                 Wait wait) {
  const ItemPath path(item.name, item.kind);
  const bool durable = is_durable(item.kind);
  DirectoryPtr directory;
  if (!co_await read_item(context, path, durable, out, directory, wait)) co_return false;
  // A value that another process has just linked may not be on disk yet. Whoever goes on from it
  // must not be ahead of it after a power loss.
  if (durable && (calls_->is_slow() || !directory->on_disk(out.changed))) {
    co_await wait_for_names(directory, context, item, wait);
  }
  co_return true;
}

Task<std::optional<std::string>> FsStore::get(const SessionContext& context, const ItemId& item,
                                              Wait wait) {
  Found found;
  const bool is_there = co_await read_settled(context, item, found, wait);
  if (!is_there) co_return std::nullopt;
  co_return std::move(found.value);
}

Task<std::optional<std::string>> FsStore::get_range(const SessionContext& context,
                                                    const ItemId& item, ByteRange range,
                                                    Wait wait) {
  Found found;
  found.part = range;
  const bool is_there = co_await read_settled(context, item, found, wait);
  if (!is_there) co_return std::nullopt;
  co_return std::move(found.value);
}

// --- Many ---------------------------------------------------------------------------------------

Task<std::vector<std::optional<std::string>>> FsStore::get_many(const SessionContext& context,
                                                                std::span<const Pointer> pointers,
                                                                Wait wait) {
  std::vector<std::optional<std::string>> values(pointers.size());
  std::vector<std::size_t> cold;
  const DirectoryPtr directory = co_await sessions_.find(context.session(), wait);
  if (!directory) co_return values;
  if (calls_->is_slow()) {
    cold.resize(pointers.size());
    std::iota(cold.begin(), cold.end(), std::size_t{0});
  } else if (reactor().backend() == Reactor::Backend::uring && pointers.size() > 1) {
    co_await read_on_ring(*directory, pointers, values, cold, wait);
  } else {
    co_await read_at_once(*directory, pointers, values, cold, wait);
  }
  if (!cold.empty()) co_await read_cold(context, pointers, cold, values, wait);
  co_return values;
}

/// Opened many at a time by the ring, which costs less than one by one and waits for none, read by
/// plain calls from the cache. Left for `cold`: what is not there, or has another directory.
Task<void> FsStore::read_on_ring(const Directory& directory, std::span<const Pointer> pointers,
                                 std::vector<std::optional<std::string>>& values,
                                 std::vector<std::size_t>& cold, Wait wait) {
  CacheGuess guess(reactor());
  const auto read_one = [&](std::size_t i) -> Task<void> {
    const ItemPath path(pointers[i].name(), ItemKind::outcome);
    if (!path.directories().empty()) {
      cold.push_back(i);
      co_return;
    }
    ++counters_.requests;
    const int fd = co_await calls_->open_waiting(directory.fd.get(), path.file(), kReadFlags, wait);
    if (fd == -ENOENT) {
      if (calls_->is_gone(directory.fd.get())) cold.push_back(i);
      co_return;
    }
    if (means_no_descriptor(fd)) {
      cold.push_back(i);
      co_return;
    }
    if (fd < 0) throw unreadable(-fd, directory.fd.get(), path.file());
    const Descriptor open(fd);
    Found found;
    const CacheRead read = read_cached(fd, directory, path.file(), false, guess, found);
    if (read == CacheRead::cold) {
      cold.push_back(i);
    } else {
      values[i] = std::move(found.value);
    }
  };
  co_await for_each_bounded(pointers.size(), kOpensAtOnce, read_one);
}

/// One by one by plain calls. Left for `cold`: what the kernel has not cached, or another
/// directory.
Task<void> FsStore::read_at_once(const Directory& directory, std::span<const Pointer> pointers,
                                 std::vector<std::optional<std::string>>& values,
                                 std::vector<std::size_t>& cold, Wait wait) {
  Found found;
  CacheGuess guess(reactor());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    const ItemPath path(pointers[i].name(), ItemKind::outcome);
    CacheRead read = CacheRead::cold;
    if (path.directories().empty()) {
      read = read_cached(directory, path.file(), false, guess, found);
    }
    if (read == CacheRead::found) {
      bytes += found.value.size();
      values[i] = std::move(found.value);
    } else if (read == CacheRead::cold || calls_->is_gone(directory.fd.get())) {
      cold.push_back(i);
    }
    if (bytes >= kBytesAtOnce || i % kReadsAtOnce == kReadsAtOnce - 1) {
      bytes = 0;
      co_await reactor().yield();
      guess.restart();
      check_wait(*this, "get_many", wait);
    }
  }
}

Task<void> FsStore::read_cold(const SessionContext& context, std::span<const Pointer> pointers,
                              const std::vector<std::size_t>& places,
                              std::vector<std::optional<std::string>>& values, Wait wait) {
  if (const DirectoryPtr session = sessions_.cached(context.session())) {
    if (calls_->is_slow()) co_await revalidate(*session, wait);
    forget_if_gone(context, *session);
  }
  const auto read_one = [&](std::size_t i) -> Task<void> {
    const ItemPath path(pointers[places[i]].name(), ItemKind::outcome);
    const DirectoryPtr directory = co_await directory_of(context, path, wait);
    Found found;
    if (directory && co_await read_waiting(*directory, path.file(), found, wait)) {
      values[places[i]] = std::move(found.value);
    }
  };
  co_await for_each_bounded(places.size(), in_flight_max_ * kColdFactor, read_one);
}

// --- Existence ----------------------------------------------------------------------------------

Task<bool> FsStore::all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                              Wait wait) {
  if (calls_->is_slow()) co_return co_await exist_slow(context, pointers, wait);
  for (int attempt = 0; attempt < 2; ++attempt) {
    DirectoryPtr directory = sessions_.cached(context.session());
    if (!directory) directory = co_await sessions_.find(context.session(), wait);
    if (!directory) co_return pointers.empty();
    bool all = true;
    NameSet listed;
    for (std::size_t i = 0; all && i < pointers.size(); ++i) {
      const ItemPath path(pointers[i].name(), ItemKind::outcome);
      if (i == kChecksBeforeListing && pointers.size() >= kListingFrom) {
        co_await list_if_cheaper(*directory, pointers.size(), listed);
      }
      if (listed.contains(path.file())) continue;
      ++counters_.requests;
      if (!path.directories().empty()) {
        all = co_await exist_one(context, pointers[i], wait);
      } else if (const int error = calls_->check_exists(directory->fd.get(), path.file());
                 error < 0) {
        if (error != -ENOENT) {
          throw file_error(-error, "looking for", directory->fd.get(), path.file());
        }
        all = false;
      }
      if (i % kChecksAtOnce == kChecksAtOnce - 1) {
        co_await reactor().yield();
        check_wait(*this, "all_exist", wait);
      }
    }
    if (all) co_return true;
    if (!forget_if_gone(context, *directory)) co_return false;
  }
  co_return false;
}

/// Lists the directory if that costs less than that many checks. What it cannot list is checked
/// singly.
Task<void> FsStore::list_if_cheaper(const Directory& directory, std::size_t checks, NameSet& out) {
  struct ::stat status {};
  if (calls_->stat(directory.fd.get(), status) < 0) co_return;
  if (static_cast<std::size_t>(status.st_size) > checks * kListedBytesMax) co_return;
  // A descriptor of its own has a position of its own.
  const int fd = co_await calls_->open_at(directory.fd.get(), ".", O_RDONLY | O_DIRECTORY, 0);
  const Descriptor open(fd);
  ++counters_.requests;
  while (open && add_entries(open.get(), out) > 0) co_await reactor().yield();
}

Task<bool> FsStore::exist_one(const SessionContext& context, const Pointer& pointer, Wait wait) {
  const ItemPath path(pointer.name(), ItemKind::outcome);
  const DirectoryPtr directory = co_await directory_of(context, path, wait);
  if (!directory) co_return false;
  ++counters_.requests;
  struct ::statx status {};
  const int result = co_await calls_->statx(directory->fd.get(), path.file(), AT_SYMLINK_NOFOLLOW,
                                            STATX_TYPE, status, wait);
  if (result < 0 && result != -ENOENT) {
    throw file_error(-result, "looking for", directory->fd.get(), path.file());
  }
  co_return result == 0;
}

/// Where a check takes a round trip: many at once, or a single listing for many names.
Task<bool> FsStore::exist_slow(const SessionContext& context, std::span<const Pointer> pointers,
                               Wait wait) {
  DirectoryPtr directory = co_await sessions_.find(context.session(), wait);
  if (directory && forget_if_gone(context, *directory)) {
    directory = co_await sessions_.find(context.session(), wait);
  }
  if (!directory) co_return pointers.empty();
  if (pointers.size() >= kListingFrom) {
    ++counters_.requests;
    std::unordered_set<std::string> names;
    std::vector<DirectoryEntry> entries = co_await calls_->entries(directory->fd.get(), wait);
    for (DirectoryEntry& entry : entries) {
      names.insert(std::move(entry.name));
    }
    for (const Pointer& pointer : pointers) {
      const ItemPath path(pointer.name(), ItemKind::outcome);
      const bool there = path.directories().empty() ? names.contains(path.file())
                                                    : co_await exist_one(context, pointer, wait);
      if (!there) co_return false;
    }
    co_return true;
  }
  co_await revalidate(*directory, wait);
  bool all = true;
  const auto check = [&](std::size_t i) -> Task<void> {
    if (all && !co_await exist_one(context, pointers[i], wait)) all = false;
  };
  co_await for_each_bounded(pointers.size(), in_flight_max_, check);
  co_return all;
}

}  // namespace unum::fs
