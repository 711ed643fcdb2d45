// Following the edges behind a failed step.
#include "hosts/blocked_fan_ins.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "unum/error.hpp"
#include "workflow/plan.hpp"

namespace unum {
namespace {

// Instances behind a failed step that are looked at; further ones are not named.
constexpr std::size_t kFollowedMax = 64;

/// Whether the edge is taken whatever the result is.
bool is_certain(const Edge& edge, const Frames& frames) {
  if (edge.exclusive || edge.input_type == InputType::error) return false;
  if (!edge.conditional) return true;
  return !edge.conditional->uses_result() && edge.conditional->is_true({frames, std::nullopt});
}

}  // namespace

std::vector<BlockedFanIn> fan_ins_behind(
    const FunctionIr& failed, const Frames& frames,
    const std::function<const FunctionIr*(std::string_view)>& ir_of) {
  std::vector<BlockedFanIn> blocked;
  std::vector<std::pair<const FunctionIr*, Frames>> waiting{{&failed, frames}};
  std::set<std::string> seen{instance_name(failed.name, frames)};
  for (std::size_t at = 0; at < waiting.size() && at < kFollowedMax; ++at) {
    const FunctionIr& ir = *waiting[at].first;
    const Frames here = waiting[at].second;
    const std::string name = instance_name(ir.name, here);
    std::int64_t parallel_index = 0;
    for (const Edge& edge : ir.edges) {
      const bool in_parallel =
          edge.input_type == InputType::scalar && !edge.exclusive && ir.parallel_width() > 0;
      const std::int64_t index = in_parallel ? parallel_index++ : 0;
      try {
        if (edge.input_type == InputType::map || !is_certain(edge, here)) continue;
        if (edge.input_type == InputType::fan_in) {
          Plan plan;
          plan_fan_ins(ir, edge, here, true, plan);
          for (PlannedFanIn& fan_in : plan.fan_ins) {
            if (fan_in.list == nullptr || fan_in.place == FanIn::kNoPlace) continue;
            blocked.push_back({std::move(fan_in.aggregator), std::move(fan_in.list), name});
          }
          continue;
        }
        Frames next = modified(here, edge.modifiers);
        if (in_parallel) {
          next.insert(next.begin(), {FrameType::parallel, index, ir.parallel_width()});
        }
        const FunctionIr* const target = ir_of(edge.target);
        if (target == nullptr || !seen.insert(instance_name(edge.target, next)).second) continue;
        waiting.emplace_back(target, std::move(next));
      } catch (const Error&) {
        // What cannot be told without a result is not named.
      }
    }
  }
  return blocked;
}

}  // namespace unum
