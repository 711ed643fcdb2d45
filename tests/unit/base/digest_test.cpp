// The digest, held to the published values of FNV-1a.
#include "base/digest.hpp"

#include "catch.hpp"

TEST_CASE("a digest is FNV-1a of 128 bits") {
  CHECK(unum::digest("") == "6c62272e07bb014262b821756295c58d");
  CHECK(unum::digest("a") == "d228cb696f1a8caf78912b704e4a8964");
  CHECK(unum::digest("foobar") == "343e1662793c64bf6f0d3597ba446f18");
}
