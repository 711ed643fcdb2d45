// The ordered list of instance names of a fan-in, kept in runs.
#include <algorithm>
#include <charconv>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
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

/// The name at a place of a run.
std::string name_in(const NameList::Run& run, std::int64_t place) {
  std::string name;
  if (run.first.indexes.empty()) return name.assign(run.first.function);
  constexpr std::string_view kMarker = "-unumIndex-";
  name.reserve(run.first.function.size() + kMarker.size() + run.first.indexes.size() * 8);
  name.append(run.first.function).append(kMarker);
  for (std::size_t i = 0; i < run.first.indexes.size(); ++i) {
    if (i > 0) name += '.';
    append_number(name, run.first.indexes[i] + (run.length > 1 && i == run.axis ? place : 0));
  }
  return name;
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
    if (place < length) return name_in(run, static_cast<std::int64_t>(place));
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
  for (const Run& run : runs_) {
    for (std::int64_t place = 0; place < run.length; ++place) out.push_back(name_in(run, place));
  }
  return out;
}

std::string NameList::summary() const {
  if (runs_.empty()) return "(no names)";
  std::string out;
  for (std::size_t i = 0; i < std::min(runs_.size(), kShownRuns); ++i) {
    const Run& run = runs_[i];
    out.append(i > 0 ? ", " : "").append(name_in(run, 0));
    if (run.length > 1) {
      out.append(run.length > 2 ? " .. " : ", ").append(name_in(run, run.length - 1));
    }
  }
  if (runs_.size() > kShownRuns) out += ", ...";
  if (size_ > 2) out += " (" + std::to_string(size_) + " names)";
  return out;
}

void NameList::append_json(std::string& out) const {
  out += '[';
  for (const Run& run : runs_) {
    if (&run != runs_.data()) out += ',';
    // No function's name holds what JSON would escape.
    if (run.length == 1) {
      out.append("\"").append(name_in(run, 0)).append("\"");
    } else {
      out.append("{\"From\":\"").append(name_in(run, 0)).append("\",\"To\":\"");
      out.append(name_in(run, run.length - 1)).append("\"}");
    }
  }
  out += ']';
}

namespace {

std::optional<InstanceName> name_from_json(std::optional<std::string_view> value) {
  if (!value || json::type_of(*value) != json::Type::string) return std::nullopt;
  return parse_instance_name(json::string_value(*value));
}

/// The run from one name to another that differs from it in one index, which is higher.
std::optional<NameList::Run> run_between(const InstanceName& first, const InstanceName& last) {
  if (first.function != last.function || first.indexes.size() != last.indexes.size()) {
    return std::nullopt;
  }
  const auto [a, b] =
      std::mismatch(first.indexes.begin(), first.indexes.end(), last.indexes.begin());
  if (a == first.indexes.end() || *b <= *a || *b - *a >= kFanOutMax) return std::nullopt;
  if (!std::equal(a + 1, first.indexes.end(), b + 1)) return std::nullopt;
  return NameList::Run{first, static_cast<std::size_t>(a - first.indexes.begin()), *b - *a + 1};
}

}  // namespace

std::optional<NameList> NameList::from_json(std::string_view array) {
  if (json::type_of(array) != json::Type::array) return std::nullopt;
  NameList list;
  json::ElementReader reader(array);
  for (std::string_view element; reader.next(element);) {
    const bool is_run = json::type_of(element) == json::Type::object;
    const auto first =
        name_from_json(is_run ? json::member(element, "From") : std::optional(element));
    const auto last = is_run ? name_from_json(json::member(element, "To")) : first;
    if (!first || !last) return std::nullopt;
    if (!is_run) {
      list.append(*first);
    } else if (const std::optional<Run> run = run_between(*first, *last)) {
      list.append_run(run->first, run->axis, run->length);
    } else {
      return std::nullopt;
    }
    if (static_cast<std::int64_t>(list.size()) > kFanOutMax) return std::nullopt;
  }
  return list;
}

std::string NameList::digest() const {
  // A line a run: function, indexes, axis, length. No function's name holds a space or a line's
  // end.
  std::string text;
  for (const Run& run : runs_) {
    text += run.first.function;
    for (const std::int64_t index : run.first.indexes) {
      text += ' ';
      append_number(text, index);
    }
    text += run.length > 1 ? " a" + std::to_string(run.axis) + " n" : " n";
    append_number(text, run.length);
    text += '\n';
  }
  return unum::digest(text);
}

}  // namespace unum
