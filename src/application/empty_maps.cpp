// Following a map's frame to the edges that drop it.
#include "application/empty_maps.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "application/flow.hpp"

namespace unum {
namespace {

// A level of the frames while they are followed: a level below the map's (its place), the map's
// own, or one that came later or whose index was changed.
constexpr int kMapLevel = -1;
constexpr int kOtherLevel = -2;
// States beyond which a workflow is not followed; a map in it then ends where it is empty.
constexpr std::size_t kStatesMax = 20'000;
// Levels pushed inside of the map, for recursion.
constexpr std::ptrdiff_t kPushedMax = 8;

using Levels = std::vector<int>;

/// Which aggregator a path out of the map's frame leads into, and what its last edge does to the
/// levels around the map.
struct Exit {
  std::string aggregator;
  std::vector<Modifier> modifiers;

  friend bool operator==(const Exit& a, const Exit& b) {
    const auto same_text = [](const Modifier& one, const Modifier& two) {
      return one.text() == two.text();
    };
    return a.aggregator == b.aggregator &&
           std::equal(a.modifiers.begin(), a.modifiers.end(), b.modifiers.begin(),
                      b.modifiers.end(), same_text);
  }
};

/// What a fan-in edge asks for when there are no branches: see OnEmpty.
struct Remainder {
  const Edge* edge = nullptr;
  std::vector<ValuesPattern> values{};
  std::size_t inner_levels = 1;

  bool same_list(const Remainder& other) const {
    const auto same_text = [](const ValuesPattern& a, const ValuesPattern& b) {
      return a.text() == b.text();
    };
    return std::equal(values.begin(), values.end(), other.values.begin(), other.values.end(),
                      same_text) &&
           (values.empty() || inner_levels == other.inner_levels);
  }
};

class PathsOut {
 public:
  /// Follows a map from a function with `depth` post-modifier levels.
  PathsOut(const Flow& flow, const Edge& map, std::size_t depth) : flow_(flow) {
    branch_.push_back(kMapLevel);
    for (std::size_t i = 0; i < depth; ++i) branch_.push_back(static_cast<int>(i));
    visit(flow_.index_of(map.target), branch_);
    while (!waiting_.empty()) {
      const auto [function, at] = std::move(waiting_.back());
      waiting_.pop_back();
      for (const Edge& edge : flow_.ir(function).edges) follow(flow_.ir(function), edge, at);
    }
  }

  /// The one aggregator that all paths out lead into, at least one of them by a fan-in.
  std::optional<Exit> exit() const { return failed_ || fan_ins_.empty() ? std::nullopt : exit_; }

  /// Adds what the fan-in edges into `on_empty`'s aggregator ask for. Nothing else is asked of one
  /// that none of them names.
  void complete(OnEmpty& on_empty) const {
    const Remainder* first = nullptr;
    bool unconditional = false;
    on_empty.values.clear();
    on_empty.conditionals.clear();
    for (const Remainder& way : fan_ins_) {
      if (way.edge->target != on_empty.name) continue;
      if (first == nullptr) first = &way;
      const std::optional<Expression>& conditional = way.edge->conditional;
      if (!conditional || needs_branches(*conditional, way.inner_levels)) {
        unconditional = true;
      } else {
        on_empty.conditionals.push_back({*conditional, way.inner_levels});
      }
    }
    if (unconditional) on_empty.conditionals.clear();
    if (first == nullptr) return;
    on_empty.values = first->values;
    on_empty.inner_levels = first->inner_levels;
  }

 private:
  void visit(std::size_t function, Levels levels) {
    if (function == Flow::kNone) return;
    if (std::count(levels.begin(), levels.end(), kOtherLevel) > kPushedMax) return;
    if (seen_.size() >= kStatesMax) {
      failed_ = true;
      return;
    }
    if (seen_.emplace(function, levels).second) waiting_.emplace_back(function, std::move(levels));
  }

  static void apply(const std::vector<Modifier>& modifiers, Levels& levels) {
    for (const Modifier& modifier : modifiers) {
      switch (modifier.kind()) {
        case Modifier::Kind::pop:
          if (!levels.empty()) levels.erase(levels.begin());
          break;
        case Modifier::Kind::push: levels.insert(levels.begin(), kOtherLevel); break;
        case Modifier::Kind::set_index:
        case Modifier::Kind::set_size:
          if (modifier.level() < levels.size() && levels[modifier.level()] != kMapLevel) {
            levels[modifier.level()] = kOtherLevel;
          }
          break;
      }
    }
  }

  void follow(const FunctionIr& from, const Edge& edge, const Levels& at) {
    if (Flow::is_dead(edge)) return;
    Levels levels = at;
    apply(edge.modifiers, levels);
    const bool pushes = edge.input_type == InputType::map || Flow::pushes_parallel(from, edge);
    const bool inside = std::find(levels.begin(), levels.end(), kMapLevel) != levels.end();
    if (inside) {
      if (pushes) levels.insert(levels.begin(), kOtherLevel);
      visit(flow_.index_of(edge.target), std::move(levels));
      return;
    }
    // Out of the frame: the target must be an aggregator whose frames follow from those around the
    // map.
    const auto map_level = std::find(at.begin(), at.end(), kMapLevel);
    const auto inner_levels = static_cast<std::size_t>(map_level - at.begin()) + 1;
    const bool outer_intact = std::equal(map_level, at.end(), branch_.begin(), branch_.end());
    std::optional<Exit> exit = exit_over(edge, inner_levels);
    if (pushes || !outer_intact || !exit || (exit_ && *exit_ != *exit)) failed_ = true;
    if (exit) exit_ = std::move(exit);
    if (edge.input_type == InputType::fan_in) add_fan_in(edge, inner_levels);
  }

  /// The modifiers that are left when those that drop the inner levels have nothing to drop.
  static std::optional<Exit> exit_over(const Edge& edge, std::size_t inner_levels) {
    Exit exit{edge.target, {}};
    for (const Modifier& modifier : edge.modifiers) {
      if (inner_levels == 0) {
        exit.modifiers.push_back(modifier);
      } else if (modifier.kind() == Modifier::Kind::pop) {
        --inner_levels;
      } else if (modifier.kind() == Modifier::Kind::push) {
        ++inner_levels;
      } else if (modifier.level() >= inner_levels) {
        return std::nullopt;  // It counts levels that are not there.
      }
    }
    return exit;
  }

  void add_fan_in(const Edge& edge, std::size_t inner_levels) {
    Remainder way{&edge};
    way.inner_levels = inner_levels;
    for (const ValuesPattern& pattern : edge.values) {
      if (!pattern.uses_inner_levels(way.inner_levels)) way.values.push_back(pattern);
    }
    if (!fan_ins_.empty() && !fan_ins_.front().same_list(way)) failed_ = true;
    fan_ins_.push_back(std::move(way));
  }

  static bool needs_branches(const Expression& conditional, std::size_t inner_levels) {
    const std::uint64_t inner =
        inner_levels >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << inner_levels) - 1;
    return conditional.uses_result() ||
           ((conditional.index_levels() | conditional.size_levels()) & inner) != 0;
  }

  const Flow& flow_;
  Levels branch_;
  std::vector<Remainder> fan_ins_;
  std::set<std::pair<std::size_t, Levels>> seen_;
  std::vector<std::pair<std::size_t, Levels>> waiting_;
  std::optional<Exit> exit_;
  bool failed_ = false;
};

std::size_t depth_after(const std::vector<Modifier>& modifiers, std::size_t depth) {
  for (const Modifier& modifier : modifiers) {
    if (modifier.kind() == Modifier::Kind::push) ++depth;
    if (modifier.kind() == Modifier::Kind::pop && depth > 0) --depth;
  }
  return depth;
}

/// What an empty map goes on with, if all shapes of the mapping function agree on it.
std::optional<OnEmpty> derive(const Flow& flow, std::size_t function, const Edge& edge) {
  std::optional<Exit> common;
  OnEmpty out;
  for (const Shape& shape : flow.shapes(function)) {
    const PathsOut paths(flow, edge, depth_after(edge.modifiers, shape.size()));
    const std::optional<Exit> exit = paths.exit();
    if (edge.on_empty) {
      out = *edge.on_empty;
    } else if (!exit || (common && *common != *exit)) {
      return std::nullopt;
    } else {
      out.name = exit->aggregator;
      out.modifiers = exit->modifiers;
      common = exit;
    }
    paths.complete(out);
  }
  return out;
}

}  // namespace

void derive_on_empty(Application& application) {
  const Flow flow(application);
  std::vector<std::pair<Edge*, OnEmpty>> derived;
  for (std::size_t f = 0; f < application.functions.size(); ++f) {
    FunctionIr& ir = application.functions[f].ir;
    for (Edge& edge : ir.edges) {
      if (edge.input_type != InputType::map || flow.shapes(f).empty()) continue;
      std::optional<OnEmpty> on_empty = derive(flow, f, edge);
      if (on_empty) {
        derived.emplace_back(&edge, std::move(*on_empty));
        continue;
      }
      application.findings.push_back(
          {Severity::warning, "empty-map", ir.source, edge.line,
           "the Map to " + edge.target +
               " ends in no single aggregator, so nothing runs after an empty list; "
               "name the aggregator in the edge's OnEmpty if something should"});
    }
  }
  for (auto& [edge, on_empty] : derived) edge->on_empty = std::move(on_empty);
}

}  // namespace unum
