// The order of the checks.
#include "application/check.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "application/check_rules.hpp"

namespace unum {

Finding edge_finding(const Flow& flow, std::size_t function, std::size_t edge, Severity severity,
                     std::string_view rule, std::string message) {
  const FunctionIr& ir = flow.ir(function);
  const std::size_t line = edge < ir.edges.size() ? ir.edges[edge].line : ir.line;
  return {severity, std::string(rule), ir.source, line, std::move(message)};
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
      if (!has_errors(findings)) {
        check_pops(flow, findings);
        check_samples(flow, findings);
      }
    }
  }
  sort_findings(findings);
  return findings;
}

}  // namespace unum
