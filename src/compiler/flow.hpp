// An application's functions and edges as a graph, and the frames that each function can run in.
//
// Frames are followed as shapes: which edge pushed each level, not which index it has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/application.hpp"
#include "runtime/frames.hpp"

namespace unum {

/// One level of frames: its type and the edge that pushed it.
struct ShapeFrame {
  FrameType type = FrameType::map;
  std::uint32_t origin = 0;  ///< Flow::edge_id of the edge.
  friend auto operator<=>(const ShapeFrame&, const ShapeFrame&) = default;
};
using Shape = std::vector<ShapeFrame>;  ///< Innermost first.

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
  /// Whether a path of edges leads from one function to the other (itself: a cycle).
  bool reaches(std::size_t from, std::size_t to) const { return reach_[from][to]; }

  /// An edge that a constant conditional rules out.
  static bool is_dead(const Edge& edge) noexcept {
    return edge.conditional && edge.conditional->constant() == false;
  }
  /// Whether the edge pushes a Parallel frame.
  static bool pushes_parallel(const FunctionIr& ir, const Edge& edge) noexcept {
    return edge.input_type == InputType::scalar && !edge.exclusive && ir.parallel_width() > 0;
  }

 private:
  void find_shapes();
  void find_reach();

  const Application* application_;
  std::vector<std::uint32_t> first_edge_;
  std::size_t entry_ = kNone;
  std::vector<std::set<Shape>> shapes_;
  std::vector<std::vector<bool>> reach_;
};

}  // namespace unum
