// The one error type of the library: what a caller can do about it, where it came from, what
// happened.
//
// Expected outcomes (a value that is absent, a value that is already there) are return values,
// never errors. Errors are thrown as exceptions; none crosses a C callback.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "unum/api.hpp"

namespace unum {

/// Named by what the caller does about it.
enum class ErrorKind {
  not_found,     ///< A named thing does not exist: create it, or correct the name.
  conflict,      ///< Somebody else wrote something different first: do not retry unchanged.
  invalid,       ///< The input is wrong: correct it.
  denied,        ///< Not permitted: change credentials or permissions.
  throttled,     ///< The service asks for a slower pace: retry later.
  timeout,       ///< The deadline passed; whether the effect took place is unknown.
  disconnected,  ///< The connection or peer process went away; whether the effect took place is
                 ///< unknown.
  cancelled,     ///< A stop was requested.
  corrupt,       ///< Stored or received bytes are not what they must be.
  exhausted,     ///< A limit or resource (disk, memory, descriptors) is used up.
  bug,           ///< An invariant of this library or of the user's code does not hold.
};

/// The kind's name as it stands in messages and logs, for example "not_found".
UNUM_API std::string_view to_string(ErrorKind kind) noexcept;

/// An error with its kind, its origin ("fs", "ir", "reactor", ...), a code that is stable for
/// programs ("ENOSPC", "Unum.MissingInput", ...) and a message that names the things involved.
/// Never holds a secret.
class UNUM_API Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string_view origin, std::string_view code, std::string message);

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& origin() const noexcept { return origin_; }
  const std::string& code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::string origin_;
  std::string code_;
  std::string message_;
};

/// An error from a positive `errno` value: "<what>: <strerror>", the kind that fits the number, and
/// its symbol ("ENOENT") as the code.
UNUM_API Error system_error(std::string_view origin, int errno_value, std::string_view what);

}  // namespace unum
