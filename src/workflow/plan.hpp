// What follows from a result: children to invoke, fan-ins to take part in. A pure function.
//
// Everything is evaluated here, before anything is written, so that a bad expression fails a step
// that has not begun to change the world. The same outcome always gives the same plan.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "unum/fan_in.hpp"
#include "unum/json.hpp"
#include "workflow/fan_in_list.hpp"
#include "workflow/ir.hpp"
#include "workflow/values.hpp"

namespace unum {

/// A child invoked with a value. `value` is a view into the result the plan was made from, or into
/// `Plan::placed`.
struct PlannedChild {
  const Edge* edge = nullptr;  ///< In the IR.
  Frames frames;
  json::View value;
};

/// A fan-in that this instance takes part in, or that it may find itself named in.
struct PlannedFanIn {
  const std::string* target = nullptr;      ///< In the IR.
  const Edge* edge = nullptr;               ///< In the IR: a fan-in, or the Map without elements.
  std::string aggregator;                   ///< Instance name.
  std::shared_ptr<const FanInList> list{};  ///< Null for an observer.
  std::size_t place = FanIn::kNoPlace;      ///< Of this instance in the list, if it names it.
  FanInRole role = FanInRole::observer;

  /// Valid while this lives.
  FanIn fan_in() const noexcept;
};

struct Plan {
  std::vector<PlannedChild> children;
  std::vector<PlannedFanIn>
      fan_ins;  ///< Those of empty maps, too, which this instance stands in for.
  /// The input of a failed step with the failure placed in it, if a child gets that.
  std::shared_ptr<const json::Text> placed{};

  bool empty() const noexcept { return children.empty() && fan_ins.empty(); }
};

/// The plan of an instance with these frames and this result, which must outlive the plan, as must
/// the IR. Throws `invalid` with a code "Unum.*" naming function, edge and field.
Plan make_plan(const FunctionIr& function, const Frames& frames, json::View result);

/// The edge that takes a failure {"Error", "Cause"}: the first of `Catch` that names its error,
/// else the first Error edge of `Next` whose conditional is true. Null: nobody does. What stands
/// beside the two members changes nothing.
const Edge* find_catcher(const FunctionIr& function, const Frames& frames, json::View failure);

/// The plan of an instance that failed: its catcher gets {"Error", "Cause"}, or what its
/// `ResultPath` says; `failure` must then hold the step's `Input` as well. Empty without a catcher.
/// Throws `invalid`, code "Unum.ResultPath", where the path does not fit the input.
Plan make_failure_plan(const FunctionIr& function, const Frames& frames, json::View failure);

/// Adds the fan-ins that the instance takes part in over one fan-in edge (its own conditional being
/// `own_true`), see docs/formats.md, "Fan-in".
void plan_fan_ins(const FunctionIr& function, const Edge& edge, const Frames& frames, bool own_true,
                  Plan& plan);

/// The frames after a list of modifiers.
Frames modified(const Frames& frames, const std::vector<Modifier>& modifiers);

/// Which indexes and sizes before a list of modifiers the frames after it are made of.
struct FrameSources {
  std::uint64_t indexes = 0;  ///< Bit k: the index of level k stands in an index or size.
  std::uint64_t sizes = 0;    ///< Bit k: the size of level k stands in an index.
};
FrameSources frame_sources(const std::vector<Modifier>& modifiers, std::size_t depth);

}  // namespace unum
