// Frames of the recursive `Fan-out` object and the instance names made of them.
//
// In memory the frames of an instance are a vector with the innermost frame first: frames[0] is
// level 0. `$k` in an expression is frames[k].index.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unum/json.hpp"

namespace unum {

enum class FrameType : std::uint8_t { map, parallel, loop };

struct Frame {
  FrameType type = FrameType::map;
  std::int64_t index = 0;
  std::int64_t size = 1;

  friend bool operator==(const Frame&, const Frame&) = default;
};

using Frames = std::vector<Frame>;

/// An instance name taken apart: `H-unumIndex-2.5` is {"H", {2, 5}}.
struct InstanceName {
  std::string function;
  std::vector<std::int64_t> indexes;

  friend bool operator==(const InstanceName&, const InstanceName&) = default;
};

/// `<Function>` without frames, else `<Function>-unumIndex-<i0>.<i1>...`, innermost first.
std::string instance_name(std::string_view function, std::span<const Frame> frames);

/// Takes a canonical instance name apart; nothing if `name` is not one (an index that is negative,
/// has leading zeros or does not fit 63 bits, an empty function).
std::optional<InstanceName> parse_instance_name(std::string_view name);

/// The reason why `name` cannot be a function's name, or nothing if it can
/// (`[A-Za-z0-9_-]{1,64}`, no `-unumIndex-`, no reserved suffix).
std::optional<std::string> function_name_defect(std::string_view name);

/// The level-0 indexes of an instance's siblings (itself included) are those below this: the size
/// of level 0. In a `Loop` level, which has no width, they are the rounds up to the instance's own:
/// every later round begins after this one was checkpointed and looks for itself. 0 without frames.
std::int64_t sibling_limit(std::span<const Frame> frames) noexcept;

/// `"Map"`, `"Parallel"`, `"Loop"`.
std::string_view to_string(FrameType type) noexcept;

/// Appends the frames as a `Fan-out` object: {"Type":"Map","Index":2,"Size":3,"OuterLoop":{...}}.
/// Appends nothing for no frames.
void append_fan_out(std::string& out, std::span<const Frame> frames);

/// Reads a `Fan-out` value; `null` and `{}` mean no frame; `Outerloop` is accepted
/// for `OuterLoop`. Throws `invalid` (code "Unum.InvalidFrame") naming the field that is wrong,
/// `exhausted` (code "Unum.TooManyFrames") beyond kFramesMax.
Frames parse_fan_out(json::View value);

}  // namespace unum
