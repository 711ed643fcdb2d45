// Errors: their names, and what becomes of an errno value.
#include "unum/error.hpp"

#include <cerrno>

#include "catch.hpp"

using unum::Error;
using unum::ErrorKind;

TEST_CASE("an error keeps its kind, origin, code and message") {
  const Error error(ErrorKind::conflict, "fs", "EEXIST", "the value of A is there already");
  CHECK(error.kind() == ErrorKind::conflict);
  CHECK(error.origin() == "fs");
  CHECK(error.code() == "EEXIST");
  CHECK(error.message() == "the value of A is there already");
  CHECK(std::string(error.what()) == error.message());
}

TEST_CASE("a system error names what was tried, the reason and its symbol") {
  const Error error = unum::system_error("fs", ENOSPC, "cannot write /x");
  CHECK(error.kind() == ErrorKind::exhausted);
  CHECK(error.code() == "ENOSPC");
  CHECK(error.message() == "cannot write /x: No space left on device");
}

TEST_CASE("a system error has the kind that says what to do about it") {
  CHECK(unum::system_error("fs", ENOENT, "x").kind() == ErrorKind::not_found);
  CHECK(unum::system_error("fs", EROFS, "x").kind() == ErrorKind::denied);
  CHECK(unum::system_error("fs", EPIPE, "x").kind() == ErrorKind::disconnected);
  CHECK(unum::system_error("fs", EBADF, "x").kind() == ErrorKind::bug);
}

TEST_CASE("an errno value without a name still gives an error") {
  const Error error = unum::system_error("fs", 99999, "cannot write /x");
  CHECK(error.kind() == ErrorKind::bug);
  CHECK(error.message() == "cannot write /x: unknown error");
}
