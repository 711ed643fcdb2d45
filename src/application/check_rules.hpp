// The parts of `unum check`, each in its own file. Private to the application layer.
#pragma once

#include <vector>

#include "application/finding.hpp"
#include "application/flow.hpp"

namespace unum {

/// Unknown targets and names; contributors without an edge; lists that never name their own
/// function.
void check_references(const Flow& flow, std::vector<Finding>& findings);

/// Functions that no path of edges reaches.
void check_reachable(const Flow& flow, std::vector<Finding>& findings);

/// Loops that come back to the same instance, or that change an index which is not theirs.
void check_loops(const Flow& flow, std::vector<Finding>& findings);

/// Lists that do not depend on the branch, for aggregators whose names do.
void check_pops(const Flow& flow, std::vector<Finding>& findings);

/// Small runs of the workflow without its code: fan-ins and second ways in.
void check_samples(const Flow& flow, std::vector<Finding>& findings);

/// A finding about an edge.
Finding edge_finding(const Flow& flow, std::size_t function, std::size_t edge, Severity severity,
                     std::string_view rule, std::string message);

}  // namespace unum
