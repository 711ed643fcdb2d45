// Cycles of edges: does each round have a name of its own, by an index that was pushed for it?
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/check_rules.hpp"

namespace unum {
namespace {

// States beyond which a cycle is not followed.
constexpr std::size_t kStatesMax = 20'000;
// Levels that a cycle pushes without popping them: that is recursion, and each round has its own
// name.
constexpr std::ptrdiff_t kPushedMax = 3;

/// A level of the frames on the way round.
struct Level {
  int place = -1;        ///< Where it stood at the start; -1 if it was pushed or set on the way.
  bool changed = false;  ///< Its index depends on what it was, so that it differs in each round.
  friend auto operator<=>(const Level&, const Level&) = default;
};

struct State {
  std::size_t function = 0;
  std::vector<Level> levels;
  bool through_fan_in = false;
  friend auto operator<=>(const State&, const State&) = default;
};

struct Step {
  State state;
  std::size_t before = 0;  ///< Index of the step that this one follows.
  std::size_t edge = 0;    ///< The edge that led here.
};

void set_index(std::vector<Level>& levels, const Modifier& modifier) {
  if (modifier.level() >= levels.size()) return;
  Level& level = levels[modifier.level()];
  if (modifier.value()->bare_index() == modifier.level()) return;  // $0 = $0
  const std::uint64_t used = modifier.value()->index_levels();
  // What was pushed on the way begins anew in each round, and so does what is counted from it.
  bool moves = level.place >= 0 && modifier.level() < 64 && (used >> modifier.level() & 1) != 0;
  for (std::size_t k = 0; k < levels.size() && k < 64; ++k) {
    moves = moves || ((used >> k & 1) != 0 && levels[k].changed);
  }
  level = moves ? Level{level.place, true} : Level{};
}

class Cycles {
 public:
  Cycles(const Flow& flow, std::vector<Finding>& findings) : flow_(flow), findings_(findings) {}

  void check() {
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      if (!flow_.reaches(f, f)) continue;
      for (const Shape& shape : flow_.shapes(f)) {
        if (!reported_.contains(f)) follow(f, shape);
      }
    }
  }

 private:
  void follow(std::size_t start, const Shape& shape) {
    steps_.clear();
    seen_.clear();
    State first{start, {}, false};
    for (std::size_t k = 0; k < shape.size(); ++k) {
      first.levels.push_back({static_cast<int>(k), false});
    }
    steps_.push_back({std::move(first), 0, 0});
    for (std::size_t at = 0; at < steps_.size() && steps_.size() < kStatesMax; ++at) {
      if (at > 0 && steps_[at].state.function == start) continue;
      const FunctionIr& ir = flow_.ir(steps_[at].state.function);
      for (std::size_t e = 0; e < ir.edges.size(); ++e) {
        if (Flow::is_dead(ir.edges[e])) continue;
        if (step(at, e) && judge(steps_.size() - 1, start, shape)) return;
      }
    }
  }

  /// Takes an edge; whether that led to a new state.
  bool step(std::size_t at, std::size_t e) {
    State next = steps_[at].state;
    const FunctionIr& ir = flow_.ir(next.function);
    const Edge& edge = ir.edges[e];
    if (!flow_.reaches(flow_.index_of(edge.target), steps_.front().state.function) &&
        flow_.index_of(edge.target) != steps_.front().state.function) {
      return false;
    }
    for (const Modifier& modifier : edge.modifiers) {
      switch (modifier.kind()) {
        case Modifier::Kind::push: next.levels.insert(next.levels.begin(), Level{}); break;
        case Modifier::Kind::pop:
          if (!next.levels.empty()) next.levels.erase(next.levels.begin());
          break;
        case Modifier::Kind::set_index: set_index(next.levels, modifier); break;
        case Modifier::Kind::set_size: break;
      }
    }
    if (edge.input_type == InputType::map || Flow::pushes_parallel(ir, edge)) {
      next.levels.insert(next.levels.begin(), Level{});
    }
    const auto pushed = std::count_if(next.levels.begin(), next.levels.end(),
                                      [](const Level& level) { return level.place < 0; });
    if (pushed > kPushedMax) return false;
    next.through_fan_in = next.through_fan_in || edge.input_type == InputType::fan_in;
    next.function = flow_.index_of(edge.target);
    if (!seen_.insert(next).second) return false;
    steps_.push_back({std::move(next), at, e});
    return true;
  }

  /// Whether the step came back to the start in a way that is refused.
  bool judge(std::size_t at, std::size_t start, const Shape& shape) {
    const State& state = steps_[at].state;
    if (state.function != start || state.levels.size() != shape.size()) return false;
    bool moves = false;
    std::optional<std::size_t> foreign;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      if (!state.levels[k].changed) continue;
      moves = true;
      if (shape[k].type != FrameType::loop) foreign = k;
    }
    if (!moves) {
      report(
          at, "revisit",
          " comes back to the same instance name, so its second round would never run. Give the "
          "loop an index: \"Push\" in the Payload Modifiers of the edge into it, \"$0 = $0 + 1\" "
          "on the edge back, \"Pop\" on the edge out of it");
      return true;
    }
    if (!foreign || state.through_fan_in) return false;
    report(
        at, "foreign-index",
        " changes $" + std::to_string(*foreign) + ", the index of a " +
            (shape[*foreign].type == FrameType::map ? "map" : "parallel branch") +
            ": the second round of one branch would have the name of another. Put \"Push\" in the "
            "Payload Modifiers of the edge into the loop and \"Pop\" on the edge out of it");
    return true;
  }

  void report(std::size_t at, std::string_view rule, const std::string& rest) {
    std::vector<std::size_t> path;
    const std::size_t last_edge = steps_[at].edge;
    const std::size_t last_function = steps_[steps_[at].before].state.function;
    for (std::size_t i = at;; i = steps_[i].before) {
      path.push_back(steps_[i].state.function);
      reported_.insert(steps_[i].state.function);
      if (i == 0) break;
    }
    std::string text = "the loop ";
    for (std::size_t i = path.size(); i-- > 0;) {
      text += flow_.ir(path[i]).name + (i > 0 ? " -> " : "");
    }
    findings_.push_back(
        edge_finding(flow_, last_function, last_edge, Severity::error, rule, text + rest));
  }

  const Flow& flow_;
  std::vector<Finding>& findings_;
  std::vector<Step> steps_;
  std::set<State> seen_;
  std::set<std::size_t> reported_;
};

}  // namespace

void check_loops(const Flow& flow, std::vector<Finding>& findings) {
  Cycles(flow, findings).check();
}

}  // namespace unum
