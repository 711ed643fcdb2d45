// The ordered list of instance names of a fan-in, kept in runs.
#include <algorithm>
#include <charconv>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/utf8.hpp"
#include "unum/error.hpp"
#include "workflow/values.hpp"

namespace unum {
namespace {

/// Runs that a summary shows.
constexpr std::size_t kShownRuns = 8;

void append_number(std::string& out, std::int64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// The place of a name in a run, -1 if it is not there.
std::int64_t place_in(const NameList::Run& run, const InstanceName& name) {
  const std::vector<std::int64_t>& first = run.first.indexes;
  if (name.indexes.size() != first.size() || name.function != run.first.function) return -1;
  std::int64_t place = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (run.length > 1 && i == run.axis) {
      // No overflow: indexes are not negative.
      place = name.indexes[i] - first[i];
      if (place < 0 || place >= run.length) return -1;
    } else if (name.indexes[i] != first[i]) {
      return -1;
    }
  }
  return place;
}

/// The only index in which `name` counts one up from `first`, nothing if that is not how they
/// differ.
std::optional<std::size_t> axis_between(const InstanceName& first, const InstanceName& name) {
  if (first.indexes.size() != name.indexes.size()) return std::nullopt;
  const auto [a, b] =
      std::mismatch(first.indexes.begin(), first.indexes.end(), name.indexes.begin());
  if (a == first.indexes.end() || *b < 1 || *a != *b - 1) return std::nullopt;
  if (!std::equal(a + 1, first.indexes.end(), b + 1) || first.function != name.function) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(a - first.indexes.begin());
}

}  // namespace

/// Appends the name at a place of a run.
void NameList::append_name(std::string& out, const Run& run, std::int64_t place) {
  constexpr std::string_view kMarker = "-unumIndex-";
  const std::vector<std::int64_t>& indexes = run.first.indexes;
  if (indexes.empty()) {
    out.append(run.first.function);
    return;
  }
  // One allocation at most: indexes rarely have more than seven digits.
  out.reserve(out.size() + run.first.function.size() + kMarker.size() + indexes.size() * 8);
  out.append(run.first.function).append(kMarker);
  for (std::size_t i = 0; i < indexes.size(); ++i) {
    if (i > 0) out += '.';
    append_number(out, indexes[i] + (run.length > 1 && i == run.axis ? place : 0));
  }
}

void NameList::append(const InstanceName& name) {
  ++size_;
  if (!runs_.empty()) {
    Run& last = runs_.back();
    if (last.length == 1) {
      if (const std::optional<std::size_t> axis = axis_between(last.first, name)) {
        last.axis = *axis;
        last.length = 2;
        return;
      }
    } else {
      ++last.length;
      if (place_in(last, name) == last.length - 1) return;
      --last.length;
    }
  }
  runs_.push_back({name, 0, 1});
}

void NameList::append_run(const InstanceName& first, std::size_t axis, std::int64_t length) {
  if (length <= 0) return;
  if (axis >= first.indexes.size() || first.indexes[axis] > INT64_MAX - (length - 1)) {
    throw Error(ErrorKind::bug, "ir", "Unum.NameList", "a run of names has no such axis or length");
  }
  if (runs_.empty()) {  // nearly always
    runs_.push_back({first, length > 1 ? axis : 0, length});
    size_ = static_cast<std::size_t>(length);
    return;
  }
  // After three names, whatever stood before, the last run counts along this axis and the rest only
  // makes it longer: the first may have ended or continued a run before it, the second may have
  // begun one, the third continues it.
  InstanceName name = first;
  for (std::int64_t place = 0; place < std::min<std::int64_t>(length, 3); ++place) {
    name.indexes[axis] = first.indexes[axis] + place;
    append(name);
  }
  if (length <= 3) return;
  runs_.back().length += length - 3;
  size_ += static_cast<std::size_t>(length - 3);
}

std::string NameList::name(std::size_t place) const {
  for (const Run& run : runs_) {
    const auto length = static_cast<std::size_t>(run.length);
    if (place < length) {
      std::string name;
      append_name(name, run, static_cast<std::int64_t>(place));
      return name;
    }
    place -= length;
  }
  throw Error(ErrorKind::bug, "ir", "Unum.NameList", "a place beyond the end of a list of names");
}

InstanceName NameList::at(std::size_t place) const {
  for (const Run& run : runs_) {
    if (place < static_cast<std::size_t>(run.length)) {
      InstanceName name = run.first;
      if (run.length > 1) name.indexes[run.axis] += static_cast<std::int64_t>(place);
      return name;
    }
    place -= static_cast<std::size_t>(run.length);
  }
  throw Error(ErrorKind::bug, "ir", "Unum.NameList", "a place beyond the end of a list of names");
}

std::vector<std::size_t> NameList::places_of(const InstanceName& name) const {
  std::vector<std::size_t> places;
  std::size_t before = 0;
  for (const Run& run : runs_) {
    const std::int64_t place = place_in(run, name);
    if (place >= 0) places.push_back(before + static_cast<std::size_t>(place));
    before += static_cast<std::size_t>(run.length);
  }
  return places;
}

std::optional<std::size_t> NameList::place_of(const InstanceName& name) const {
  std::size_t before = 0;
  for (const Run& run : runs_) {
    const std::int64_t place = place_in(run, name);
    if (place >= 0) return before + static_cast<std::size_t>(place);
    before += static_cast<std::size_t>(run.length);
  }
  return std::nullopt;
}

std::vector<std::string> NameList::names() const {
  std::vector<std::string> out;
  out.reserve(size_);
  for_each([&](std::string_view name) { out.emplace_back(name); });
  return out;
}

std::string NameList::summary() const {
  if (runs_.empty()) return "(no names)";
  std::string out;
  out.reserve(runs_.size() == 1 ? 80 : 240);
  for (std::size_t i = 0; i < std::min(runs_.size(), kShownRuns); ++i) {
    const Run& run = runs_[i];
    if (i > 0) out += ", ";
    append_name(out, run, 0);
    if (run.length > 1) {
      out += run.length > 2 ? " .. " : ", ";
      append_name(out, run, run.length - 1);
    }
  }
  if (runs_.size() > kShownRuns) out += ", ...";
  if (size_ > 2) {
    out += " (";
    append_number(out, static_cast<std::int64_t>(size_));
    out += " names)";
  }
  return out;
}

void NameList::append_json(std::string& out) const {
  out += '[';
  for (const Run& run : runs_) {
    if (&run != runs_.data()) out += ',';
    // No function's name holds what JSON would escape.
    out += run.length == 1 ? "\"" : "{\"From\":\"";
    append_name(out, run, 0);
    if (run.length > 1) {
      out += "\",\"To\":\"";
      append_name(out, run, run.length - 1);
    }
    out += run.length == 1 ? "\"" : "\"}";
  }
  out += ']';
}

namespace {

/// Reads the array that NameList::append_json writes.
class NameListReader {
 public:
  explicit NameListReader(json::View array) : at_(array) {}

  NameList read() {
    if (at_.type() != json::Type::array) {
      throw Error(ErrorKind::invalid, "ir", "Unum.NameList", "it must be a list of names");
    }
    at_.enter();
    for (; at_.next_element(); ++place_) {
      if (at_.type() == json::Type::object) {
        run();
      } else {
        list_.append(name(at_.value()));
        check_size(0);
      }
    }
    return std::move(list_);
  }

 private:
  [[noreturn]] void fail(std::string_view rest) const {
    throw Error(ErrorKind::invalid, "ir", "Unum.NameList",
                "element " + std::to_string(place_) + " " + std::string(rest));
  }

  InstanceName name(json::View value) const {
    if (json::type_of(value) != json::Type::string) {
      fail("must be a name, or {\"From\": name, \"To\": name} for those from one to another");
    }
    std::string text = json::string_value(value);
    if (value.size() != text.size() + 2 && !is_utf8(text)) {
      fail("is " + std::string(value.text()) + ", which holds half a character (a lone surrogate)");
    }
    std::optional<InstanceName> parsed = parse_instance_name(text);
    return parsed ? std::move(*parsed) : InstanceName{std::move(text), {}};
  }

  void run() {
    std::optional<InstanceName> first;
    std::optional<InstanceName> last;
    at_.enter();
    for (json::View key; at_.next_member(key);) {
      const json::View value = at_.value();
      if (json::string_equals(key, "From")) first = name(value);
      if (json::string_equals(key, "To")) last = name(value);
    }
    if (!first || !last) fail("must have \"From\" and \"To\", the first and the last name");
    const auto [a, b] = std::mismatch(first->indexes.begin(), first->indexes.end(),
                                      last->indexes.begin(), last->indexes.end());
    const bool counts =
        first->function == last->function && first->indexes.size() == last->indexes.size() &&
        a != first->indexes.end() && *a < *b && std::equal(a + 1, first->indexes.end(), b + 1);
    if (!counts) fail("must go from one name to another that differs in one index, a higher one");
    const std::int64_t steps = *b - *a;  // no overflow: indexes are not negative
    check_size(steps);
    list_.append_run(*first, static_cast<std::size_t>(a - first->indexes.begin()), steps + 1);
    check_size(0);
  }

  /// Before so many names are added.
  void check_size(std::int64_t added) const {
    if (added <= kFanOutMax - static_cast<std::int64_t>(list_.size())) return;
    throw Error(ErrorKind::exhausted, "ir", "Unum.NameList",
                "element " + std::to_string(place_) + " makes it longer than the " +
                    std::to_string(kFanOutMax) + " names that are allowed");
  }

  json::Cursor at_;
  NameList list_;
  std::size_t place_ = 0;
};

}  // namespace

NameList NameList::from_json(json::View array) { return NameListReader(array).read(); }

std::string NameList::digest() const {
  // A line a run: function, indexes, axis, length. No function's name holds a space or a line's
  // end.
  std::string text;
  text.reserve(64);
  for (const Run& run : runs_) {
    text += run.first.function;
    for (const std::int64_t index : run.first.indexes) {
      text += ' ';
      append_number(text, index);
    }
    if (run.length > 1) {
      text += " a";
      append_number(text, static_cast<std::int64_t>(run.axis));
    }
    text += " n";
    append_number(text, run.length);
    text += '\n';
  }
  return unum::digest(text);
}

}  // namespace unum
