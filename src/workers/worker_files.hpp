// Where interpreters and the worker programs are on this machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unum {

/// The absolute path of a program: `name` itself if it has a '/', else the first in PATH that can
/// be executed.
std::optional<std::string> find_program(std::string_view name);

/// Places where a worker program of ours may be, best first: in UNUM_WORKERS if that is set. Else
/// none for the shims, which are part of this program, and for others beside the installed binary
/// and in the build tree.
std::vector<std::string> worker_places(std::string_view program);
/// The first of them that exists; for a shim of this program's own a file in memory, by a path
/// below /proc that is valid while this process lives.
std::optional<std::string> find_worker(std::string_view program);
/// Where the shims are, for people.
std::string worker_directory();

}  // namespace unum
