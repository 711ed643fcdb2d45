// Plans of Scalar, Map and exclusive edges.
#include "runtime/plan.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

const char* type_name(json::Type type) {
  switch (type) {
    case json::Type::null: return "null";
    case json::Type::boolean: return "a boolean";
    case json::Type::number: return "a number";
    case json::Type::string: return "a string";
    case json::Type::array: return "an array";
    case json::Type::object: return "an object";
  }
  return "something else";
}

std::string edge_text(const FunctionIr& function, const Edge& edge) {
  return "function " + function.name + ", the edge to " + edge.target;
}

bool is_true(const Edge& edge, const Scope& scope) {
  return !edge.conditional || edge.conditional->is_true(scope);
}

Frames pushed(const Frame& frame, const Frames& outer) {
  if (outer.size() >= kFramesMax) {
    throw Error(ErrorKind::exhausted, "runtime", "Unum.TooDeep",
                "an instance may have at most " + std::to_string(kFramesMax) + " frames");
  }
  Frames frames;
  frames.reserve(outer.size() + 1);
  frames.push_back(frame);
  frames.insert(frames.end(), outer.begin(), outer.end());
  return frames;
}

void add_empty_map(const Edge& edge, const Frames& outer, Plan& plan) {
  if (!edge.on_empty) return;
  PlannedEmptyMap entry{&edge.on_empty->name, modified(outer, edge.on_empty->modifiers), {}};
  for (const PlannedEmptyMap& known : plan.empty_maps) {
    // Several empty maps that end in one aggregator invoke it once.
    if (*known.target == *entry.target && known.frames == entry.frames) return;
  }
  const Frames branch = pushed({FrameType::map, 0, 0}, outer);
  NameList list;
  for (const ValuesPattern& pattern : edge.on_empty->values) {
    if (!pattern.has_star() && !pattern.uses_level0_index()) pattern.expand(branch, list);
  }
  entry.names = list.names();
  plan.empty_maps.push_back(std::move(entry));
}

void add_map(const FunctionIr& function, const Edge& edge, const Frames& frames,
             std::string_view result, Plan& plan) {
  if (json::type_of(result) != json::Type::array) {
    throw Error(ErrorKind::invalid, "runtime", "Unum.MapInput",
                edge_text(function, edge) + " is a Map: the result must be an array, but it is " +
                    type_name(json::type_of(result)));
  }
  const Frames outer = modified(frames, edge.modifiers);
  const auto elements = json::elements(result);
  const auto size = static_cast<std::int64_t>(elements.size());
  if (size == 0) {
    add_empty_map(edge, outer, plan);
    return;
  }
  if (size > kFanOutMax) {
    throw Error(ErrorKind::exhausted, "runtime", "Unum.TooWide",
                edge_text(function, edge) + " is a Map over " + std::to_string(size) +
                    " elements; at most " + std::to_string(kFanOutMax) + " are allowed");
  }
  plan.children.reserve(plan.children.size() + elements.size());
  for (std::int64_t i = 0; i < size; ++i) {
    plan.children.push_back({&edge.target, pushed({FrameType::map, i, size}, outer),
                             elements[static_cast<std::size_t>(i)]});
  }
}

}  // namespace

Frames modified(const Frames& frames, const std::vector<Modifier>& modifiers) {
  Frames copy = frames;
  for (const Modifier& modifier : modifiers) modifier.apply(copy);
  return copy;
}

Plan make_plan(const FunctionIr& function, const Frames& frames, std::string_view untrimmed) {
  const std::string_view result = json::trim(untrimmed);
  const Scope scope{frames, result};
  const std::int64_t width = function.parallel_width();
  Plan plan;
  std::int64_t parallel_index = 0;
  bool choice_made = false;
  for (const Edge& edge : function.edges) {
    switch (edge.input_type) {
      case InputType::error: break;  // for failures only
      case InputType::fan_in:
        plan_fan_ins(function, edge, frames, is_true(edge, scope), plan);
        break;
      case InputType::map:
        if (is_true(edge, scope)) add_map(function, edge, frames, result, plan);
        break;
      case InputType::scalar: {
        if (edge.exclusive) {
          if (choice_made || !is_true(edge, scope)) break;
          choice_made = true;
          plan.children.push_back({&edge.target, modified(frames, edge.modifiers), result});
          break;
        }
        const std::int64_t index = parallel_index++;  // counted whatever the conditionals say
        if (!is_true(edge, scope)) break;
        Frames child = modified(frames, edge.modifiers);
        if (width > 0) child = pushed({FrameType::parallel, index, width}, child);
        plan.children.push_back({&edge.target, std::move(child), result});
        break;
      }
    }
  }
  return plan;
}

Plan make_failure_plan(const FunctionIr& function, const Frames& frames, std::string_view failure) {
  const Scope scope{frames, failure};
  Plan plan;
  for (const Edge& edge : function.edges) {
    if (edge.input_type != InputType::error || !is_true(edge, scope)) continue;
    plan.children.push_back({&edge.target, modified(frames, edge.modifiers), failure});
    break;
  }
  return plan;
}

}  // namespace unum
