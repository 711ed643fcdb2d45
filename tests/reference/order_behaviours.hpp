// The user code of generated functions, the same as in behaviours.py.
#pragma once

#include <fmt/format.h>

#include <cctype>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "unum/runtime.hpp"

namespace unum::test {

/// By function: JSON text of a list, the behaviour's name and its arguments.
using Behaviours = std::map<std::string, json::Text>;

/// The sum of all integers, however deep they stand; strings have no digits.
inline std::int64_t total(std::string_view value) {
  std::int64_t sum = 0;
  for (std::size_t at = 0; at < value.size();) {
    const bool negative = value[at] == '-';
    if (negative) ++at;
    std::int64_t number = 0;
    const std::size_t begin = at;
    for (; at < value.size() && std::isdigit(static_cast<unsigned char>(value[at])) != 0; ++at) {
      number = number * 10 + (value[at] - '0');
    }
    sum += negative ? -number : number;
    if (at == begin) ++at;
  }
  return sum;
}

/// As Python's `%` and `range`: 0 to modulus - 1.
inline std::int64_t remainder(std::int64_t number, std::int64_t modulus) {
  return ((number % modulus) + modulus) % modulus;
}

inline UserResult run_behaviour(json::View behaviour, json::View value) {
  const std::vector<json::View> parts = json::elements(behaviour);
  const std::string name = json::string_value(parts.at(0));
  const auto argument = [&] { return std::stoll(std::string(parts.at(1))); };
  const bool is_list = json::type_of(value) == json::Type::array;
  if (name == "identity") return UserResult::success(std::string(value));
  if (name == "constant") return UserResult::success(std::string(parts.at(1)));
  if (name == "length") {
    return UserResult::success(std::to_string(is_list ? json::elements(value).size() : 1));
  }
  if (name == "sum") return UserResult::success(std::to_string(total(value)));
  if (name == "plus") return UserResult::success(std::to_string(total(value) + argument()));
  if (name == "remainder") {
    return UserResult::success(std::to_string(remainder(total(value), argument())));
  }
  if (name == "copies" || name == "spread") {
    const bool copies = name == "copies";
    const std::int64_t count = copies ? argument() : remainder(total(value), argument());
    std::string list = "[";
    for (std::int64_t i = 0; i < count; ++i) {
      list += i > 0 ? "," : "";
      list += copies ? std::string(value) : std::to_string(total(value) + i);
    }
    return UserResult::success(list + "]");
  }
  if (name == "item") {
    const auto place = static_cast<std::size_t>(argument());
    if (!is_list || json::elements(value).size() <= place) {
      return UserResult::failure("UserFailure", "there is no such element");
    }
    return UserResult::success(std::string(json::elements(value)[place]));
  }
  throw std::invalid_argument("no behaviour " + name);
}

}  // namespace unum::test
