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

/// Reads the levels of a `Fan-out` from the innermost out, in one walk.
class FanOutReader {
 public:
  explicit FanOutReader(json::View value) : at_(value) {}

  Frames read() {
    level();
    return std::move(frames_);
  }

 private:
  [[noreturn]] void fail(std::string_view field, std::string_view rule) const {
    std::string message = "Fan-out";
    for (std::size_t outer = 0; outer < depth_; ++outer) message += ".OuterLoop";
    message.append(field.empty() ? "" : ".").append(field).append(": ").append(rule);
    throw Error(ErrorKind::invalid, "payload", "Unum.InvalidFrame", std::move(message));
  }

  void level() {
    if (at_.type() == json::Type::null) {
      at_.value();
      return;
    }
    if (depth_ == kFramesMax) {
      throw Error(ErrorKind::exhausted, "payload", "Unum.TooManyFrames",
                  "Fan-out: more than " + std::to_string(kFramesMax) + " levels");
    }
    if (at_.type() != json::Type::object) fail("", "must be an object or null");
    at_.enter();
    const std::size_t place = frames_.size();
    json::View key;
    if (!at_.next_member(key)) return;  // an empty object is no frame
    frames_.emplace_back();             // before those around it
    bool has_type = false;
    bool has_index = false;
    bool has_size = false;
    bool has_outer = false;
    do {
      if (is_first(key, "Type", has_type)) {
        frames_[place].type = type(at_.value());
      } else if (is_first(key, "Index", has_index)) {
        frames_[place].index = number("Index", at_.value());
      } else if (is_first(key, "Size", has_size)) {
        frames_[place].size = number("Size", at_.value());
      } else if (is_first(key, "OuterLoop", has_outer) || is_first(key, "Outerloop", has_outer)) {
        ++depth_;
        level();
        --depth_;
      } else {
        at_.value();
      }
    } while (at_.next_member(key));
    if (!has_type) fail("Type", R"(is missing: "Map", "Parallel" or "Loop")");
    if (!has_index) fail("Index", "is missing");
    if (!has_size) fail("Size", "is missing");
  }

  bool is_first(json::View key, std::string_view field, bool& seen) const {
    if (!json::string_equals(key, field)) return false;
    if (seen) fail(field, "stands there twice: only one may");
    return seen = true;
  }

  FrameType type(json::View value) const {
    for (const FrameType type : {FrameType::map, FrameType::parallel, FrameType::loop}) {
      if (json::type_of(value) == json::Type::string &&
          json::string_equals(value, to_string(type))) {
        return type;
      }
    }
    fail("Type", R"(must be "Map", "Parallel" or "Loop")");
  }

  std::int64_t number(std::string_view field, json::View value) const {
    const std::optional<std::int64_t> number = parse_index(value);
    if (!number) fail(field, "must be an integer of at least 0");
    return *number;
  }

  json::Cursor at_;
  Frames frames_;
  std::size_t depth_ = 0;  ///< Levels inside the one at hand.
};

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
  for (const std::string_view suffix : {"-output", "-error", "-fanin", "-wanted", "-gc", "-input",
                                        "-application", "-delayed", "-invoked"}) {
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

Frames parse_fan_out(json::View value) { return FanOutReader(value).read(); }

}  // namespace unum
