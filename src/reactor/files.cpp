// Files, directories and channels over the reactor's operations.
#include "reactor/files.hpp"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "reactor/descriptor_limit.hpp"

namespace unum {
namespace {

// What is read at first, into one buffer of the thread: most values are far smaller.
constexpr std::size_t kFirstReadBytes = 64 * 1024;
// A short read of cached data ends at the end of a page or at the end of the file.
constexpr std::size_t kPageBytesMin = 4096;
constexpr std::size_t kDirectoryBufferBytes = 64 * 1024;
// "No limit" of a caller, with room for one byte more.
constexpr std::size_t kBytesMax = SIZE_MAX / 4;
constexpr std::size_t kStreamReadBytes = 64 * 1024;

Error too_large(const std::string& what, std::size_t bytes_max) {
  return Error(
      ErrorKind::exhausted, "fs", "EFBIG",
      what + " has more than " + std::to_string(bytes_max) + " bytes, the most there may be");
}

/// What is there without waiting: a count, 0 at the end, or -EAGAIN.
long read_cached(int fd, void* buffer, std::size_t size, std::uint64_t offset) noexcept {
  iovec part{buffer, size};
  const ssize_t count = ::preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  // Whatever else is wrong (a file system without it, a directory), the ring's read says.
  return count >= 0 ? count : -EAGAIN;
}

/// The first piece of a file as far as it is cached: by way of a buffer of the thread, so that the
/// string is made in its right size.
long read_first(int fd, std::string& content) {
  thread_local const auto buffer = std::make_unique<char[]>(kFirstReadBytes);
  const long count = read_cached(fd, buffer.get(), kFirstReadBytes, 0);
  if (count > 0) content.assign(buffer.get(), static_cast<std::size_t>(count));
  return count;
}

/// The size of a regular file, 0 of anything else.
std::size_t size_of(int fd) noexcept {
  struct ::stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  return static_cast<std::size_t>(status.st_size);
}

/// Reads the rest of a file behind what `content` has. 0, or a negative errno; -EFBIG above
/// `bytes_max`.
Task<int> read_rest(Reactor& reactor, int fd, std::string& content, std::size_t bytes_max,
                    Wait wait) {
  bytes_max = std::min(bytes_max, kBytesMax);
  std::size_t done = content.size();
  const std::size_t size = size_of(fd);
  if (size > bytes_max) co_return -EFBIG;
  // One byte more than it seems to have, so that the end shows itself in the same read.
  std::size_t room = std::max(size, done) + 1;
  while (true) {
    content.resize(room);
    long count = read_cached(fd, content.data() + done, room - done, done);
    if (count == -EAGAIN) {
      const std::span<std::byte> buffer(reinterpret_cast<std::byte*>(content.data()) + done,
                                        room - done);
      count = co_await reactor.read(fd, buffer, done, wait);
    }
    if (count < 0) co_return static_cast<int>(count);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
    if (done > bytes_max) co_return -EFBIG;
    if (done == room) room = std::min(bytes_max + 1, 2 * room + kPageBytesMin);
  }
  content.resize(done);
  co_return 0;
}

}  // namespace

std::string path_name(int directory, const char* path) {
  if (directory == AT_FDCWD || *path == '/') return path;
  char buffer[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t length = ::readlink(link.c_str(), buffer, sizeof buffer);
  if (length <= 0) return path;
  const std::string parent(buffer, static_cast<std::size_t>(length));
  return *path == '\0' ? parent : parent + "/" + path;
}

Error file_error(int errno_value, std::string_view doing, int directory, const char* path) {
  return system_error("fs", errno_value, std::string(doing) + " " + path_name(directory, path));
}

Task<int> open_patiently(Reactor& reactor, int directory, const char* path, int flags,
                         unsigned mode, Wait wait) {
  DescriptorPatience patience;
  int error = EMFILE;
  while (true) {
    const bool again = co_await patience.wait(reactor, wait);
    if (!again) break;
    const int fd = co_await reactor.open_at(directory, path, flags, mode, wait);
    if (!means_no_descriptor(fd)) co_return fd;
    error = -fd;
  }
  throw file_error(error, "opening", directory, path);
}

Task<Descriptor> open_file(Reactor& reactor, int directory, const char* path, int flags,
                           unsigned mode, Wait wait) {
  int fd = co_await reactor.open_at(directory, path, flags, mode, wait);
  if (means_no_descriptor(fd)) {
    fd = co_await open_patiently(reactor, directory, path, flags, mode, wait);
  }
  if (fd < 0) throw file_error(-fd, "opening", directory, path);
  co_return Descriptor(fd);
}

Task<std::optional<std::string>> read_file_if_any(Reactor& reactor, int directory, const char* path,
                                                  std::size_t bytes_max, Wait wait) {
  int fd = co_await reactor.open_at(directory, path, O_RDONLY, 0, wait);
  if (means_no_descriptor(fd)) {
    fd = co_await open_patiently(reactor, directory, path, O_RDONLY, 0, wait);
  }
  if (fd == -ENOENT) co_return std::nullopt;
  if (fd < 0) throw file_error(-fd, "opening", directory, path);
  const Descriptor file(fd);
  std::string content;
  const long count = read_first(fd, content);
  int error = content.size() > bytes_max ? -EFBIG : 0;
  // What ends inside a page ends there because the file does.
  const bool whole = count == 0 || (count > 0 && content.size() % kPageBytesMin != 0);
  if (error == 0 && !whole) error = co_await read_rest(reactor, fd, content, bytes_max, wait);
  if (error == -EFBIG) throw too_large(path_name(directory, path), bytes_max);
  if (error < 0) throw file_error(-error, "reading", directory, path);
  co_return content;
}

Task<std::string> read_file(Reactor& reactor, int directory, const char* path,
                            std::size_t bytes_max, Wait wait) {
  std::optional<std::string> content =
      co_await read_file_if_any(reactor, directory, path, bytes_max, wait);
  if (!content) throw file_error(ENOENT, "opening", directory, path);
  co_return std::move(*content);
}

Task<void> write_all(Reactor& reactor, int fd, std::string_view bytes, std::uint64_t offset,
                     Wait wait) {
  auto rest = std::as_bytes(std::span(bytes));
  while (!rest.empty()) {
    const int count = co_await reactor.write(fd, rest, offset, wait);
    if (count <= 0) throw file_error(count < 0 ? -count : ENOSPC, "writing to", fd, "");
    rest = rest.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

Task<void> write_new_file(Reactor& reactor, int directory, const char* path, std::string_view bytes,
                          unsigned mode, bool durable, Wait wait) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL;
  Descriptor file = co_await open_file(reactor, directory, path, flags, mode, wait);
  std::exception_ptr failure;
  try {
    co_await write_all(reactor, file.get(), bytes, 0, wait);
    int result = 0;
    if (durable) result = co_await reactor.sync_data(file.get(), wait);
    if (result == 0) result = co_await reactor.close(file.release());
    if (result < 0) throw file_error(-result, "writing", directory, path);
    co_return;
  } catch (...) {
    failure = std::current_exception();
  }
  ::unlinkat(directory, path, 0);
  std::rethrow_exception(failure);
}

// --- Directories --------------------------------------------------------------------------------

bool is_slow_file_system(int fd) {
  struct ::statfs status {};
  if (::fstatfs(fd, &status) != 0) return true;
  // From <linux/magic.h> and the file systems' own sources.
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case 0x6969:      // NFS, and so EFS
    case 0x65735546:  // FUSE
    case 0xff534d42:  // CIFS
    case 0xfe534d42:  // SMB 2
    case 0x517b:      // SMB
    case 0x01021997:  // 9p
    case 0x00c36400:  // Ceph
    case 0x5346414f:  // AFS
    case 0x73757245:  // Coda
    case 0x0bd00bd0:  // Lustre
    case 0x47504653:  // GPFS
    case 0x786f4256:  // VirtualBox shared folders
      return true;
    default: return false;
  }
}

int list_entries(int directory, std::vector<DirectoryEntry>& out) noexcept {
  out.clear();
  // A descriptor of its own, so that neither the caller's position nor another listing is
  // disturbed.
  const Descriptor own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return -errno;
  try {
    const auto buffer = std::make_unique<char[]>(kDirectoryBufferBytes);
    while (true) {
      const ssize_t count = ::getdents64(own.get(), buffer.get(), kDirectoryBufferBytes);
      if (count < 0) return -errno;
      if (count == 0) return 0;
      for (const char* at = buffer.get(); at < buffer.get() + count;) {
        const auto* entry = reinterpret_cast<const ::dirent64*>(at);
        const std::string_view name(entry->d_name);
        if (name != "." && name != "..") out.push_back({std::string(name), entry->d_type});
        at += entry->d_reclen;
      }
    }
  } catch (const std::exception&) {
    return -ENOMEM;
  }
}

// --- Channels -----------------------------------------------------------------------------------

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("reactor", errno, "pipe");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

SocketPair make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw system_error("reactor", errno, "socketpair");
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Task<void> write_stream(Reactor& reactor, int fd, std::string_view bytes, Wait wait) {
  auto rest = std::as_bytes(std::span(bytes));
  while (!rest.empty()) {
    const int count = co_await reactor.stream_write(fd, rest, wait);
    if (count < 0) throw system_error("reactor", -count, "writing to a peer");
    rest = rest.subspan(static_cast<std::size_t>(count));
  }
}

Task<std::string> read_to_end(Reactor& reactor, int fd, std::size_t bytes_max, std::string what,
                              Wait wait) {
  bytes_max = std::min(bytes_max, kBytesMax);
  struct ::stat status {};
  if (::fstat(fd, &status) != 0) throw system_error("fs", errno, "reading " + what);
  const bool regular = S_ISREG(status.st_mode);
  std::string content;
  while (true) {
    if (!regular) {
      // Readiness first: a plain read of a terminal could not be ended by a stop.
      const int ready = co_await reactor.poll(fd, POLLIN, wait);
      if (ready < 0) throw system_error("fs", -ready, "reading " + what);
    }
    const std::size_t done = content.size();
    content.resize(done + std::min(kStreamReadBytes, bytes_max + 1 - done));
    const ssize_t count = ::read(fd, content.data() + done, content.size() - done);
    const int error = errno;
    content.resize(done + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) co_return content;
    if (count < 0 && error != EAGAIN && error != EINTR) {
      throw system_error("fs", error, "reading " + what);
    }
    if (content.size() > bytes_max) throw too_large(what, bytes_max);
  }
}

}  // namespace unum
