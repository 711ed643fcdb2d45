// Cycles of edges: does each round have a name of its own, by an index that was pushed for it?
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "application/check_rules.hpp"

namespace unum {
namespace {

// States beyond which a cycle is not followed, and edges that are looked at for all of them.
constexpr std::size_t kStatesMax = 20'000;
constexpr std::size_t kStepsMax = 1'000'000;
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
  bool by_frames = false;  ///< A conditional on the way looks at frames: they may end the loop.
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

  /// False if the cycles are too many to be followed.
  bool check() {
    find_links();
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      if (links_in_[f] == 0 || links_out_[f] == 0) continue;
      for (const Shape& shape : flow_.shapes(f)) {
        if (!reported_.contains(f)) follow(f, shape);
      }
      if (taken_ >= kStepsMax) return false;
      drop(f);  // Every cycle through it has been seen.
    }
    return true;
  }

 private:
  bool is_link(std::size_t from, std::size_t e) const {
    const std::size_t to = flow_.target(from, e);
    return to != Flow::kNone && !dropped_[from] && !dropped_[to] &&
           !Flow::is_dead(flow_.ir(from).edges[e]) && flow_.in_cycle(from) &&
           flow_.same_cycle(from, to);
  }

  /// The edges that cycles consist of.
  void find_links() {
    dropped_.assign(flow_.size(), false);
    links_in_.assign(flow_.size(), 0);
    links_out_.assign(flow_.size(), 0);
    callers_.resize(flow_.size());
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      for (std::size_t e = 0; e < flow_.ir(f).edges.size(); ++e) {
        if (!is_link(f, e)) continue;
        ++links_out_[f];
        ++links_in_[flow_.target(f, e)];
        callers_[flow_.target(f, e)].push_back(f);
      }
    }
  }

  /// Takes a function out of the graph, and those that are on no cycle without it.
  void drop(std::size_t function) {
    std::vector<std::size_t> waiting{function};
    while (!waiting.empty()) {
      const std::size_t f = waiting.back();
      waiting.pop_back();
      if (dropped_[f]) continue;
      for (std::size_t e = 0; e < flow_.ir(f).edges.size(); ++e) {
        if (!is_link(f, e)) continue;
        const std::size_t to = flow_.target(f, e);
        if (--links_in_[to] == 0) waiting.push_back(to);
      }
      for (const std::size_t caller : callers_[f]) {
        if (!dropped_[caller] && --links_out_[caller] == 0) waiting.push_back(caller);
      }
      dropped_[f] = true;
    }
  }

  void follow(std::size_t start, const Shape& shape) {
    steps_.clear();
    seen_.clear();
    State first{start, {}, false, false};
    for (std::size_t k = 0; k < shape.size(); ++k) {
      first.levels.push_back({static_cast<int>(k), false});
    }
    steps_.push_back({std::move(first), 0, 0});
    for (std::size_t at = 0; at < steps_.size() && steps_.size() < kStatesMax; ++at) {
      if (taken_ >= kStepsMax) return;
      if (at > 0 && steps_[at].state.function == start) continue;
      const FunctionIr& ir = flow_.ir(steps_[at].state.function);
      taken_ += ir.edges.size() + 1;
      for (std::size_t e = 0; e < ir.edges.size(); ++e) {
        if (!is_link(steps_[at].state.function, e)) continue;
        if (step(at, e) && judge(steps_.size() - 1, start, shape)) return;
      }
    }
  }

  /// Takes an edge; whether that led to a new state.
  bool step(std::size_t at, std::size_t e) {
    State next = steps_[at].state;
    const FunctionIr& ir = flow_.ir(next.function);
    const Edge& edge = ir.edges[e];
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
    next.by_frames = next.by_frames || (edge.conditional && (edge.conditional->index_levels() |
                                                             edge.conditional->size_levels()) != 0);
    next.function = flow_.target(next.function, e);
    if (!seen_.insert(next).second) return false;
    steps_.push_back({std::move(next), at, e});
    return true;
  }

  /// Whether the step came back to the start in a way that is refused.
  bool judge(std::size_t at, std::size_t start, const Shape& shape) {
    const State& state = steps_[at].state;
    if (state.function != start || state.levels.size() != shape.size()) return false;
    bool moves = false;
    bool same = true;  // Not one level is another.
    std::optional<std::size_t> foreign;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      same = same && state.levels[k] == Level{static_cast<int>(k), false};
      if (!state.levels[k].changed) continue;
      moves = true;
      if (shape[k].type != FrameType::loop) foreign = k;
    }
    if (!moves) {
      report(
          at, "revisit", state.by_frames && !same ? Severity::warning : Severity::error,
          " comes back to the same instance name, so its second round would never run. Give the "
          "loop an index: \"Push\" in the Payload Modifiers of the edge into it, \"$0 = $0 + 1\" "
          "on the edge back, \"Pop\" on the edge out of it");
      return true;
    }
    if (!foreign || state.through_fan_in) return false;
    report(
        at, "foreign-index", state.by_frames ? Severity::warning : Severity::error,
        " changes $" + std::to_string(*foreign) + ", the index of a " +
            (shape[*foreign].type == FrameType::map ? "map" : "parallel branch") +
            ": the second round of one branch would have the name of another. Put \"Push\" in the "
            "Payload Modifiers of the edge into the loop and \"Pop\" on the edge out of it");
    return true;
  }

  void report(std::size_t at, std::string_view rule, Severity severity, const std::string& rest) {
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
        edge_finding(flow_, last_function, last_edge, severity, rule,
                     text + rest +
                         (severity == Severity::error
                              ? ""
                              : "; it is only right if the Conditional on its edges ends the loop "
                                "before that")));
  }

  const Flow& flow_;
  std::vector<Finding>& findings_;
  std::vector<Step> steps_;
  std::set<State> seen_;
  std::set<std::size_t> reported_;
  // What is left of the cycles: edges into and out of each function, who calls it.
  std::vector<bool> dropped_;
  std::vector<std::size_t> links_in_;
  std::vector<std::size_t> links_out_;
  std::vector<std::vector<std::size_t>> callers_;
  std::size_t taken_ = 0;
};

}  // namespace

void check_loops(const Flow& flow, std::vector<Finding>& findings) {
  if (Cycles(flow, findings).check()) return;
  findings.push_back({Severity::info, "size", std::string(kTemplateFile), 0,
                      "the workflow has too many loops to follow all of them; some were not looked "
                      "at"});
}

}  // namespace unum
