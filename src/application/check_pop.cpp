// A missing Pop: seen from the texts alone, whatever the lengths of the lists.
#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "application/check_rules.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

/// Whether an index after the modifiers depends on the index at level 0 before them.
bool keeps_own_index(const std::vector<Modifier>& modifiers, std::size_t depth) {
  std::vector<bool> from_level0(depth, false);
  if (depth > 0) from_level0[0] = true;
  for (const Modifier& modifier : modifiers) {
    switch (modifier.kind()) {
      case Modifier::Kind::push: from_level0.insert(from_level0.begin(), false); break;
      case Modifier::Kind::pop:
        if (!from_level0.empty()) from_level0.erase(from_level0.begin());
        break;
      case Modifier::Kind::set_index: {
        if (modifier.level() >= from_level0.size()) break;
        bool depends = false;
        for (std::size_t k = 0; k < from_level0.size() && k < 64; ++k) {
          depends = depends || (from_level0[k] && (modifier.value()->index_levels() >> k & 1) != 0);
        }
        from_level0[modifier.level()] = depends;
        break;
      }
      case Modifier::Kind::set_size: break;
    }
  }
  return std::find(from_level0.begin(), from_level0.end(), true) != from_level0.end();
}

/// The first aggregator that branches of that depth would name.
std::string example(const Edge& edge, std::size_t depth) {
  Frames frames(depth, Frame{FrameType::map, 0, 2});
  try {
    for (const Modifier& modifier : edge.modifiers) modifier.apply(frames);
  } catch (const Error&) {
    return edge.target;  // Another rule's finding.
  }
  return instance_name(edge.target, frames);
}

}  // namespace

void check_pops(const Flow& flow, std::vector<Finding>& findings) {
  for (std::size_t f = 0; f < flow.size(); ++f) {
    const FunctionIr& ir = flow.ir(f);
    std::set<std::size_t> depths;
    for (const Shape& shape : flow.shapes(f)) depths.insert(shape.size());
    for (std::size_t e = 0; e < ir.edges.size(); ++e) {
      const Edge& edge = ir.edges[e];
      if (edge.input_type != InputType::fan_in || Flow::is_dead(edge)) continue;
      if (edge.own_modifiers && edge.modifiers.empty()) continue;  // Written out: it is meant.
      if (std::any_of(edge.values.begin(), edge.values.end(),
                      [](const ValuesPattern& p) { return p.uses_level0_index(); })) {
        continue;
      }
      const auto depth = std::find_if(depths.begin(), depths.end(), [&](std::size_t d) {
        return keeps_own_index(edge.modifiers, d);
      });
      if (depth == depths.end()) continue;
      findings.push_back(edge_finding(
          flow, f, e, Severity::error, "missing-pop",
          "every branch of " + ir.name + " would fan in to an aggregator of its own (" +
              example(edge, *depth) +
              ", ...), though their Values are one list. Add \"Payload Modifiers\": [\"Pop\"] to "
              "the edge for one aggregator, or \"Payload Modifiers\": [] if each branch is meant "
              "to have its own"));
    }
  }
}

}  // namespace unum
