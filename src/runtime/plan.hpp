// What follows from a result: children to invoke, fan-ins to take part in. A pure function.
//
// Everything is evaluated here, before anything is written, so that a bad expression fails a step
// that has not begun to change the world. The same outcome always gives the same plan.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ir.hpp"
#include "runtime/values.hpp"
#include "unum/data_store.hpp"

namespace unum {

/// A child invoked with a value. `value` is a view into the result the plan was made from.
struct PlannedChild {
  const std::string* target = nullptr;  ///< In the IR.
  Frames frames;
  std::string_view value;
};

/// A fan-in this instance takes part in.
class PlannedFanIn final : public FanInSet {
 public:
  /// `siblings_take_part`: whether all instances of the same function and outer indexes take part
  /// (those of a map do; an earlier round of a loop is an ancestor and may only be read).
  PlannedFanIn(const std::string& target, Frames frames, NameList list, std::size_t place,
               FanInRole role, bool siblings_take_part);

  std::size_t size() const noexcept override { return list_.size(); }
  std::string name(std::size_t place) const override { return list_.name(place); }
  std::string digest() const override;
  std::string summary() const override;
  bool takes_part(std::size_t place) const override;
  std::vector<std::size_t> repeats(std::size_t place) const override;

  const std::string& target() const noexcept { return *target_; }
  const std::string& aggregator() const noexcept { return aggregator_; }
  const Frames& frames() const noexcept { return frames_; }
  const NameList& list() const noexcept { return list_; }
  FanIn fan_in() const noexcept { return {aggregator_, this, place_, role_}; }
  FanInRole role() const noexcept { return role_; }

 private:
  const std::string* target_;
  Frames frames_;
  std::string aggregator_;
  NameList list_;
  std::size_t place_;
  FanInRole role_;
  bool siblings_take_part_;
};

/// An aggregator that is invoked in place of the branches of an empty map.
struct PlannedEmptyMap {
  const std::string* target = nullptr;
  Frames frames;
  std::vector<std::string> names;  ///< What its list names without the branches; usually nothing.
};

struct Plan {
  std::vector<PlannedChild> children;
  std::vector<std::shared_ptr<PlannedFanIn>> fan_ins;
  std::vector<PlannedEmptyMap> empty_maps;

  bool empty() const noexcept { return children.empty() && fan_ins.empty() && empty_maps.empty(); }
};

/// The plan of an instance with these frames and this result (valid JSON, which must outlive the
/// plan, as must the IR). Throws `invalid` with a code "Unum.*" naming function, edge and field.
Plan make_plan(const FunctionIr& function, const Frames& frames, std::string_view result);

/// The plan of an instance that failed, if one of its edges takes failures (`InputType: "Error"`):
/// the first such edge whose conditional is true gets `failure`, the JSON text of {"Error",
/// "Cause"}. Empty otherwise.
Plan make_failure_plan(const FunctionIr& function, const Frames& frames, std::string_view failure);

/// Adds the fan-ins that the instance takes part in over one fan-in edge (its own conditional being
/// `own_true`), see docs/formats.md, "Fan-in".
void plan_fan_ins(const FunctionIr& function, const Edge& edge, const Frames& frames, bool own_true,
                  Plan& plan);

/// The frames after a list of modifiers.
Frames modified(const Frames& frames, const std::vector<Modifier>& modifiers);

/// Whether the frames after `modifiers` depend on the index at level 0 before them.
bool keeps_level0_index(const std::vector<Modifier>& modifiers, std::size_t depth);

}  // namespace unum
