// Whole files, directories, pipes and standard input, as coroutines over the reactor's operations.
//
// Paths are relative to an open directory (or AT_FDCWD) and must live until the call returns. What
// fails throws an Error of origin "fs" that names the path; a wait that ends first throws `timeout`
// or `cancelled`.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/descriptor.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum {

/// How a path relative to a directory is called in messages, as far as the system can tell.
std::string path_name(int directory, const char* path);
/// system_error of origin "fs": "<doing> <path>: <why>", for example "reading /a/b: No such file
/// ...".
Error file_error(int errno_value, std::string_view doing, int directory, const char* path);

/// The same as `Reactor::open_at` where that was refused for want of descriptors: files are open
/// for a short time, so it is tried again for a while. Throws `exhausted` in the end.
Task<int> open_patiently(Reactor& reactor, int directory, const char* path, int flags,
                         unsigned mode, Wait wait);

/// Opens a file or directory, close-on-exec. Throws; `not_found` names the path.
Task<Descriptor> open_file(Reactor& reactor, int directory, const char* path, int flags,
                           unsigned mode = 0, Wait wait = {});

/// The whole file, or nothing if there is none. More than `bytes_max` throws `exhausted`. What the
/// page cache holds is read at once, the rest by the ring: so many such reads, a bounded number at
/// once, overlap.
Task<std::optional<std::string>> read_file_if_any(Reactor& reactor, int directory, const char* path,
                                                  std::size_t bytes_max, Wait wait = {});
/// The same where the file must exist.
Task<std::string> read_file(Reactor& reactor, int directory, const char* path,
                            std::size_t bytes_max, Wait wait = {});

/// Writes all of the bytes at the offset.
Task<void> write_all(Reactor& reactor, int fd, std::string_view bytes, std::uint64_t offset = 0,
                     Wait wait = {});
/// Creates a file with these bytes; one that exists is `conflict`. After a failure there is none.
/// `durable`: its bytes are on disk when this returns (its name is when its directory is synced).
Task<void> write_new_file(Reactor& reactor, int directory, const char* path, std::string_view bytes,
                          unsigned mode = 0644, bool durable = false, Wait wait = {});

struct DirectoryEntry {
  std::string name;
  unsigned char type =
      0;  ///< DT_REG, DT_DIR, ... of <dirent.h>; DT_UNKNOWN where a file system says so.
};

/// Whether the file system's own answers come over a network or from another process (NFS, FUSE,
/// CIFS, 9p, Ceph, ...): a plain system call there may take milliseconds.
bool is_slow_file_system(int fd);

/// What is in an open directory, without "." and "..", in no particular order: 0, or a negative
/// errno. Waits for the file system.
int list_entries(int directory, std::vector<DirectoryEntry>& out) noexcept;

/// The two ends of a channel, close-on-exec.
struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};
Pipe make_pipe();
struct SocketPair {
  Descriptor ours;
  Descriptor theirs;
};
SocketPair make_socket_pair();

/// Writes all to a descriptor that was passed to `Reactor::prepare_stream`. `disconnected` if the
/// peer is gone.
Task<void> write_stream(Reactor& reactor, int fd, std::string_view bytes, Wait wait = {});

/// Reads to the end of a descriptor of any kind that is not ours alone (standard input: a file, a
/// pipe, a terminal): its flags are left as they are. `what` names it in messages.
Task<std::string> read_to_end(Reactor& reactor, int fd, std::size_t bytes_max, std::string what,
                              Wait wait = {});

}  // namespace unum
