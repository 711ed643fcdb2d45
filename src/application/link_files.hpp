// What `unum link` writes: the files that a deployment of one function needs.
//
//   application.json              the application, and how each function's code is run
//   <Function>/unum_config.json   the function's configuration, linked
//
// A function that is deployed alone needs the first, its own of the second, and its code.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "application/application.hpp"

namespace unum {

inline constexpr std::string_view kLinkedApplicationFile = "application.json";

struct LinkedFile {
  std::string name;  ///< Relative to the directory that they are written to.
  std::string text;
};

/// `application.json` first, then the functions' files, sorted. The application was checked.
std::vector<LinkedFile> linked_files(const Application& application);

/// Writes them into a directory that is new, empty, or was written so before; functions that the
/// application has no more are removed from it. Each file is replaced whole. `application.json`
/// comes last, and has the digests of the others: what a failure leaves mixed is refused when it is
/// read. Throws `invalid` (origin "application") for a directory with files of somebody else, and
/// system_error.
void write_linked_files(const std::vector<LinkedFile>& files,
                        const std::filesystem::path& directory);

/// An application of which one function is deployed.
struct LinkedApplication {
  Application application;  ///< `directory` is where its file is; `functions` has the one.
  /// Of all functions, by name.
  std::map<std::string, std::string, std::less<>> digests;
};

/// Reads what is needed of one function, whose code is in `code_dir`. Throws `invalid` with the
/// file, line and field, also if the function is not one of the application's or its file is not
/// that which application.json was written with.
LinkedApplication read_linked_function(const std::filesystem::path& directory,
                                       std::string_view function,
                                       const std::filesystem::path& code_dir);

}  // namespace unum
