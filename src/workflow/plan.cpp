// Plans of Scalar, Map and exclusive edges.
#include "workflow/plan.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"
#include "workflow/stored_outcome.hpp"

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

/// The fan-in that the mapping instance stands in for when there are no branches.
void add_empty_map(const FunctionIr& function, const Edge& edge, const Frames& frames,
                   const Frames& outer, Plan& plan) {
  if (!edge.on_empty) {
    if (function.linked) return;
    throw Error(ErrorKind::invalid, "runtime", "Unum.NotLinked",
                edge_text(function, edge) +
                    " is a Map over no elements, and where it goes on follows from the edges of "
                    "other functions: link the functions of a workflow (unum::link_functions) "
                    "before they run, or name the aggregator in the edge's OnEmpty");
  }
  const OnEmpty& empty = *edge.on_empty;
  // The levels that are not there are not looked at.
  const auto branch_of = [&](std::size_t inner_levels) {
    Frames branch(inner_levels, Frame{FrameType::map, 0, 0});
    branch.insert(branch.end(), outer.begin(), outer.end());
    return branch;
  };
  const auto is_true = [&](const OnEmpty::Condition& condition) {
    const Frames branch = branch_of(condition.inner_levels);
    return condition.conditional.is_true({branch, std::nullopt});
  };
  if (!empty.conditionals.empty() &&
      std::none_of(empty.conditionals.begin(), empty.conditionals.end(), is_true)) {
    return;
  }
  const Frames branch = branch_of(empty.inner_levels);
  NameList list;
  for (const ValuesPattern& pattern : empty.values) pattern.expand(branch, list);
  InstanceName own{function.name, {}};
  for (const Frame& frame : frames) own.indexes.push_back(frame.index);
  Frames aggregator_frames = modified(outer, empty.modifiers);
  PlannedFanIn planned{&empty.name, &edge, instance_name(empty.name, aggregator_frames)};
  planned.place = list.place_of(own).value_or(FanIn::kNoPlace);
  planned.list = std::make_shared<const FanInList>(std::move(list), std::move(aggregator_frames),
                                                   std::move(own), false);
  planned.role = FanInRole::requester;
  for (const PlannedFanIn& known : plan.fan_ins) {
    // Several empty maps of one instance that end in one aggregator are one.
    if (known.list && known.aggregator == planned.aggregator &&
        known.list->digest() == planned.list->digest()) {
      return;
    }
  }
  plan.fan_ins.push_back(std::move(planned));
}

void add_map(const FunctionIr& function, const Edge& edge, const Frames& frames, json::View result,
             Plan& plan) {
  if (json::type_of(result) != json::Type::array) {
    throw Error(ErrorKind::invalid, "runtime", "Unum.MapInput",
                edge_text(function, edge) + " is a Map: the result must be an array, but it is " +
                    type_name(json::type_of(result)));
  }
  const Frames outer = modified(frames, edge.modifiers);
  const auto elements = json::elements(result);
  const auto size = static_cast<std::int64_t>(elements.size());
  if (size == 0) {
    add_empty_map(function, edge, frames, outer, plan);
    return;
  }
  if (size > kFanOutMax) {
    throw Error(ErrorKind::exhausted, "runtime", "Unum.TooWide",
                edge_text(function, edge) + " is a Map over " + std::to_string(size) +
                    " elements; at most " + std::to_string(kFanOutMax) + " are allowed");
  }
  plan.children.reserve(plan.children.size() + elements.size());
  for (std::int64_t i = 0; i < size; ++i) {
    plan.children.push_back(
        {&edge, pushed({FrameType::map, i, size}, outer), elements[static_cast<std::size_t>(i)]});
  }
}

}  // namespace

Frames modified(const Frames& frames, const std::vector<Modifier>& modifiers) {
  Frames copy = frames;
  for (const Modifier& modifier : modifiers) modifier.apply(copy);
  return copy;
}

Plan make_plan(const FunctionIr& function, const Frames& frames, json::View result) {
  const Scope scope{frames, result};
  const std::int64_t width = function.parallel_width();
  Plan plan;
  std::int64_t parallel_index = 0;
  bool choice_made = false;
  for (const Edge& edge : function.edges) {
    if (edge.input_type == InputType::error) continue;  // for failures only
    // Of exclusive edges those after the first true one are not evaluated.
    const bool taken = !(edge.exclusive && choice_made) && is_true(edge, scope);
    choice_made |= edge.exclusive && taken;
    switch (edge.input_type) {
      case InputType::error: break;
      case InputType::fan_in: plan_fan_ins(function, edge, frames, taken, plan); break;
      case InputType::map:
        if (taken) add_map(function, edge, frames, result, plan);
        break;
      case InputType::scalar: {
        // Counted whatever the conditionals say.
        const std::int64_t index = edge.exclusive ? 0 : parallel_index++;
        if (!taken) break;
        Frames child = modified(frames, edge.modifiers);
        if (width > 0) child = pushed({FrameType::parallel, index, width}, child);
        plan.children.push_back({&edge, std::move(child), result});
        break;
      }
    }
  }
  return plan;
}

const Edge* find_catcher(const FunctionIr& function, const Frames& frames, json::View failure) {
  const std::size_t next = function.next_size();
  const auto begin = function.edges.begin();
  const auto catchers = begin + static_cast<std::ptrdiff_t>(next);
  if (catchers != function.edges.end()) {
    const std::string error = read_failure(failure).error;
    const auto found = std::find_if(catchers, function.edges.end(), [&](const Edge& edge) {
      return names_error(edge.error_equals, error);
    });
    if (found != function.edges.end()) return &*found;
  }
  const auto found = std::find_if(begin, catchers, [&](const Edge& edge) {
    if (edge.input_type != InputType::error) return false;
    if (!edge.conditional) return true;
    const json::Text alone = failure_alone(failure);
    return edge.conditional->is_true({frames, alone.view()});
  });
  return found == catchers ? nullptr : &*found;
}

Plan make_failure_plan(const FunctionIr& function, const Frames& frames, json::View failure) {
  Plan plan;
  const Edge* const edge = find_catcher(function, frames, failure);
  if (edge == nullptr) return plan;
  json::View value = failure;
  if (needs_input(*edge)) {
    const auto input = json::member(failure, kFailureInput);
    if (!input) {
      throw Error(ErrorKind::corrupt, "runtime", "Unum.NoValue",
                  edge_text(function, *edge) +
                      " wants the input of the failed step, which is not stored with its failure");
    }
    value = *input;
    if (!edge->input_alone) {
      plan.placed = std::make_shared<const json::Text>(
          edge->result_path->place(*input, failure_alone(failure)));
    }
  } else if (json::member(failure, kFailureInput)) {
    plan.placed = std::make_shared<const json::Text>(failure_alone(failure));
  }
  if (plan.placed) value = plan.placed->view();
  plan.children.push_back({edge, modified(frames, edge->modifiers), value});
  return plan;
}

}  // namespace unum
