// Following frames along edges.
#include "application/flow.hpp"

#include <algorithm>
#include <bit>
#include <deque>
#include <utility>

#include "base/limits.hpp"

namespace unum {
namespace {

// Shapes of one function beyond which nothing new is learned.
constexpr std::size_t kShapesMax = 64;
// How often one edge's frame may stand in a shape: recursion is followed that deep.
constexpr std::ptrdiff_t kRecursionMax = 2;
// Edges that Reach follows in all: a second or so.
constexpr std::size_t kReachStepsMax = 50'000'000;

std::size_t levels_of(const Expression& expression) {
  return static_cast<std::size_t>(
      std::bit_width(expression.index_levels() | expression.size_levels()));
}

bool reads_frames(const Edge& edge) {
  const auto pattern = [](const ValuesPattern& p) { return p.parts() > 0; };
  const auto modifier = [](const Modifier& m) { return m.value().has_value(); };
  return (edge.conditional && levels_of(*edge.conditional) > 0) ||
         std::any_of(edge.values.begin(), edge.values.end(), pattern) ||
         std::any_of(edge.modifiers.begin(), edge.modifiers.end(), modifier);
}

/// The number of frames after the modifiers; nothing if one of them speaks of a level that is not
/// there.
std::optional<std::size_t> depth_after(const std::vector<Modifier>& modifiers, std::size_t depth) {
  for (const Modifier& modifier : modifiers) {
    if (modifier.kind() == Modifier::Kind::push) {
      ++depth;
    } else if (depth > 0 && modifier.kind() == Modifier::Kind::pop) {
      --depth;
    } else if (depth > 0) {
      if (modifier.level() >= depth || levels_of(*modifier.value()) > depth) return std::nullopt;
    }
  }
  return depth;
}

}  // namespace

bool fits_depth(const FunctionIr& function, const Edge& edge, std::size_t depth) {
  if (edge.conditional && levels_of(*edge.conditional) > depth) return false;
  if (!depth_after(edge.modifiers, depth)) return false;
  bool own = edge.input_type != InputType::fan_in;
  for (const ValuesPattern& pattern : edge.values) {
    if (pattern.levels_needed() > depth) return false;
    own = own || pattern.may_name(function.name, depth);
  }
  return own;
}

Flow::Flow(const Application& application) : application_(&application) {
  std::uint32_t edges = 0;
  for (const FunctionSettings& function : application.functions) {
    first_edge_.push_back(edges);
    edges += static_cast<std::uint32_t>(function.ir.edges.size());
  }
  targets_.reserve(edges);
  for (const FunctionSettings& function : application.functions) {
    widths_.push_back(function.ir.parallel_width());
    std::int64_t place = 0;
    for (const Edge& edge : function.ir.edges) {
      targets_.push_back(index_of(edge.target));
      const bool plain = edge.input_type == InputType::scalar && !edge.exclusive;
      for (const Modifier& modifier : edge.modifiers) {
        sets_indexes_ = sets_indexes_ || modifier.kind() == Modifier::Kind::set_index;
      }
      places_.push_back(plain && widths_.back() > 0 ? place++ : -1);
    }
  }
  if (!application.entry.empty()) entry_ = index_of(application.entry);
  shapes_.resize(size());
  depths_.resize(size());
  find_shapes();
  find_depths();
  find_cycles();
}

std::size_t Flow::index_of(std::string_view name) const noexcept {
  const FunctionSettings* found = application_->find(name);
  return found == nullptr ? kNone
                          : static_cast<std::size_t>(found - application_->functions.data());
}

std::size_t Flow::function_of(std::uint32_t id) const {
  const auto after = std::upper_bound(first_edge_.begin(), first_edge_.end(), id);
  return static_cast<std::size_t>(after - first_edge_.begin()) - 1;
}

const std::string& Flow::edge_target(std::uint32_t id) const {
  const std::size_t function = function_of(id);
  return ir(function).edges[id - first_edge_[function]].target;
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
      if (same <= kRecursionMax) arrive(target(function, e), std::move(next));
    }
  }
}

void Flow::find_depths() {
  if (entry_ == kNone) return;
  const std::vector<Edge>& first = ir(entry_).edges;
  entry_reads_frames_ = std::any_of(first.begin(), first.end(), reads_frames);
  std::vector<std::size_t> waiting;
  const auto arrive = [&](std::size_t function, const Depths& more) {
    if (function == kNone || (more & ~depths_[function]).none()) return;
    depths_[function] |= more;
    waiting.push_back(function);
  };
  arrive(entry_, entry_reads_frames_ ? Depths().set() : Depths(1));
  const auto modified = [](Depths depths, const std::vector<Modifier>& modifiers) {
    for (const Modifier& modifier : modifiers) {
      if (modifier.kind() == Modifier::Kind::push) depths <<= 1;
      if (modifier.kind() == Modifier::Kind::pop) {
        const bool none = depths[0];
        depths >>= 1;
        if (none) depths.set(0);
      }
    }
    return depths;
  };
  while (!waiting.empty()) {
    const std::size_t function = waiting.back();
    waiting.pop_back();
    const FunctionIr& from = ir(function);
    for (std::size_t e = 0; e < from.edges.size(); ++e) {
      const Edge& edge = from.edges[e];
      if (is_dead(edge)) continue;
      Depths next = modified(depths_[function], edge.modifiers);
      if (edge.on_empty) {
        arrive(index_of(edge.on_empty->name), modified(next, edge.on_empty->modifiers));
      }
      if (edge.input_type == InputType::map || pushes_parallel(from, edge)) next <<= 1;
      arrive(target(function, e), next);
    }
  }
}

// Tarjan's algorithm, with a stack of its own: chains can be long.
void Flow::find_cycles() {
  struct Visit {
    std::size_t function;
    std::size_t edge;
  };
  cycle_.assign(size(), kNone);
  in_cycle_.assign(size(), false);
  std::vector<std::size_t> order(size(), kNone);
  std::vector<std::size_t> lowest(size());
  std::vector<std::size_t> open;
  std::vector<Visit> visits;
  std::size_t next = 0;
  const auto enter = [&](std::size_t function) {
    order[function] = lowest[function] = next++;
    open.push_back(function);
    visits.push_back({function, 0});
  };
  const auto leave = [&](std::size_t function) {
    if (lowest[function] != order[function]) return;
    const bool several = open.back() != function;
    for (std::size_t member = kNone; member != function; open.pop_back()) {
      member = open.back();
      cycle_[member] = function;
      if (several) in_cycle_[member] = true;
    }
  };
  for (std::size_t start = 0; start < size(); ++start) {
    if (order[start] != kNone) continue;
    enter(start);
    while (!visits.empty()) {
      const auto [function, e] = visits.back();
      if (e == ir(function).edges.size()) {
        visits.pop_back();
        leave(function);
        if (!visits.empty()) {
          std::size_t& caller = lowest[visits.back().function];
          caller = std::min(caller, lowest[function]);
        }
        continue;
      }
      ++visits.back().edge;
      const std::size_t to = target(function, e);
      if (to == kNone || is_dead(ir(function).edges[e])) continue;
      if (to == function) in_cycle_[function] = true;
      if (order[to] == kNone) {
        enter(to);
      } else if (cycle_[to] == kNone) {
        lowest[function] = std::min(lowest[function], order[to]);
      }
    }
  }
}

bool Reach::operator()(std::size_t from, std::size_t to) {
  if (from != from_) {
    if (steps_ > kReachStepsMax) return true;
    from_ = from;
    reached_.assign(flow_.size(), false);
    steps_ += flow_.size() / 64;
    std::vector<std::size_t> waiting{from};
    while (!waiting.empty()) {
      const std::size_t function = waiting.back();
      waiting.pop_back();
      const std::vector<Edge>& edges = flow_.ir(function).edges;
      steps_ += edges.size() + 1;
      for (std::size_t e = 0; e < edges.size(); ++e) {
        const std::size_t target = flow_.target(function, e);
        if (target == Flow::kNone || reached_[target] || Flow::is_dead(edges[e])) continue;
        reached_[target] = true;
        waiting.push_back(target);
      }
    }
  }
  return reached_[to];
}

}  // namespace unum
