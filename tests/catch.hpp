// The one way to include Catch2: the tests build with its version 2 and with its version 3.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
/// As version 3 calls it.
inline auto ContainsSubstring(const std::string& text) { return Catch::Contains(text); }
#endif

namespace unum::test {

/// Notes for the count at the end that the running test case was skipped, and why.
inline void note_skip(std::string_view reason) {
  const std::string line =
      Catch::getResultCapture().getCurrentTestName() + ": " + std::string(reason);
  std::cerr << "SKIPPED: " << line << "\n";
  if (const char* path = std::getenv("UNUM_TEST_SKIPS")) {
    std::ofstream(path, std::ios::app) << line << "\n";
  }
}

}  // namespace unum::test

/// Leaves the test case as skipped: for what this machine lacks and cannot be given. In CI a skip
/// is a failure. Use it in the body of a TEST_CASE, before its first assertion.
#define UNUM_SKIP(reason)           \
  do {                              \
    unum::test::note_skip(reason);  \
    SUCCEED("skipped: " << reason); \
    return;                         \
  } while (false)
