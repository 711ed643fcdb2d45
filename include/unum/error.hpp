// The library's error type: what the caller can do, where the error came from, and what happened.
//
// Expected outcomes (a value is absent, a value already exists) are return values, never errors.
// Errors are thrown as exceptions; none crosses a C callback.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "unum/api.hpp"

namespace unum {

/// Kinds of errors, by what the caller can do. The numbers are part of the binary interface, which
/// returns them as a status: they never change, a new kind gets the next one, and 0 means success.
enum class ErrorKind : int {
  not_found = 1,     ///< Something that was named does not exist: create it, or correct the name.
  conflict = 2,      ///< A concurrent writer wrote something different: do not retry unchanged.
  invalid = 3,       ///< The input is wrong: correct it.
  denied = 4,        ///< Not permitted: change credentials or permissions.
  throttled = 5,     ///< The service asks for fewer requests: retry later.
  timeout = 6,       ///< The deadline passed; the operation may or may not have taken effect.
  disconnected = 7,  ///< The connection was lost or the peer process ended; the operation may or
                     ///< may not have taken effect.
  cancelled = 8,     ///< A stop was requested; the operation may or may not have taken effect.
  corrupt = 9,       ///< Stored or received data is damaged.
  exhausted = 10,    ///< A limit was reached, or a resource (disk, memory, descriptors) ran out.
  bug = 11,          ///< An invariant of this library or of its caller is violated.
};

/// The kind's name in messages and logs, for example "not_found".
UNUM_API std::string_view to_string(ErrorKind kind) noexcept;

/// What a host does with a delivery (one message, one invocation of a function) whose step ended in
/// an error. The numbers are as stable as those of ErrorKind.
enum class Delivery : int {
  final = 1,  ///< Another delivery would fail the same way: report the error, and acknowledge.
  again = 2,  ///< The error passes, or may: do not acknowledge; deliver again until it is gone.
  bounded =
      3,  ///< It may never pass: after some deliveries call `Runtime::give_up`, and acknowledge.
};

/// "final", "again", "bounded".
UNUM_API std::string_view to_string(Delivery delivery) noexcept;

/// Depends on kind and origin alone; the table is in docs/errors.md. For an origin that is not this
/// library's, such as a user's own Invoker, kinds that may pass by themselves are `again` and the
/// others `bounded`; none is `final`.
UNUM_API Delivery delivery_of(ErrorKind kind, std::string_view origin) noexcept;

/// An error: its kind, its origin ("fs", "ir", "reactor", ...), a stable code for people and their
/// scripts ("ENOSPC", "Unum.MissingInput", ...; the library itself decides nothing by it), and a
/// message that names what is involved. None of them contains a secret.
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

/// An error from a positive `errno` value. The message is "<what>: <strerror>", the code is the
/// symbol ("ENOENT"), and the kind follows from it.
UNUM_API Error system_error(std::string_view origin, int errno_value, std::string_view what);

}  // namespace unum
