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

/// Named by what the caller does about it. The numbers are part of the binary interface, where they
/// stand as a status: they never change, a new kind gets the next one, and 0 is no error.
enum class ErrorKind : int {
  not_found = 1,     ///< A named thing does not exist: create it, or correct the name.
  conflict = 2,      ///< Somebody else wrote something different first: do not retry unchanged.
  invalid = 3,       ///< The input is wrong: correct it.
  denied = 4,        ///< Not permitted: change credentials or permissions.
  throttled = 5,     ///< The service asks for a slower pace: retry later.
  timeout = 6,       ///< The deadline passed; whether the effect took place is unknown.
  disconnected = 7,  ///< The connection or peer process went away; whether the effect took place is
                     ///< unknown.
  cancelled = 8,     ///< A stop was requested; whether the effect took place is unknown.
  corrupt = 9,       ///< Stored or received bytes are not what they must be.
  exhausted = 10,    ///< A limit or resource (disk, memory, descriptors) is used up.
  bug = 11,          ///< An invariant of this library or of the user's code does not hold.
};

/// The kind's name as it stands in messages and logs, for example "not_found".
UNUM_API std::string_view to_string(ErrorKind kind) noexcept;

/// What an error means for the delivery (one message, one invocation of a function) whose step it
/// ended. Numbered as the kinds are.
enum class Delivery : int {
  final = 1,    ///< The same step would meet it again: report it, and acknowledge the delivery.
  again = 2,    ///< It passes, or nobody knows: do not acknowledge; deliver again until it passed.
  bounded = 3,  ///< It may never pass: after some deliveries `Runtime::give_up`, then acknowledge.
};

/// "final", "again", "bounded".
UNUM_API std::string_view to_string(Delivery delivery) noexcept;

/// By kind and origin alone: docs/errors.md has the table. With an origin that is none of this
/// library's, as of a user's own Invoker, what may pass by itself is `again` and the rest
/// `bounded`; nothing is `final`.
UNUM_API Delivery delivery_of(ErrorKind kind, std::string_view origin) noexcept;

/// An error with its kind, its origin ("fs", "ir", "reactor", ...), a code that is stable for
/// people and their scripts ("ENOSPC", "Unum.MissingInput", ...; nothing in here is decided by it)
/// and a message that names the things involved. Never holds a secret.
class UNUM_API Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string_view origin, std::string_view code, std::string message);

  ErrorKind kind() const noexcept { return kind_; }
  Delivery delivery() const noexcept { return delivery_of(kind_, origin_); }
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
