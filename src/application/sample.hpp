// A small run of a workflow without its code: lists have given lengths, every result is unknown.
// Private to the application layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "application/check_rules.hpp"
#include "application/flow.hpp"
#include "application/widths.hpp"

namespace unum {

/// What is chosen on one way to an instance: for a decision of one instance, the edge taken.
using Guard = std::map<std::uint64_t, std::uint32_t>;

/// All ways to an instance: it runs if one of the guards holds.
struct Guards {
  std::vector<Guard> any;
  bool vague = false;  ///< Too many to tell; nothing is concluded from them.

  /// Whether the instance runs whatever is chosen.
  bool always() const { return !vague && any.size() == 1 && any.front().empty(); }
};

/// For each decision, the edges that it may take; with kNoEdge if it may take none.
using Options = std::unordered_map<std::uint64_t, std::set<std::uint32_t>>;
inline constexpr std::uint32_t kNoEdge = 0xFFFFFFFF;

bool contradicts(const Guard& a, const Guard& b);
/// Those that hold whenever one of each does.
Guards both(const Guards& a, const Guards& b);
/// Adds the alternatives; where they cover all options of a decision, the decision is dropped.
void add_alternatives(Guards& guards, const Guards& more, const Options& options);

/// What a sample is made with.
struct SampleSetting {
  Widths widths;
  Frames entry_frames;        ///< What the caller of the entry gives.
  std::size_t recursion = 2;  ///< How often one edge's frame may stand among an instance's.
  std::size_t work_max = 0;   ///< Instances, ways and names beyond which the sample is given up.
  bool costs = false;         ///< Whether to look for fan-ins that cost a check of every sibling.
  const std::vector<bool>* forced = nullptr;  ///< Edges (by id) to take though they are not.
};

class Sample {
 public:
  /// What is wrong, by rule and edge.
  using Key = std::tuple<std::string, std::size_t, std::size_t>;
  /// Why a fault may not be there in another run of the same workflow.
  enum class Doubt : std::uint8_t { none, result, depth, length };
  struct Fault {
    Finding finding;
    Doubt doubt = Doubt::result;
  };
  using Faults = std::map<Key, Fault>;

  Sample(const Flow& flow, const SampleSetting& setting)
      : flow_(flow), setting_(setting), taken_(flow.edge_count(), 0) {}

  /// Follows the workflow from its entry; false if it grew beyond a limit.
  bool run();

  /// What is wrong. `none` for what fails in this sample for certain, or whenever its edge is
  /// taken.
  Faults& faults() noexcept { return faults_; }
  /// Whether the edge (by its id) was taken by any instance.
  bool took(std::uint32_t edge) const { return taken_[edge] > 0; }
  /// Whether fan-ins that never complete were looked for.
  bool looked_for_incomplete() const noexcept { return looked_for_incomplete_; }
  /// Whether recursion or a loop was not followed to its end.
  bool cut() const noexcept { return cut_; }
  /// The length of the shortest list; 0 without lists.
  std::int64_t shortest() const noexcept { return shortest_; }
  std::size_t work() const noexcept { return work_; }
  /// The lengths of the lists, for a message: `with 3 elements in the Map to A and 1 in ...`.
  std::string example() const;

 private:
  enum class Truth : std::uint8_t { no, unknown, yes };

  struct Position {
    Frames frames;
    std::vector<std::uint32_t> origins;  ///< Of each frame, the edge that pushed it.
  };
  /// What a contributor says about an aggregator.
  struct Joined {
    std::shared_ptr<const NameList> list;  ///< Equal lists are one object.
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
  /// What fails at single instances, until it is known which of them run in any case.
  struct Failing {
    std::size_t count = 0;             ///< Instances that fail whenever they take the edge.
    std::vector<std::size_t> certain;  ///< Those that take it whenever they run.
    bool depth = false;                ///< Another number of frames would have been right.
  };

  void visit(std::size_t instance);
  void take(std::size_t instance, std::size_t edge, Truth truth, Guard taken);
  void fan_in(std::size_t instance, std::size_t edge, Truth truth, Guard taken, Position after);
  void check_cost(std::size_t instance, std::size_t edge);
  Truth truth_of(std::size_t instance, std::size_t edge);
  std::optional<Position> apply(std::size_t instance, std::size_t edge, Truth truth);
  std::shared_ptr<const NameList> shared(NameList list);
  std::shared_ptr<const NameList> expanded(std::size_t instance, std::size_t edge);
  bool is_beyond(const Position& at) const;
  void arrive(std::size_t function, Position at, Way way);
  void settle();
  void find_second_ways();
  void find_incomplete();
  std::string missing_in(const NameList& list, bool& longer) const;
  bool could_be_longer(const InstanceName& name) const;
  Guards guards_of_fan_in(const Instance& instance) const;
  void judge_ways(Instance& instance);
  void judge_lists(const Instance& instance);
  void fault(std::string_view rule, std::size_t instance, std::size_t edge, std::string message,
             Doubt doubt, Severity severity = Severity::error);
  /// A fault of one instance, whose weight settle() finds.
  void fails(std::string_view rule, std::size_t instance, std::size_t edge, Truth truth,
             std::string message);

  const Edge& edge_of(std::size_t instance, std::size_t edge) const {
    return flow_.ir(instances_[instance].function).edges[edge];
  }
  std::uint32_t id_of(std::size_t instance, std::size_t edge) const {
    return flow_.edge_id(instances_[instance].function, edge);
  }
  bool is_forced(std::size_t instance, std::size_t edge) const {
    return setting_.forced != nullptr && (*setting_.forced)[id_of(instance, edge)];
  }

  const Flow& flow_;
  const SampleSetting& setting_;
  std::vector<Instance> instances_;  // In the order of their discovery; also the queue.
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_multimap<std::size_t, std::shared_ptr<const NameList>> name_lists_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const NameList>> literal_lists_;  // By edge id.
  std::vector<std::uint32_t> taken_;                          // By edge id: instances that take it.
  std::map<std::uint32_t, std::vector<std::int64_t>> lists_;  // By Map edge, lengths in order.
  std::int64_t longest_ = 2;
  std::int64_t shortest_ = 0;
  Options options_;
  Faults faults_;
  std::map<Key, Failing> failing_;
  std::size_t work_ = 0;
  bool too_large_ = false;
  bool cut_ = false;
  bool looked_for_incomplete_ = false;
};

}  // namespace unum
