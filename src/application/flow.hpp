// An application's functions and edges as a graph, and the frames that each function can run in.
//
// Frames are followed as shapes: which edge pushed each level, not which index it has.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "application/application.hpp"
#include "base/limits.hpp"
#include "workflow/frames.hpp"

namespace unum {

/// One level of frames: its type and the edge that pushed it.
struct ShapeFrame {
  FrameType type = FrameType::map;
  std::uint32_t origin = 0;  ///< Flow::edge_id of the edge.
  friend auto operator<=>(const ShapeFrame&, const ShapeFrame&) = default;
};
using Shape = std::vector<ShapeFrame>;  ///< Innermost first.
/// Numbers of frames: bit d is set if an instance can have d of them.
using Depths = std::bitset<kFramesMax + 1>;

/// Whether an instance of `function` with `depth` frames has every level that the edge speaks of,
/// and, of a fan-in edge, whether an entry of its `Values` has as many parts.
bool fits_depth(const FunctionIr& function, const Edge& edge, std::size_t depth);

class Flow {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  explicit Flow(const Application& application);

  const Application& application() const noexcept { return *application_; }
  std::size_t size() const noexcept { return application_->functions.size(); }
  const FunctionIr& ir(std::size_t function) const { return application_->functions[function].ir; }
  /// kNone for a name that no function has.
  std::size_t index_of(std::string_view name) const noexcept;
  std::uint32_t edge_id(std::size_t function, std::size_t edge) const {
    return first_edge_[function] + static_cast<std::uint32_t>(edge);
  }
  /// kNone if there is no single entry.
  std::size_t entry() const noexcept { return entry_; }

  /// The frames that the function can have when the workflow begins at its entry; empty if it is
  /// never reached. Recursion is followed two levels deep.
  const std::set<Shape>& shapes(std::size_t function) const { return shapes_[function]; }
  /// How many frames the function can have: what shapes() tells, with recursion to its end. All
  /// numbers where the entry reads frames, since a caller may give it some.
  const Depths& depths(std::size_t function) const { return depths_[function]; }
  /// Whether an edge of the entry speaks of frames, which only its caller can give.
  bool entry_reads_frames() const noexcept { return entry_reads_frames_; }
  /// Whether a path of edges leads from the function back to it.
  bool in_cycle(std::size_t function) const { return in_cycle_[function]; }
  /// Whether a path leads from each of them to the other.
  bool same_cycle(std::size_t a, std::size_t b) const {
    return cycle_[a] == cycle_[b] && in_cycle_[a];
  }
  /// The function that an edge leads to; kNone if it is unknown.
  std::size_t target(std::size_t function, std::size_t edge) const {
    return targets_[edge_id(function, edge)];
  }
  std::size_t edge_count() const noexcept { return targets_.size(); }
  /// The function that has the edge of that id, and the name that it leads to.
  std::size_t function_of(std::uint32_t id) const;
  const std::string& edge_target(std::uint32_t id) const;
  /// The place of a parallel branch's edge among those of its list, -1 for any other edge.
  std::int64_t place_of(std::uint32_t id) const { return places_[id]; }
  /// Whether a modifier anywhere sets an index, so that an index tells nothing about its edge.
  bool sets_indexes() const noexcept { return sets_indexes_; }
  /// The frame of a Parallel branch; nothing for an edge that pushes none.
  struct Branch {
    std::int64_t place = 0;
    std::int64_t width = 0;
  };
  std::optional<Branch> branch(std::size_t function, std::size_t edge) const {
    const std::uint32_t id = edge_id(function, edge);
    if (places_[id] < 0) return std::nullopt;
    return Branch{places_[id], widths_[function]};
  }

  /// An edge that a constant conditional rules out.
  static bool is_dead(const Edge& edge) noexcept {
    return edge.conditional && edge.conditional->constant() == false;
  }
  /// Whether the edge pushes a Parallel frame.
  static bool pushes_parallel(const FunctionIr& ir, const Edge& edge) noexcept {
    if (edge.input_type != InputType::scalar || edge.exclusive || !ir.next_is_list) return false;
    std::size_t plain = 0;  // Two are enough to know: lists of edges can be long.
    for (const Edge& other : ir.edges) {
      plain += other.input_type == InputType::scalar && !other.exclusive ? 1 : 0;
      if (plain == 2) return true;
    }
    return false;
  }

 private:
  void find_shapes();
  void find_depths();
  void find_cycles();

  const Application* application_;
  std::vector<std::uint32_t> first_edge_;
  std::vector<std::size_t> targets_;  // By edge_id.
  std::vector<std::int64_t> places_;  // By edge_id: among its list's parallel branches, else -1.
  std::vector<std::int64_t> widths_;  // By function: its parallel branches.
  std::size_t entry_ = kNone;
  bool entry_reads_frames_ = false;
  bool sets_indexes_ = false;
  std::vector<std::set<Shape>> shapes_;
  std::vector<Depths> depths_;
  std::vector<std::size_t> cycle_;  // The strongly connected part that each function is in.
  std::vector<bool> in_cycle_;
};

/// Answers whether a path of edges leads from one function to another. Costs a walk over the graph
/// for each new start, up to a bound on all walks; beyond it the answer is yes.
class Reach {
 public:
  explicit Reach(const Flow& flow) : flow_(flow) {}
  bool operator()(std::size_t from, std::size_t to);

 private:
  const Flow& flow_;
  std::size_t from_ = Flow::kNone;
  std::vector<bool> reached_;
  std::size_t steps_ = 0;
};

}  // namespace unum
