// Parsing of reference paths, and text put into other text.
#include "workflow/reference_path.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

constexpr std::string_view kForms =
    "a reference path such as \"$.error\", \"$.order['the error']\" or \"$\" (names and the "
    "numbers "
    "of elements only)";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes one step off the front of what is left of a path; false if it is none.
bool take_name(std::string_view& rest, std::string& name) {
  const std::size_t end = std::min(rest.find_first_of(".[", 1), rest.size());
  name = rest.substr(1, end - 1);
  rest.remove_prefix(end);
  // Operators of other paths, which could name several places.
  return !name.empty() && name.find_first_of(" @,:?*()'\"]$") == std::string::npos;
}

bool take_quoted(std::string_view& rest, std::string& name) {
  const char quote = rest[1];
  std::size_t at = 2;
  for (; at < rest.size() && rest[at] != quote; ++at) {
    if (rest[at] == '\\' && ++at == rest.size()) return false;
    name += rest[at];
  }
  if (at + 1 >= rest.size() || rest[at + 1] != ']') return false;
  rest.remove_prefix(at + 2);
  return !name.empty();
}

bool take_number(std::string_view& rest, std::size_t& number) {
  constexpr std::size_t kDigitsMax = 9;
  std::size_t at = 1;
  for (; at < rest.size() && is_digit(rest[at]); ++at) {
    number = number * 10 + static_cast<std::size_t>(rest[at] - '0');
  }
  if (at == 1 || at > 1 + kDigitsMax || at == rest.size() || rest[at] != ']') return false;
  rest.remove_prefix(at + 1);
  return true;
}

}  // namespace

ReferencePath ReferencePath::parse(std::string_view text, std::string_view where) {
  ReferencePath path;
  path.text_ = text;
  std::string_view rest = text;
  bool good = text.starts_with('$');
  if (good) rest.remove_prefix(1);
  while (good && !rest.empty()) {
    std::string name;
    std::size_t number = 0;
    if (rest.front() == '.') {
      good = take_name(rest, name);
    } else if (rest.front() != '[' || rest.size() < 3) {
      good = false;
    } else if (rest[1] == '\'' || rest[1] == '"') {
      good = take_quoted(rest, name);
    } else {
      good = take_number(rest, number);
      if (good) path.steps_.emplace_back(number);
      continue;
    }
    if (good) path.steps_.emplace_back(std::move(name));
  }
  if (good && path.steps_.size() <= kReferencePathStepsMax) return path;
  throw Error(ErrorKind::invalid, "ir", "Unum.Ir",
              std::string(where) + " is \"" + path.text_ + "\"; it must be " +
                  (good ? "at most " + std::to_string(kReferencePathStepsMax) + " steps long"
                        : std::string(kForms)));
}

json::Text ReferencePath::place(json::View input, json::View value) const {
  std::string out;
  out.reserve(input.size() + value.size() + text_.size() + 16);
  place_at(out, &input, 0, value);
  return json::Text::trusted(std::move(out));
}

/// Appends what stands `at` a step (null: nothing) with the value placed behind it.
void ReferencePath::place_at(std::string& out, const json::View* at, std::size_t step,
                             json::View value) const {
  if (step == steps_.size()) {
    out += value.text();
    return;
  }
  if (std::holds_alternative<std::string>(steps_[step])) {
    place_member(out, at, step, value);
    return;
  }
  const std::size_t wanted = std::get<std::size_t>(steps_[step]);
  if (at == nullptr || json::type_of(*at) != json::Type::array) fail(step, "is no array");
  json::ElementReader elements(*at);
  json::View element;
  for (std::size_t i = 0; elements.next(element); ++i) {
    if (i != wanted) continue;
    const std::string_view whole = at->text();
    const auto before = static_cast<std::size_t>(element.text().data() - whole.data());
    out += whole.substr(0, before);
    place_at(out, &element, step + 1, value);
    out += whole.substr(before + element.size());
    return;
  }
  fail(step, "has no element " + std::to_string(wanted));
}

void ReferencePath::place_member(std::string& out, const json::View* at, std::size_t step,
                                 json::View value) const {
  const std::string& name = std::get<std::string>(steps_[step]);
  if (at != nullptr && json::type_of(*at) != json::Type::object) fail(step, "is no object");
  const std::string_view whole = at == nullptr ? std::string_view("{}") : at->text();
  json::MemberReader members(at == nullptr ? json::View::trusted("{}") : *at);
  json::View key;
  json::View member;
  json::View found;
  bool exists = false;
  bool any = false;
  while (members.next(key, member)) {
    any = true;
    if (!json::string_equals(key, name)) continue;
    exists = true;
    found = member;  // of a repeated key the last counts
  }
  if (exists) {
    const auto before = static_cast<std::size_t>(found.text().data() - whole.data());
    out += whole.substr(0, before);
    place_at(out, &found, step + 1, value);
    out += whole.substr(before + found.size());
    return;
  }
  out += whole.substr(0, whole.size() - 1);
  if (any) out += ',';
  json::append_string(out, name);
  out += ':';
  place_at(out, nullptr, step + 1, value);
  out += '}';
}

void ReferencePath::fail(std::size_t step, const std::string& what) const {
  std::string place = "$";
  for (std::size_t i = 0; i < step; ++i) {
    if (const std::string* name = std::get_if<std::string>(&steps_[i])) {
      place += '.' + *name;
    } else {
      place += '[' + std::to_string(std::get<std::size_t>(steps_[i])) + ']';
    }
  }
  throw Error(ErrorKind::invalid, "runtime", "Unum.ResultPath",
              "the ResultPath " + text_ + " cannot be applied: " +
                  (step == 0 ? "the input " : place + " of the input ") + what);
}

}  // namespace unum
