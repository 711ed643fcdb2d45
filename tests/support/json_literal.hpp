// JSON in tests: R"({"a": 1})"_json is checked where it stands.
#pragma once

#include <string_view>

#include "unum/json.hpp"

namespace unum::test {

inline json::View operator""_json(const char* text, std::size_t size) {
  return json::validate({text, size}, "the test's JSON");
}

}  // namespace unum::test
