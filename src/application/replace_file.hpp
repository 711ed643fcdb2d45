// Writing a file whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace unum {

/// Puts a file with this text at `path`, in the place of one that is there, whose permissions it
/// gets. It is on disk before its name is. Blocks. Throws system_error (origin "ir"); then nothing
/// has changed.
void replace_file(const std::string& path, std::string_view text);

}  // namespace unum
