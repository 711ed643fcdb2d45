// The best raw ways to do what the file-system store does: plain system calls and a bare ring, no
// store.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace unum::bench {

inline void must(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::exit(1);
}

inline int raw_make_directory(const std::string& path) {
  must(::mkdir(path.c_str(), 0755) == 0, "mkdir");
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY);
  must(fd >= 0, "open directory");
  must(::fsync(fd) == 0, "fsync directory");
  return fd;
}

/// A file without a name, and the value in it.
inline int raw_temporary(int directory, std::string_view value) {
  const int fd = ::openat(directory, ".", O_TMPFILE | O_WRONLY, 0644);
  must(fd >= 0, "O_TMPFILE");
  must(::write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size()), "write");
  return fd;
}

inline void raw_link(int file, int directory, const std::string& name) {
  static bool by_descriptor = true;  // the cheaper way, where the kernel allows it
  if (by_descriptor && ::linkat(file, "", directory, name.c_str(), AT_EMPTY_PATH) == 0) return;
  by_descriptor = false;
  const std::string from = "/proc/self/fd/" + std::to_string(file);
  must(::linkat(AT_FDCWD, from.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) == 0, "linkat");
}

/// One after the other, each on the disk before the next begins.
inline void raw_writes_one_by_one(int directory, const std::vector<std::string>& names,
                                  std::string_view value) {
  for (const std::string& name : names) {
    const int file = raw_temporary(directory, value);
    must(::fdatasync(file) == 0, "fdatasync");
    raw_link(file, directory, name);
    must(::fsync(directory) == 0, "fsync");
    ::close(file);
  }
}

/// All written, one flush of the file system, all linked, one flush of the directory.
inline void raw_writes_by_syncfs(int directory, const std::vector<std::string>& names,
                                 std::string_view value) {
  std::vector<int> files;
  for (std::size_t i = 0; i < names.size(); ++i) files.push_back(raw_temporary(directory, value));
  must(::syncfs(directory) == 0, "syncfs");
  for (std::size_t i = 0; i < names.size(); ++i) raw_link(files[i], directory, names[i]);
  must(::fsync(directory) == 0, "fsync");
  for (const int file : files) ::close(file);
}

/// All written, write-back begun for all, each flushed through the ring, all linked, one flush of
/// the directory.
inline void raw_writes_by_fdatasync(io_uring& ring, int directory,
                                    const std::vector<std::string>& names, std::string_view value) {
  std::vector<int> files;
  for (std::size_t i = 0; i < names.size(); ++i) files.push_back(raw_temporary(directory, value));
  for (const int file : files) ::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
  std::size_t sent = 0;
  for (std::size_t done = 0; done < files.size();) {
    while (sent < files.size()) {
      io_uring_sqe* sqe = io_uring_get_sqe(&ring);
      if (sqe == nullptr) break;
      io_uring_prep_fsync(sqe, files[sent++], IORING_FSYNC_DATASYNC);
    }
    must(io_uring_submit_and_wait(&ring, 1) >= 0, "io_uring_enter");
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring, head, cqe) {
      must(cqe->res == 0, "fdatasync on the ring");
      ++count;
    }
    io_uring_cq_advance(&ring, count);
    done += count;
  }
  for (std::size_t i = 0; i < names.size(); ++i) raw_link(files[i], directory, names[i]);
  must(::fsync(directory) == 0, "fsync");
  for (const int file : files) ::close(file);
}

inline std::vector<std::string> raw_reads_one_by_one(int directory,
                                                     const std::vector<std::string>& names) {
  std::vector<std::string> values(names.size());
  char buffer[4096];
  for (std::size_t i = 0; i < names.size(); ++i) {
    const int file = ::openat(directory, names[i].c_str(), O_RDONLY | O_CLOEXEC);
    must(file >= 0, "openat");
    const ssize_t count = ::read(file, buffer, sizeof buffer);
    must(count >= 0, "read");
    values[i].assign(buffer, static_cast<std::size_t>(count));
    ::close(file);
  }
  return values;
}

/// Opened 64 at a time on the ring, read without waiting, plainly closed.
inline std::vector<std::string> raw_reads_opened_on_ring(io_uring& ring, int directory,
                                                         const std::vector<std::string>& names) {
  std::vector<std::string> values(names.size());
  char buffer[4096];
  for (std::size_t begin = 0; begin < names.size(); begin += 64) {
    const std::size_t end = std::min(names.size(), begin + 64);
    for (std::size_t i = begin; i < end; ++i) {
      io_uring_sqe* sqe = io_uring_get_sqe(&ring);
      io_uring_prep_openat(sqe, directory, names[i].c_str(), O_RDONLY | O_CLOEXEC, 0);
      io_uring_sqe_set_data64(sqe, i);
    }
    must(io_uring_submit_and_wait(&ring, static_cast<unsigned>(end - begin)) >= 0,
         "io_uring_enter");
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring, head, cqe) {
      ++count;
      must(cqe->res >= 0, "open on the ring");
      iovec part{buffer, sizeof buffer};
      const ssize_t size = ::preadv2(cqe->res, &part, 1, 0, RWF_NOWAIT);
      must(size >= 0, "preadv2");
      values[cqe->user_data].assign(buffer, static_cast<std::size_t>(size));
      ::close(cqe->res);
    }
    io_uring_cq_advance(&ring, count);
  }
  return values;
}

inline std::size_t raw_exist(int directory, const std::vector<std::string>& names) {
  std::size_t count = 0;
  for (const std::string& name : names) count += ::faccessat(directory, name.c_str(), F_OK, 0) == 0;
  return count;
}

/// The same by a listing of the whole directory, which a set of the names is compared with.
inline std::size_t raw_exist_by_listing(const char* directory,
                                        const std::vector<std::string>& names) {
  const std::unordered_set<std::string_view> wanted(names.begin(), names.end());
  const int fd = ::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  must(fd >= 0, "open directory");
  std::size_t count = 0;
  alignas(dirent64) static char buffer[32 * 1024];
  for (;;) {
    const ssize_t size = ::getdents64(fd, buffer, sizeof buffer);
    must(size >= 0, "getdents64");
    if (size == 0) break;
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      count += wanted.contains(entry->d_name);
      at += entry->d_reclen;
    }
  }
  ::close(fd);
  return count;
}

}  // namespace unum::bench
