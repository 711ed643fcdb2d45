// Frames and instance names: writing them, taking them apart, the `Fan-out` object.
#include "workflow/frames.hpp"

#include <charconv>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

constexpr std::string_view kMarker = "-unumIndex-";

/// A canonical index: digits only, no leading zero, within 63 bits.
std::optional<std::int64_t> parse_index(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  if (text[0] < '0' || text[0] > '9') return std::nullopt;
  std::int64_t index = 0;
  const auto [past, problem] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (problem != std::errc() || past != text.data() + text.size()) return std::nullopt;
  return index;
}

[[noreturn]] void fail_field(std::string_view path, std::string_view field, std::string_view rule) {
  std::string message(path);
  message.append(field.empty() ? "" : ".").append(field).append(": ").append(rule);
  throw Error(ErrorKind::invalid, "payload", "Unum.InvalidFrame", std::move(message));
}

FrameType parse_type(std::string_view path, std::string_view value) {
  for (const FrameType type : {FrameType::map, FrameType::parallel, FrameType::loop}) {
    if (json::type_of(value) == json::Type::string && json::string_equals(value, to_string(type))) {
      return type;
    }
  }
  fail_field(path, "Type", R"(must be "Map", "Parallel" or "Loop")");
}

std::int64_t parse_number(std::string_view path, std::string_view field, std::string_view value) {
  const std::optional<std::int64_t> number = parse_index(value);
  if (!number) fail_field(path, field, "must be an integer of at least 0");
  return *number;
}

/// Reads one level; gives the level around it, empty if there is none.
std::string_view parse_frame(std::string_view path, std::string_view text, Frames& out) {
  if (json::type_of(text) == json::Type::null) return {};
  if (json::type_of(text) != json::Type::object) fail_field(path, "", "must be an object or null");
  std::optional<FrameType> type;
  std::optional<std::int64_t> index;
  std::optional<std::int64_t> size;
  std::optional<std::string_view> outer;
  const std::vector<json::Member> fields = json::members(text);
  if (fields.empty()) return {};
  for (const json::Member& field : fields) {
    if (field.key == "Type") {
      type = parse_type(path, field.value);
    } else if (field.key == "Index") {
      index = parse_number(path, field.key, field.value);
    } else if (field.key == "Size") {
      size = parse_number(path, field.key, field.value);
    } else if (field.key == "OuterLoop" || field.key == "Outerloop") {
      if (outer) fail_field(path, "OuterLoop", "stands beside Outerloop: only one of them may");
      outer = field.value;
    }
  }
  if (!type) fail_field(path, "Type", R"(is missing: "Map", "Parallel" or "Loop")");
  if (!index) fail_field(path, "Index", "is missing");
  if (!size) fail_field(path, "Size", "is missing");
  out.push_back({*type, *index, *size});
  return outer.value_or(std::string_view{});
}

void append_number(std::string& out, std::int64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

}  // namespace

std::string instance_name(std::string_view function, std::span<const Frame> frames) {
  std::string name;
  if (frames.empty()) return name.assign(function);
  char digits[20];
  char* past = std::to_chars(digits, digits + sizeof digits, frames[0].index).ptr;
  const auto first = static_cast<std::size_t>(past - digits);
  // One allocation at most: further levels rarely have more than seven digits.
  name.reserve(function.size() + kMarker.size() + first + (frames.size() - 1) * 8);
  name.append(function).append(kMarker).append(digits, past);
  for (const Frame& frame : frames.subspan(1)) {
    name += '.';
    append_number(name, frame.index);
  }
  return name;
}

std::optional<InstanceName> parse_instance_name(std::string_view name) {
  InstanceName out;
  const std::size_t marker = name.rfind(kMarker);
  const std::string_view function = name.substr(0, marker);
  if (function.empty() || function.find(kMarker) != std::string_view::npos) return std::nullopt;
  out.function = function;
  if (marker == std::string_view::npos) return out;
  std::string_view rest = name.substr(marker + kMarker.size());
  for (;;) {
    const std::size_t dot = rest.find('.');
    const std::optional<std::int64_t> index = parse_index(rest.substr(0, dot));
    if (!index || out.indexes.size() == kFramesMax) return std::nullopt;
    out.indexes.push_back(*index);
    if (dot == std::string_view::npos) return out;
    rest.remove_prefix(dot + 1);
  }
}

std::optional<std::string> function_name_defect(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kFunctionNameMax) {
    return "has " + std::to_string(name.size()) + " characters, at most " +
           std::to_string(kFunctionNameMax) + " are allowed";
  }
  for (const char c : name) {
    if (!is_name_character(c)) return "may hold only letters, digits, '_' and '-'";
  }
  // The second spelling is accepted in `Values`, so a function that has it could not be named
  // there.
  for (const std::string_view marker : {kMarker, std::string_view("-UnumIndex-")}) {
    if (name.find(marker) != std::string_view::npos) {
      return "holds \"" + std::string(marker) + "\", which parts a name from its indexes";
    }
  }
  for (const std::string_view suffix :
       {"-output", "-error", "-fanin", "-wanted", "-gc", "-input", "-application"}) {
    if (name.ends_with(suffix)) {
      return "ends in \"" + std::string(suffix) + "\", which names in the data store end in";
    }
  }
  return std::nullopt;
}

std::string_view to_string(FrameType type) noexcept {
  switch (type) {
    case FrameType::map: return "Map";
    case FrameType::parallel: return "Parallel";
    case FrameType::loop: return "Loop";
  }
  return "Map";
}

std::int64_t sibling_limit(std::span<const Frame> frames) noexcept {
  if (frames.empty()) return 0;
  const Frame& frame = frames[0];
  if (frame.type != FrameType::loop || frame.index < frame.size) return frame.size;
  return frame.index == INT64_MAX ? INT64_MAX : frame.index + 1;
}

void append_fan_out(std::string& out, std::span<const Frame> frames) {
  for (const Frame& frame : frames) {
    if (&frame != frames.data()) out += R"(,"OuterLoop":)";
    out.append(R"({"Type":")").append(to_string(frame.type)).append(R"(","Index":)");
    append_number(out, frame.index);
    out += R"(,"Size":)";
    append_number(out, frame.size);
  }
  out.append(frames.size(), '}');
}

Frames parse_fan_out(std::string_view json_text) {
  Frames out;
  std::string path = "Fan-out";
  for (std::string_view level = json_text; !level.empty(); path += ".OuterLoop") {
    if (out.size() == kFramesMax && json::type_of(level) != json::Type::null) {
      throw Error(ErrorKind::exhausted, "payload", "Unum.TooManyFrames",
                  "Fan-out: more than " + std::to_string(kFramesMax) + " levels");
    }
    level = parse_frame(path, level, out);
  }
  return out;
}

}  // namespace unum
