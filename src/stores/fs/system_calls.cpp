// The calls as the kernel has them, in place and by the reactor.
#include "stores/fs/system_calls.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <new>

#include "reactor/descriptor_limit.hpp"
#include "reactor/port.hpp"

namespace unum::fs {
namespace {

constexpr int kReadFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
// Values up to here are copied into the page cache on the loop's own time; longer ones by the
// reactor.
constexpr std::size_t kWriteInPlaceBytesMax = 256 * 1024;

struct Listing {
  SystemCalls& calls;
  int directory;
  std::vector<DirectoryEntry> entries;
};

int list_now(void* address) noexcept {
  auto& listing = *static_cast<Listing*>(address);
  return listing.calls.list(listing.directory, listing.entries);
}

int sync_now(void* fd) noexcept { return ::syncfs(*static_cast<const int*>(fd)) == 0 ? 0 : -errno; }

Request call_of(int (*function)(void*) noexcept, void* argument) noexcept {
  return {.opcode = Opcode::call,
          .address = argument,
          .offset = reinterpret_cast<std::uint64_t>(function)};
}

}  // namespace

bool SystemCall::await_suspend(std::coroutine_handle<> waiter) {
  new (&operation_) OperationAwaiter(calls_.submit(request_, wait_));
  begun_ = true;
  if (operation_.await_ready()) return false;
  operation_.await_suspend(waiter);
  return true;
}

// --- The table ----------------------------------------------------------------------------------

int SystemCalls::execute(const Request& request) noexcept { return execute_once(request); }

OperationAwaiter SystemCalls::submit(const Request& request, const Wait& wait) {
  return {reactor_, wait, request};
}

int SystemCalls::open_cached(int directory, const char* file, bool waits_never) noexcept {
  static bool supported = true;
  if (supported && !waits_never) {
    open_how how{};
    how.flags = kReadFlags;
    how.resolve = RESOLVE_CACHED;
    const long fd = ::syscall(SYS_openat2, directory, file, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != EINVAL && errno != ENOSYS && errno != EPERM && errno != E2BIG) return -errno;
    supported = false;
  }
  const int fd = ::openat(directory, file, kReadFlags);
  return fd >= 0 ? fd : -errno;
}

long SystemCalls::read_cached(int fd, std::span<char> buffer, std::size_t offset) noexcept {
  iovec part{buffer.data(), buffer.size()};
  const ssize_t count = ::preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  return count >= 0 ? count : -EAGAIN;
}

int SystemCalls::stat(int fd, struct ::stat& out) noexcept {
  return ::fstat(fd, &out) == 0 ? 0 : -errno;
}

int SystemCalls::check_exists(int directory, const char* file) noexcept {
  return ::faccessat(directory, file, F_OK, 0) == 0 ? 0 : -errno;
}

int SystemCalls::list(int directory, std::vector<DirectoryEntry>& out) noexcept {
  return list_entries(directory, out);
}

void SystemCalls::start_writing(int fd) noexcept {
  ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

timespec SystemCalls::stamp_time() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now;
}

// --- The calls ----------------------------------------------------------------------------------

SystemCall SystemCalls::open_at(int directory, const char* path, int flags, unsigned mode,
                                const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::open_at,
                        .fd = directory,
                        .flags = static_cast<std::uint32_t>(flags | O_CLOEXEC),
                        .mode = mode,
                        .address2 = path};
  return call(request, wait);
}

SystemCall SystemCalls::open_waiting(int directory, const char* path, int flags,
                                     const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::open_at,
                        .fd = directory,
                        .flags = static_cast<std::uint32_t>(flags | O_CLOEXEC),
                        .address2 = path};
  return {*this, request, wait, false};
}

SystemCall SystemCalls::read_waiting(int fd, std::span<std::byte> buffer, std::size_t offset,
                                     const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::read,
                        .fd = fd,
                        .address = buffer.data(),
                        .length = buffer.size(),
                        .offset = offset};
  return {*this, request, wait, false};
}

SystemCall SystemCalls::write(int fd, std::string_view bytes, std::uint64_t offset,
                              const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::write,
                        .fd = fd,
                        .address2 = bytes.data(),
                        .length = bytes.size(),
                        .offset = offset};
  return {*this, request, wait, !is_slow_ && bytes.size() <= kWriteInPlaceBytesMax};
}

SystemCall SystemCalls::link_at(int from_directory, const char* from, int to_directory,
                                const char* to, int flags, const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::link_at,
                        .fd = from_directory,
                        .fd2 = to_directory,
                        .flags = static_cast<std::uint32_t>(flags),
                        .address = const_cast<char*>(from),
                        .address2 = to};
  return call(request, wait);
}

SystemCall SystemCalls::rename_at(int directory, const char* from, const char* to,
                                  const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::rename_at,
                        .fd = directory,
                        .fd2 = directory,
                        .address = const_cast<char*>(from),
                        .address2 = to};
  return call(request, wait);
}

SystemCall SystemCalls::unlink_at(int directory, const char* path, int flags,
                                  const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::unlink_at,
                        .fd = directory,
                        .flags = static_cast<std::uint32_t>(flags),
                        .address2 = path};
  return call(request, wait);
}

SystemCall SystemCalls::make_dir_at(int directory, const char* path, unsigned mode,
                                    const Wait& wait) noexcept {
  const Request request{
      .opcode = Opcode::make_dir_at, .fd = directory, .mode = mode, .address2 = path};
  return call(request, wait);
}

SystemCall SystemCalls::statx(int directory, const char* path, int flags, unsigned mask,
                              struct ::statx& out, const Wait& wait) noexcept {
  const Request request{.opcode = Opcode::statx,
                        .fd = directory,
                        .flags = static_cast<std::uint32_t>(flags),
                        .mode = mask,
                        .address = &out,
                        .address2 = path};
  return call(request, wait);
}

SystemCall SystemCalls::sync_data(int fd) noexcept {
  const Request request{.opcode = Opcode::sync_data, .fd = fd};
  return {*this, request, {}, false};
}

SystemCall SystemCalls::sync_all(int fd) noexcept {
  const Request request{.opcode = Opcode::sync_all, .fd = fd};
  return {*this, request, {}, false};
}

SystemCall SystemCalls::sync_file_system(int& fd) noexcept {
  return {*this, call_of(&sync_now, &fd), {}, false};
}

Task<int> SystemCalls::open_patiently(int directory, const char* path, int flags, unsigned mode,
                                      Wait wait) {
  const Request request{.opcode = Opcode::open_at,
                        .fd = directory,
                        .flags = static_cast<std::uint32_t>(flags | O_CLOEXEC),
                        .mode = mode,
                        .address2 = path};
  DescriptorPatience patience;
  int error = EMFILE;
  while (true) {
    const bool again = co_await patience.wait(reactor_, wait);
    if (!again) break;
    const int fd = co_await submit(request, wait);
    if (!means_no_descriptor(fd)) co_return fd;
    error = -fd;
  }
  throw file_error(error, "opening", directory, path);
}

Task<std::vector<DirectoryEntry>> SystemCalls::entries(int directory, Wait wait) {
  Listing listing{*this, directory, {}};
  const Request request = call_of(&list_now, &listing);
  DescriptorPatience patience;
  int result = 0;
  bool again = true;
  while (again) {
    // Not given up in the middle: the helper thread writes into this frame.
    SystemCall listed(*this, request, {}, !is_slow_);
    result = co_await listed;
    again = means_no_descriptor(result);
    if (again) again = co_await patience.wait(reactor_, wait);
  }
  if (result < 0) throw file_error(-result, "listing", directory, "");
  co_return std::move(listing.entries);
}

void SystemCalls::remove_now(int directory, const char* path) noexcept {
  const Request request{.opcode = Opcode::unlink_at, .fd = directory, .address2 = path};
  while (execute(request) == -EINTR) {
  }
}

bool SystemCalls::is_gone(int directory) noexcept {
  struct ::stat status {};
  return stat(directory, status) != 0 || status.st_nlink == 0;
}

}  // namespace unum::fs
