// Following frames along edges.
#include "compiler/flow.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/limits.hpp"

namespace unum {
namespace {

// Shapes of one function beyond which nothing new is learned.
constexpr std::size_t kShapesMax = 64;
// How often one edge's frame may stand in a shape: recursion is followed that deep.
constexpr std::ptrdiff_t kRecursionMax = 2;

}  // namespace

Flow::Flow(const Application& application) : application_(&application) {
  std::uint32_t edges = 0;
  for (const FunctionSettings& function : application.functions) {
    first_edge_.push_back(edges);
    edges += static_cast<std::uint32_t>(function.ir.edges.size());
  }
  if (!application.entry.empty()) entry_ = index_of(application.entry);
  shapes_.resize(size());
  find_shapes();
  find_reach();
}

std::size_t Flow::index_of(std::string_view name) const noexcept {
  const FunctionSettings* found = application_->find(name);
  return found == nullptr ? kNone
                          : static_cast<std::size_t>(found - application_->functions.data());
}

void Flow::find_shapes() {
  if (entry_ == kNone) return;
  std::deque<std::pair<std::size_t, Shape>> queue;
  const auto arrive = [&](std::size_t function, Shape shape) {
    if (function == kNone || shape.size() > kFramesMax) return;
    if (shapes_[function].size() >= kShapesMax) return;
    if (!shapes_[function].insert(shape).second) return;
    queue.emplace_back(function, std::move(shape));
  };
  arrive(entry_, {});
  while (!queue.empty()) {
    const auto [function, shape] = std::move(queue.front());
    queue.pop_front();
    const FunctionIr& from = ir(function);
    for (std::size_t e = 0; e < from.edges.size(); ++e) {
      const Edge& edge = from.edges[e];
      if (is_dead(edge)) continue;
      const std::uint32_t id = edge_id(function, e);
      Shape next = shape;
      const auto apply = [&](const std::vector<Modifier>& modifiers) {
        for (const Modifier& modifier : modifiers) {
          if (modifier.kind() == Modifier::Kind::push) {
            next.insert(next.begin(), {FrameType::loop, id});
          } else if (modifier.kind() == Modifier::Kind::pop && !next.empty()) {
            next.erase(next.begin());
          }
        }
      };
      apply(edge.modifiers);
      const std::size_t target = index_of(edge.target);
      const bool parallel = pushes_parallel(from, edge);
      if (edge.on_empty) {
        const Shape kept = next;
        apply(edge.on_empty->modifiers);
        arrive(index_of(edge.on_empty->name), std::exchange(next, kept));
      }
      if (parallel || edge.input_type == InputType::map) {
        next.insert(next.begin(), {parallel ? FrameType::parallel : FrameType::map, id});
      }
      const auto same = std::count_if(next.begin(), next.end(),
                                      [&](const ShapeFrame& f) { return f.origin == id; });
      if (same <= kRecursionMax) arrive(target, std::move(next));
    }
  }
}

void Flow::find_reach() {
  reach_.assign(size(), std::vector<bool>(size(), false));
  for (std::size_t start = 0; start < size(); ++start) {
    std::vector<std::size_t> stack{start};
    while (!stack.empty()) {
      const std::size_t function = stack.back();
      stack.pop_back();
      for (const Edge& edge : ir(function).edges) {
        if (is_dead(edge)) continue;
        const std::size_t target = index_of(edge.target);
        if (target == kNone || reach_[start][target]) continue;
        reach_[start][target] = true;
        stack.push_back(target);
      }
    }
  }
}

}  // namespace unum
