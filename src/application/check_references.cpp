// Rules about names: targets, whom a list names, and whether those can do their part.
#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "application/check_rules.hpp"
#include "base/suggest.hpp"

namespace unum {
namespace {

// Comparisons of an unknown name with a function's in all: a tenth of a second. The messages after
// that make no suggestion.
constexpr std::size_t kSuggestionsMax = 200'000;
// Edges followed to find out which functions fan in for a branch, in all. Beyond it a catcher
// counts as one that joins its branch again.
constexpr std::size_t kBranchStepsMax = 5'000'000;

class References {
 public:
  References(const Flow& flow, std::vector<Finding>& findings)
      : flow_(flow), findings_(findings), reaches_(flow) {
    for (const FunctionSettings& function : flow.application().functions) {
      names_.push_back(function.name());
      catches_.push_back(function.ir.catches());
    }
    for (std::size_t f = 0; f < flow.size(); ++f) {
      const std::vector<Edge>& edges = flow.ir(f).edges;
      for (std::size_t e = 0; e < edges.size(); ++e) {
        if (edges[e].input_type == InputType::fan_in) fan_ins_.insert(pair(f, flow.target(f, e)));
      }
    }
  }

  void check() {
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      const FunctionIr& ir = flow_.ir(f);
      for (std::size_t e = 0; e < ir.edges.size(); ++e) {
        const Edge& edge = ir.edges[e];
        known(f, e, edge.target, e < ir.next_size() ? "Name" : "Catch");
        if (edge.on_empty) known(f, e, edge.on_empty->name, "OnEmpty.Name");
        if (edge.input_type == InputType::error) rejoins(f, e);
        if (edge.input_type == InputType::fan_in) fan_in(f, e);
      }
    }
  }

 private:
  std::uint64_t pair(std::size_t function, std::size_t target) const {
    return static_cast<std::uint64_t>(function) * (flow_.size() + 1) +
           std::min(target, flow_.size());
  }

  void error(std::size_t f, std::size_t e, std::string_view rule, std::string message) {
    findings_.push_back(edge_finding(flow_, f, e, Severity::error, rule, std::move(message)));
  }

  /// The function of that name; kNone, and a finding, if there is none.
  std::size_t known(std::size_t f, std::size_t e, const std::string& name, std::string_view field) {
    const std::size_t found = flow_.index_of(name);
    if (found != Flow::kNone) return found;
    const bool suggest = compared_ < kSuggestionsMax;
    compared_ += names_.size();
    error(f, e, "unknown-function",
          "the edge from " + flow_.ir(f).name + " names " + name + " in " + std::string(field) +
              ", which is not a function of " + std::string(kTemplateFile) +
              (suggest ? did_you_mean(name, names_) : std::string()));
    return found;
  }

  void fan_in(std::size_t f, std::size_t e) {
    const Edge& edge = flow_.ir(f).edges[e];
    std::vector<std::size_t> listed;  // Each function once, in the list's order.
    std::unordered_set<std::size_t> seen;
    std::unordered_set<std::string_view> unknown;
    for (const ValuesPattern& pattern : edge.values) {
      if (!unknown.empty() && unknown.contains(pattern.function())) continue;
      const std::size_t function = known(f, e, pattern.function(), "Values");
      if (function == Flow::kNone) {
        unknown.insert(pattern.function());
      } else if (seen.insert(function).second) {
        listed.push_back(function);
      }
    }
    if (!unknown.empty()) return;
    names_itself(f, e);
    take_part(f, e, listed);
    for (const std::size_t function : listed) cannot_fail(f, e, function);
  }

  // A contributor's place is its own name in its own list.
  void names_itself(std::size_t f, std::size_t e) {
    const FunctionIr& ir = flow_.ir(f);
    const Edge& edge = ir.edges[e];
    if (Flow::is_dead(edge)) return;
    Depths named;
    bool function_named = false;
    for (const ValuesPattern& pattern : edge.values) {
      if (pattern.function() != ir.name) continue;
      function_named = true;
      named.set(pattern.parts());
    }
    const Depths& depths = flow_.depths(f);
    if (function_named && (depths.none() || (depths & named).any())) return;
    std::string message = "the fan-in of " + ir.name + " into " + edge.target +
                          " has no place for " + ir.name + " itself: ";
    if (!function_named) {
      message += "its Values name only other functions; add " + ir.name + "'s own instances";
    } else {
      std::size_t depth = 0;
      while (!depths[depth]) ++depth;
      message +=
          "its instances have " + std::to_string(depth) + (depth == 1 ? " index" : " indexes") +
          ", and no entry of Values for it has as many (a Pop that is missing on a fan-in edge "
          "before it would explain that)";
    }
    error(f, e, "no-place", std::move(message));
  }

  // A function that is listed must look after its own end, or lie before all that do.
  void take_part(std::size_t f, std::size_t e, const std::vector<std::size_t>& listed) {
    const Edge& edge = flow_.ir(f).edges[e];
    const std::size_t target = flow_.target(f, e);
    const auto fans_in = [&](std::size_t function) {
      return fan_ins_.contains(pair(function, target));
    };
    for (const std::size_t function : listed) {
      if (function == f || fans_in(function)) continue;
      for (const std::size_t contributor : listed) {
        if (!fans_in(contributor) || reaches_(function, contributor)) continue;
        error(f, e, "no-edge",
              flow_.ir(function).name + " is named in the fan-in of " + flow_.ir(f).name +
                  " into " + edge.target + " but has no fan-in edge to " + edge.target +
                  ", so nobody would look when it ends last; give it the same edge (only a "
                  "function before all contributors can do without)");
        break;
      }
    }
  }

  // "Exists" must mean "succeeded" for every name in a list.
  void cannot_fail(std::size_t f, std::size_t e, std::size_t listed) {
    if (!catches_[listed]) return;
    error(f, e, "caught-in-values",
          flow_.ir(listed).name + " is named in the fan-in of " + flow_.ir(f).name + " into " +
              flow_.ir(f).edges[e].target + " but has " +
              (flow_.ir(listed).next_size() < flow_.ir(listed).edges.size() ? "a Catch"
                                                                            : "an Error edge") +
              ", so its outcome may be a failure; name a function after it, which " +
              flow_.ir(listed).name + " and what catches its errors both lead to");
  }

  // A branch that leaves by its catcher would be missed by the fan-in for ever.
  void rejoins(std::size_t f, std::size_t e) {
    const std::size_t catcher = flow_.target(f, e);
    const auto& shapes = flow_.shapes(f);
    const bool in_branch = std::any_of(shapes.begin(), shapes.end(), [](const Shape& shape) {
      return !shape.empty() && shape.front().type != FrameType::loop;
    });
    if (catcher == Flow::kNone || !in_branch) return;
    std::string missed;
    for (const std::size_t contributor : contributors_of_branch(f)) {
      if (catcher == contributor || reaches_(catcher, contributor)) return;
      missed = flow_.ir(contributor).name;
    }
    if (missed.empty()) return;
    const std::string& name = flow_.ir(catcher).name;
    error(f, e, "no-rejoin",
          "what catches the errors of " + flow_.ir(f).name + ", " + name + ", does not lead to " +
              missed +
              ", which fans in for this branch: after a failure the fan-in would wait for "
              "ever; give " +
              name + " an edge that joins the branch again");
  }

  /// Functions that fan in with the frames that `f` has, on the paths after its success.
  std::set<std::size_t> contributors_of_branch(std::size_t f) {
    constexpr int kDeeperMax = 8;  // Maps inside of the branch; deeper ones are not followed.
    std::set<std::size_t> out;
    std::set<std::pair<std::size_t, int>> seen{{f, 0}};
    std::vector<std::pair<std::size_t, int>> waiting{{f, 0}};
    while (!waiting.empty() && branch_steps_ < kBranchStepsMax) {
      const auto [at, depth] = waiting.back();
      waiting.pop_back();
      const FunctionIr& ir = flow_.ir(at);
      branch_steps_ += ir.edges.size() + 1;
      for (std::size_t e = 0; e < ir.edges.size(); ++e) {
        const Edge& edge = ir.edges[e];
        if (edge.input_type == InputType::error || Flow::is_dead(edge)) continue;
        if (edge.input_type == InputType::fan_in && depth == 0 && at != f) out.insert(at);
        int next = depth;
        for (const Modifier& modifier : edge.modifiers) {
          if (modifier.kind() == Modifier::Kind::push) ++next;
          if (modifier.kind() == Modifier::Kind::pop) --next;
        }
        if (next < 0) continue;  // Out of the branch.
        if (edge.input_type == InputType::map || Flow::pushes_parallel(ir, edge)) ++next;
        const std::pair<std::size_t, int> state{flow_.target(at, e), next};
        if (state.first == Flow::kNone || next > kDeeperMax || !seen.insert(state).second) continue;
        waiting.push_back(state);
      }
    }
    return out;
  }

  const Flow& flow_;
  std::vector<Finding>& findings_;
  Reach reaches_;
  std::vector<std::string_view> names_;
  std::vector<bool> catches_;
  std::unordered_set<std::uint64_t> fan_ins_;  // Functions with an edge into an aggregator.
  std::size_t compared_ = 0;
  std::size_t branch_steps_ = 0;
};

}  // namespace

void check_references(const Flow& flow, std::vector<Finding>& findings) {
  References(flow, findings).check();
}

}  // namespace unum
