// Errors: their names, and what becomes of an errno value.
#include "unum/error.hpp"

#include <cerrno>

#include "catch.hpp"

using unum::Delivery;
using unum::delivery_of;
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
  CHECK(unum::system_error("fs", ESTALE, "x").kind() == ErrorKind::disconnected);
  CHECK(unum::system_error("redis", EHOSTUNREACH, "x").kind() == ErrorKind::disconnected);
  CHECK(unum::system_error("fs", EBADF, "x").kind() == ErrorKind::bug);
}

TEST_CASE("an errno value without a name still gives an error") {
  const Error error = unum::system_error("fs", 99999, "cannot write /x");
  CHECK(error.kind() == ErrorKind::bug);
  CHECK(error.message() == "cannot write /x: unknown error");
}

TEST_CASE("the kinds have the numbers that programs of other languages know") {
  CHECK(static_cast<int>(ErrorKind::not_found) == 1);
  CHECK(static_cast<int>(ErrorKind::conflict) == 2);
  CHECK(static_cast<int>(ErrorKind::invalid) == 3);
  CHECK(static_cast<int>(ErrorKind::denied) == 4);
  CHECK(static_cast<int>(ErrorKind::throttled) == 5);
  CHECK(static_cast<int>(ErrorKind::timeout) == 6);
  CHECK(static_cast<int>(ErrorKind::disconnected) == 7);
  CHECK(static_cast<int>(ErrorKind::cancelled) == 8);
  CHECK(static_cast<int>(ErrorKind::corrupt) == 9);
  CHECK(static_cast<int>(ErrorKind::exhausted) == 10);
  CHECK(static_cast<int>(ErrorKind::bug) == 11);
}

TEST_CASE("what passes by itself is delivered again, whatever the code says") {
  for (const char* origin : {"fs", "redis", "s3", "dynamodb", "aws", "http", "reactor", "memory"}) {
    for (const ErrorKind kind :
         {ErrorKind::throttled, ErrorKind::timeout, ErrorKind::disconnected, ErrorKind::cancelled,
          ErrorKind::conflict, ErrorKind::denied, ErrorKind::exhausted, ErrorKind::not_found}) {
      CHECK(Error(kind, origin, "Unum.MissingInput", "x").delivery() == Delivery::again);
    }
    CHECK(delivery_of(ErrorKind::corrupt, origin) == Delivery::bounded);
    CHECK(delivery_of(ErrorKind::bug, origin) == Delivery::bounded);
  }
}

TEST_CASE("what follows from the step itself is final") {
  for (const char* origin : {"ir", "payload", "runtime", "json", "host", "stores"}) {
    for (const ErrorKind kind : {ErrorKind::invalid, ErrorKind::exhausted, ErrorKind::corrupt,
                                 ErrorKind::not_found, ErrorKind::bug}) {
      CHECK(delivery_of(kind, origin) == Delivery::final);
    }
  }
}

TEST_CASE("a process of user code that crashes or hangs is given up after some deliveries") {
  CHECK(delivery_of(ErrorKind::disconnected, "worker") == Delivery::bounded);
  CHECK(delivery_of(ErrorKind::timeout, "worker") == Delivery::bounded);
  CHECK(delivery_of(ErrorKind::exhausted, "worker") == Delivery::again);
  CHECK(delivery_of(ErrorKind::cancelled, "worker") == Delivery::again);
}

TEST_CASE("nothing is final of which nobody here knows the origin") {
  for (int number = 0; number <= 12; ++number) {
    const auto kind = static_cast<ErrorKind>(number);
    CHECK(delivery_of(kind, "somebody's queue") != Delivery::final);
    CHECK(delivery_of(kind, "") != Delivery::final);
  }
  CHECK(delivery_of(ErrorKind::throttled, "somebody's queue") == Delivery::again);
  CHECK(delivery_of(ErrorKind::invalid, "somebody's queue") == Delivery::bounded);
}
