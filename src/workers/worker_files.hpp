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

/// Places where a worker program of ours may be, best first: in UNUM_WORKERS if that is set, else
/// beside the installed binary, in the source tree, in the build tree.
std::vector<std::string> worker_places(std::string_view program);
/// The first of them that exists.
std::optional<std::string> find_worker(std::string_view program);
/// The directory of the Python worker, for people; says so if there is none.
std::string worker_directory();

}  // namespace unum
