// A reference path of the States Language, such as `$.order.error`: where in a value another one is
// placed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "unum/json.hpp"

namespace unum {

class ReferencePath {
 public:
  /// `$`, then any number of `.name`, `['name']`, `["name"]` or `[2]`. Throws `invalid` (origin
  /// "ir"), with `where` and what would be right.
  static ReferencePath parse(std::string_view text, std::string_view where);

  const std::string& text() const noexcept { return text_; }
  /// `$`: what is placed there replaces the whole.
  bool is_root() const noexcept { return steps_.empty(); }

  /// `input` with `value` at the path; the rest of its text stays as it is. Members that are
  /// missing on the way are added as objects. Throws `invalid`, code "Unum.ResultPath", where a
  /// name does not lead into an object or a number not to an element that exists.
  json::Text place(json::View input, json::View value) const;

 private:
  using Step = std::variant<std::string, std::size_t>;
  void place_at(std::string& out, const json::View* at, std::size_t step, json::View value) const;
  void place_member(std::string& out, const json::View* at, std::size_t step,
                    json::View value) const;
  [[noreturn]] void fail(std::size_t step, const std::string& what) const;

  std::string text_;
  std::vector<Step> steps_;
};

}  // namespace unum
