// See readers.hpp.
#include "application/readers.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "workflow/plan.hpp"

namespace unum {
namespace {

// Edges that are followed in all: far less than a second. Beyond it there may always be a way.
constexpr std::size_t kStepsMax = 2'000'000;

class Readers {
 public:
  explicit Readers(Application& application) : application_(application) {
    for (FunctionSettings& function : application.functions) {
      Named& named = functions_[function.ir.name];
      named.ir = &function.ir;
      std::size_t followed = 0;
      for (const Edge& edge : function.ir.edges) {
        if (edge.input_type == InputType::fan_in) named.fan_ins_into.insert(edge.target);
        // Whose failure was caught is not named.
        if (edge.input_type != InputType::error && ++followed == 1) named.only_edge = &edge;
        has_loops_ |=
            std::any_of(edge.modifiers.begin(), edge.modifiers.end(),
                        [](const Modifier& m) { return m.kind() == Modifier::Kind::push; });
      }
      if (followed != 1) named.only_edge = nullptr;
      named.ir->read_by_descendants = false;
    }
  }

  void run() {
    for_each_pattern([&](const FunctionIr& from, const Edge& edge, const ValuesPattern& pattern) {
      Named* const named = find(pattern.function());
      if (named != nullptr && !named->ir->read_by_descendants) {
        named->ir->read_by_descendants = may_come_after(from, edge, pattern, *named);
      }
    });
    // Who invokes an aggregator may have found its list recorded by another function.
    std::unordered_set<std::string_view> shared;
    for_each_pattern([&](const FunctionIr&, const Edge& edge, const ValuesPattern& pattern) {
      if (!has_one_reader(pattern, edge.target)) shared.insert(edge.target);
    });
    for (FunctionSettings& function : application_.functions) {
      for (Edge& edge : function.ir.edges) {
        edge.sole_reader = edge.input_type == InputType::fan_in && !shared.contains(edge.target);
      }
    }
  }

 private:
  /// A function, and what is asked of its edges for each name in each list.
  struct Named {
    FunctionIr* ir = nullptr;
    std::unordered_set<std::string_view> fan_ins_into;  ///< Their targets.
    const Edge* only_edge = nullptr;                    ///< If it has no other.
    std::map<std::size_t, bool> leads_to_one{};         ///< By depth, once it was looked at.
  };

  Named* find(std::string_view name) {
    const auto found = functions_.find(name);
    return found == functions_.end() ? nullptr : &found->second;
  }

  template <class Each>
  void for_each_pattern(const Each& each) {
    for (const FunctionSettings& function : application_.functions) {
      for (const Edge& edge : function.ir.edges) {
        for (const ValuesPattern& pattern : edge.values) each(function.ir, edge, pattern);
      }
    }
  }

  /// Whether an instance that has this edge may come after one that the pattern names, which then
  /// takes no part in the fan-in itself.
  bool may_come_after(const FunctionIr& from, const Edge& edge, const ValuesPattern& pattern,
                      const Named& named) {
    const bool takes_part = named.fan_ins_into.contains(edge.target);
    if (!takes_part) return true;
    if (has_loops_ && pattern.may_cross_rows(named.ir->name, pattern.parts())) return true;
    return leads_to(*named.ir, from.name, edge.target);
  }

  /// Whether a path of edges leads from one function to another and not through `without`.
  bool leads_to(const FunctionIr& from, std::string_view to, std::string_view without) {
    std::vector<const FunctionIr*> waiting{&from};
    std::unordered_set<std::string_view> seen;
    while (!waiting.empty()) {
      const FunctionIr* const at = waiting.back();
      waiting.pop_back();
      for (const Edge& edge : at->edges) {
        if (++steps_ > kStepsMax) return true;
        if (edge.target == without) continue;
        if (edge.target == to) return true;
        const Named* const next = find(edge.target);
        if (next != nullptr && seen.insert(edge.target).second) waiting.push_back(next->ir);
      }
    }
    return false;
  }

  /// Whether the target's instance that names an instance by this pattern is the only reader of its
  /// outcome: the named function has no edge but one into the target, which leads all instances
  /// that differ in their innermost index alone into one aggregator.
  bool has_one_reader(const ValuesPattern& pattern, std::string_view target) {
    Named* const named = find(pattern.function());
    if (named == nullptr || named->ir->read_by_descendants) return false;
    const Edge* const only = named->only_edge;
    if (only == nullptr || only->input_type != InputType::fan_in || only->target != target) {
      return false;
    }
    const auto [known, is_new] = named->leads_to_one.try_emplace(pattern.parts());
    if (is_new) known->second = leads_to_one(*only, named->ir->name, pattern.parts());
    return known->second;
  }

  /// Whether the edge leads all instances that differ in their innermost index alone into one
  /// aggregator.
  static bool leads_to_one(const Edge& edge, std::string_view from, std::size_t depth) {
    if ((frame_sources(edge.modifiers, depth).indexes & 1u) != 0) return false;
    return std::none_of(edge.values.begin(), edge.values.end(), [&](const ValuesPattern& own) {
      return own.uses_level0_index() || own.may_cross_rows(from, depth);
    });
  }

  Application& application_;
  std::unordered_map<std::string_view, Named> functions_;
  bool has_loops_ = false;
  std::size_t steps_ = 0;
};

}  // namespace

void find_readers(Application& application) { Readers(application).run(); }

}  // namespace unum
