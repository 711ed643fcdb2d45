// Following a map's frame to the edges that drop it.
#include "compiler/empty_maps.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/flow.hpp"

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

struct Exit {
  std::string aggregator;
  std::size_t dropped = 0;  ///< Levels below the map's that are popped as well.
  friend bool operator==(const Exit&, const Exit&) = default;
};

class PathsOut {
 public:
  /// Follows a map from a function with `depth` post-modifier levels.
  PathsOut(const Flow& flow, const Edge& map, std::size_t depth) : flow_(flow), depth_(depth) {
    branch_.push_back(kMapLevel);
    for (std::size_t i = 0; i < depth; ++i) branch_.push_back(static_cast<int>(i));
    visit(flow_.index_of(map.target), branch_);
    while (!waiting_.empty()) {
      const auto [function, at] = std::move(waiting_.back());
      waiting_.pop_back();
      for (const Edge& edge : flow_.ir(function).edges) follow(flow_.ir(function), edge, at);
    }
  }

  /// The one aggregator that all paths out lead into.
  std::optional<Exit> exit() const { return failed_ ? std::nullopt : exit_; }

  /// The `Values` of a fan-in into `aggregator` by instances that have the branch's own frames.
  const std::vector<ValuesPattern>* values_into(const std::string& aggregator) const {
    const auto found = values_.find(aggregator);
    return found == values_.end() ? nullptr : found->second;
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
    // Out of the frame: the target must be an aggregator whose frames follow from the map's own.
    const bool derivable =
        !pushes && std::find(levels.begin(), levels.end(), kOtherLevel) == levels.end();
    Exit exit{edge.target, depth_ - std::min(depth_, levels.size())};
    if (!derivable || (exit_ && *exit_ != exit)) failed_ = true;
    exit_ = std::move(exit);
    if (edge.input_type == InputType::fan_in && at == branch_) {
      values_.try_emplace(edge.target, &edge.values);
    }
  }

  const Flow& flow_;
  std::size_t depth_;
  Levels branch_;
  std::map<std::string, const std::vector<ValuesPattern>*> values_;
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
      out.modifiers.assign(exit->dropped, Modifier::parse("Pop", flow.ir(function).source));
      common = exit;
    }
    if (const auto* values = paths.values_into(out.name)) out.values = *values;
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
