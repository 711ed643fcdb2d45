// The order of the checks, and those that need names and paths alone.
#include "compiler/check.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/suggest.hpp"
#include "compiler/check_rules.hpp"

namespace unum {
namespace {

class References {
 public:
  References(const Flow& flow, std::vector<Finding>& findings) : flow_(flow), findings_(findings) {
    for (const FunctionSettings& function : flow.application().functions) {
      names_.push_back(function.name());
    }
  }

  void check() {
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      const FunctionIr& ir = flow_.ir(f);
      for (std::size_t e = 0; e < ir.edges.size(); ++e) {
        const Edge& edge = ir.edges[e];
        known(f, e, edge.target, "Name");
        if (edge.on_empty) known(f, e, edge.on_empty->name, "OnEmpty.Name");
        if (edge.input_type == InputType::error) rejoins(f, e);
        bool all_known = true;
        for (const ValuesPattern& pattern : edge.values) {
          all_known = known(f, e, pattern.function(), "Values") && all_known;
        }
        if (edge.input_type != InputType::fan_in || !all_known) continue;
        names_itself(f, e);
        for (const ValuesPattern& pattern : edge.values) {
          takes_part(f, e, flow_.index_of(pattern.function()));
          cannot_fail(f, e, flow_.index_of(pattern.function()));
        }
      }
    }
  }

 private:
  void error(std::size_t f, std::size_t e, std::string_view rule, std::string message) {
    findings_.push_back(edge_finding(flow_, f, e, Severity::error, rule, std::move(message)));
  }

  bool known(std::size_t f, std::size_t e, const std::string& name, std::string_view field) {
    if (flow_.index_of(name) != Flow::kNone) return true;
    error(f, e, "unknown-function",
          "the edge from " + flow_.ir(f).name + " names " + name + " in " + std::string(field) +
              ", which is not a function of " + std::string(kTemplateFile) +
              did_you_mean(name, names_));
    return false;
  }

  // A contributor's place is its own name in its own list.
  void names_itself(std::size_t f, std::size_t e) {
    const FunctionIr& ir = flow_.ir(f);
    const Edge& edge = ir.edges[e];
    bool function_named = false;
    bool depth_named = flow_.shapes(f).empty();
    for (const ValuesPattern& pattern : edge.values) {
      function_named = function_named || pattern.function() == ir.name;
      for (const Shape& shape : flow_.shapes(f)) {
        depth_named = depth_named || pattern.may_name(ir.name, shape.size());
      }
    }
    if (function_named && depth_named) return;
    std::string message = "the fan-in of " + ir.name + " into " + edge.target +
                          " has no place for " + ir.name + " itself: ";
    if (!function_named) {
      message += "its Values name only other functions; add " + ir.name + "'s own instances";
    } else {
      const std::size_t depth = flow_.shapes(f).begin()->size();
      message +=
          "its instances have " + std::to_string(depth) + (depth == 1 ? " index" : " indexes") +
          ", and no entry of Values for it has as many (a Pop that is missing on a fan-in edge "
          "before it would explain that)";
    }
    error(f, e, "no-place", std::move(message));
  }

  bool has_fan_in_to(std::size_t f, std::string_view aggregator) const {
    const std::vector<Edge>& edges = flow_.ir(f).edges;
    return std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) {
      return edge.input_type == InputType::fan_in && edge.target == aggregator;
    });
  }

  // A function that is listed must look after its own end, or lie before all that do.
  void takes_part(std::size_t f, std::size_t e, std::size_t listed) {
    const Edge& edge = flow_.ir(f).edges[e];
    if (listed == f || has_fan_in_to(listed, edge.target)) return;
    for (const ValuesPattern& pattern : edge.values) {
      const std::size_t contributor = flow_.index_of(pattern.function());
      if (!has_fan_in_to(contributor, edge.target) || flow_.reaches(listed, contributor)) continue;
      error(f, e, "no-edge",
            flow_.ir(listed).name + " is named in the fan-in of " + flow_.ir(f).name + " into " +
                edge.target + " but has no fan-in edge to " + edge.target +
                ", so nobody would look when it ends last; give it the same edge (only a function "
                "before all contributors can do without)");
      return;
    }
  }

  // "Exists" must mean "succeeded" for every name in a list.
  void cannot_fail(std::size_t f, std::size_t e, std::size_t listed) {
    const std::vector<Edge>& edges = flow_.ir(listed).edges;
    const bool catches = std::any_of(edges.begin(), edges.end(), [](const Edge& edge) {
      return edge.input_type == InputType::error;
    });
    if (!catches) return;
    error(f, e, "caught-in-values",
          flow_.ir(listed).name + " is named in the fan-in of " + flow_.ir(f).name + " into " +
              flow_.ir(f).edges[e].target +
              " but has an Error edge, so its outcome may be a failure; name a function after it, "
              "which " +
              flow_.ir(listed).name + " and what catches its errors both lead to");
  }

  // A branch that leaves by its catcher would be missed by the fan-in for ever.
  void rejoins(std::size_t f, std::size_t e) {
    const std::size_t catcher = flow_.index_of(flow_.ir(f).edges[e].target);
    const auto& shapes = flow_.shapes(f);
    const bool in_branch = std::any_of(shapes.begin(), shapes.end(), [](const Shape& shape) {
      return !shape.empty() && shape.front().type != FrameType::loop;
    });
    if (catcher == Flow::kNone || !in_branch) return;
    std::string missed;
    for (const std::size_t contributor : contributors_of_branch(f)) {
      if (catcher == contributor || flow_.reaches(catcher, contributor)) return;
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
  std::set<std::size_t> contributors_of_branch(std::size_t f) const {
    constexpr int kDeeperMax = 8;  // Maps inside of the branch; deeper ones are not followed.
    std::set<std::size_t> out;
    std::set<std::pair<std::size_t, int>> seen{{f, 0}};
    std::vector<std::pair<std::size_t, int>> waiting{{f, 0}};
    while (!waiting.empty()) {
      const auto [at, depth] = waiting.back();
      waiting.pop_back();
      const FunctionIr& ir = flow_.ir(at);
      for (const Edge& edge : ir.edges) {
        if (edge.input_type == InputType::error || Flow::is_dead(edge)) continue;
        if (edge.input_type == InputType::fan_in && depth == 0 && at != f) out.insert(at);
        int next = depth;
        for (const Modifier& modifier : edge.modifiers) {
          if (modifier.kind() == Modifier::Kind::push) ++next;
          if (modifier.kind() == Modifier::Kind::pop) --next;
        }
        if (next < 0) continue;  // Out of the branch.
        if (edge.input_type == InputType::map || Flow::pushes_parallel(ir, edge)) ++next;
        const std::pair<std::size_t, int> state{flow_.index_of(edge.target), next};
        if (state.first == Flow::kNone || next > kDeeperMax || !seen.insert(state).second) continue;
        waiting.push_back(state);
      }
    }
    return out;
  }

  const Flow& flow_;
  std::vector<Finding>& findings_;
  std::vector<std::string_view> names_;
};

}  // namespace

Finding edge_finding(const Flow& flow, std::size_t function, std::size_t edge, Severity severity,
                     std::string_view rule, std::string message) {
  const FunctionIr& ir = flow.ir(function);
  const std::size_t line = edge < ir.edges.size() ? ir.edges[edge].line : ir.line;
  return {severity, std::string(rule), ir.source, line, std::move(message)};
}

void check_references(const Flow& flow, std::vector<Finding>& findings) {
  References(flow, findings).check();
}

void check_reachable(const Flow& flow, std::vector<Finding>& findings) {
  for (std::size_t f = 0; f < flow.size(); ++f) {
    if (!flow.shapes(f).empty()) continue;
    const FunctionSettings& settings = flow.application().functions[f];
    findings.push_back({Severity::warning, "unreachable", std::string(kTemplateFile),
                        settings.template_line,
                        "function " + settings.name() +
                            " is never invoked: no path of edges leads to it from the entry, " +
                            flow.application().entry});
  }
}

std::vector<Finding> check_application(const Application& application) {
  std::vector<Finding> findings = application.findings;
  const bool loaded = !has_errors(findings);
  if (!application.functions.empty()) {
    const Flow flow(application);
    // What could not be read would be an unknown target everywhere; its own error says enough.
    if (loaded) check_references(flow, findings);
    if (!has_errors(findings)) {
      check_reachable(flow, findings);
      check_loops(flow, findings);
      // Where a loop has no names of its own, its instances are not what they would be.
      if (!has_errors(findings)) check_samples(flow, findings);
    }
  }
  sort_findings(findings);
  return findings;
}

}  // namespace unum
