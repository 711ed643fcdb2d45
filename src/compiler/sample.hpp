// A small run of a workflow without its code: every map has the same few elements, every result is
// unknown. Private to the compiler layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "compiler/check_rules.hpp"
#include "compiler/flow.hpp"

namespace unum {

/// What is chosen on one way to an instance: for a decision of one instance, the edge taken.
using Guard = std::map<std::uint64_t, std::uint32_t>;

/// All ways to an instance: it runs if one of the guards holds.
struct Guards {
  std::vector<Guard> any;
  bool vague = false;  ///< Too many to tell; nothing is concluded from them.
};

/// For each decision, the edges that it may take; with kNoEdge if it may take none.
using Options = std::unordered_map<std::uint64_t, std::set<std::uint32_t>>;
inline constexpr std::uint32_t kNoEdge = 0xFFFFFFFF;

bool contradicts(const Guard& a, const Guard& b);
/// Those that hold whenever one of each does.
Guards both(const Guards& a, const Guards& b);
/// Adds the alternatives; where they cover all options of a decision, the decision is dropped.
void add_alternatives(Guards& guards, const Guards& more, const Options& options);

class Sample {
 public:
  /// What is wrong, by rule and edge. A key that is there for every width is reported.
  using Key = std::tuple<std::string, std::size_t, std::size_t>;
  using Faults = std::map<Key, Finding>;

  Sample(const Flow& flow, std::int64_t width) : flow_(flow), width_(width) {}

  /// Follows the workflow from its entry; false if it grew beyond kSampleInstancesMax.
  bool run();

  Faults& faults() noexcept { return faults_; }

 private:
  enum class Truth : std::uint8_t { no, unknown, yes };

  struct Position {
    Frames frames;
    std::vector<std::uint32_t> origins;  ///< Of each frame, the edge that pushed it.
    std::vector<bool> from_level0;  ///< Of each frame, whether its index depends on the old $0.
  };
  /// What a contributor says about an aggregator.
  struct Joined {
    NameList list;
    Frames frames;
    bool certain = false;  ///< Its conditional holds whenever the contributor runs.
  };
  struct Way {
    std::size_t parent = 0;
    std::size_t edge = 0;
    Guard taken;                   ///< What the edge itself needs.
    std::optional<Joined> joined;  ///< Of a fan-in.
  };
  struct Instance {
    std::size_t function = 0;
    std::string name;
    Position at;
    std::vector<Way> ways;
    Guards guards;
  };

  void visit(std::size_t instance);
  void take(std::size_t instance, std::size_t edge, Truth truth, Guard taken);
  void fan_in(std::size_t instance, std::size_t edge, Truth truth, Guard taken, Position after);
  void check_pop(std::size_t instance, std::size_t edge, const Position& after,
                 const std::string& aggregator);
  void check_cost(std::size_t instance, std::size_t edge);
  Truth truth_of(std::size_t instance, std::size_t edge);
  std::optional<Position> apply(std::size_t instance, std::size_t edge, bool certain);
  bool is_beyond(const Position& at) const;
  void arrive(std::size_t function, Position at, Way way);
  void find_second_ways();
  void find_incomplete();
  std::string missing_in(const NameList& list) const;
  Guards guards_of_fan_in(const Instance& instance) const;
  void judge_ways(Instance& instance);
  void judge_lists(const Instance& instance);
  void fault(std::string_view rule, std::size_t instance, std::size_t edge, std::string message,
             Severity severity = Severity::error);

  const Edge& edge_of(std::size_t instance, std::size_t edge) const {
    return flow_.ir(instances_[instance].function).edges[edge];
  }

  const Flow& flow_;
  std::int64_t width_;
  std::vector<Instance> instances_;  // In the order of their discovery; also the queue.
  std::unordered_map<std::string, std::size_t> by_name_;
  Options options_;
  Faults faults_;
  bool too_large_ = false;
  bool cut_ = false;  ///< Recursion or a loop was not followed to its end.
};

}  // namespace unum
