// Following a map's frame to the edges that drop it.
#include "compiler/empty_maps.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
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
  explicit PathsOut(const Flow& flow) : flow_(flow) {}

  /// The one aggregator that a map from a function with `depth` post-modifier levels ends in.
  std::optional<Exit> find(const Edge& map, std::size_t depth) {
    Levels levels{kMapLevel};
    for (std::size_t i = 0; i < depth; ++i) levels.push_back(static_cast<int>(i));
    visit(flow_.index_of(map.target), std::move(levels));
    while (!waiting_.empty() && !failed_) {
      const auto [function, at] = std::move(waiting_.back());
      waiting_.pop_back();
      for (const Edge& edge : flow_.ir(function).edges) follow(flow_.ir(function), edge, at, depth);
    }
    return failed_ ? std::nullopt : exit_;
  }

 private:
  void visit(std::size_t function, Levels levels) {
    if (function == Flow::kNone) return;
    if (std::count(levels.begin(), levels.end(), kOtherLevel) > kPushedMax) return;
    if (seen_.size() >= kStatesMax) failed_ = true;
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

  void follow(const FunctionIr& from, const Edge& edge, const Levels& at, std::size_t depth) {
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
    Exit exit{edge.target, depth - std::min(depth, levels.size())};
    if (!derivable || (exit_ && *exit_ != exit)) failed_ = true;
    exit_ = std::move(exit);
  }

  const Flow& flow_;
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

/// The exit that all shapes of the mapping function agree on.
std::optional<Exit> common_exit(const Flow& flow, std::size_t function, const Edge& edge) {
  std::optional<Exit> common;
  for (const Shape& shape : flow.shapes(function)) {
    auto exit = PathsOut(flow).find(edge, depth_after(edge.modifiers, shape.size()));
    if (!exit || (common && *common != *exit)) return std::nullopt;
    common = std::move(exit);
  }
  return common;
}

}  // namespace

void derive_on_empty(Application& application) {
  const Flow flow(application);
  std::vector<std::pair<Edge*, OnEmpty>> derived;
  for (std::size_t f = 0; f < application.functions.size(); ++f) {
    FunctionIr& ir = application.functions[f].ir;
    for (Edge& edge : ir.edges) {
      if (edge.input_type != InputType::map || edge.on_empty || flow.shapes(f).empty()) continue;
      const std::optional<Exit> exit = common_exit(flow, f, edge);
      if (!exit) {
        application.findings.push_back(
            {Severity::warning, "empty-map", ir.source, edge.line,
             "the Map to " + edge.target +
                 " ends in no single aggregator, so nothing runs after an empty list; "
                 "name the aggregator in the edge's OnEmpty if something should"});
        continue;
      }
      OnEmpty on_empty;
      on_empty.name = exit->aggregator;
      on_empty.modifiers.assign(exit->dropped, Modifier::parse("Pop", ir.source));
      derived.emplace_back(&edge, std::move(on_empty));
    }
  }
  for (auto& [edge, on_empty] : derived) edge->on_empty = std::move(on_empty);
}

}  // namespace unum
