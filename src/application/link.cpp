// See link.hpp and unum/application.hpp.
#include "application/link.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "application/empty_maps.hpp"
#include "application/flow.hpp"
#include "application/readers.hpp"
#include "unum/application.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

/// Whether an edge may not be taken.
bool is_conditional(const FunctionIr& function, const Edge& edge) {
  if (edge.conditional && edge.conditional->constant() != true) return true;
  if (!edge.exclusive) return false;
  const auto first = std::find_if(function.edges.begin(), function.edges.end(),
                                  [](const Edge& other) { return other.exclusive; });
  return &*first != &edge;
}

/// Who can ask for a fan-in into one function.
struct Target {
  std::set<std::string> contributors;  ///< Functions with a fan-in edge to it.
  bool has_conditional = false;        ///< One of these edges has a condition.
  bool has_rest = false;  ///< An empty map stands in for it with a list that names somebody.
};

std::map<std::string, Target, std::less<>> fan_in_targets(const Application& application) {
  std::map<std::string, Target, std::less<>> targets;
  for (const FunctionSettings& function : application.functions) {
    for (const Edge& edge : function.ir.edges) {
      if (edge.on_empty && !edge.on_empty->values.empty()) {
        targets[edge.on_empty->name].has_rest = true;
      }
      if (edge.input_type != InputType::fan_in) continue;
      Target& target = targets[edge.target];
      target.contributors.insert(function.name());
      target.has_conditional |= is_conditional(function.ir, edge);
    }
  }
  return targets;
}

/// Whether an instance that has what an edge leads into also has it for each of its siblings, as
/// far as the edge alone tells.
bool keeps_siblings(const FunctionIr& from, const Edge& edge) {
  if (edge.input_type == InputType::map) return true;  // they come with the frame
  const bool is_chain = edge.input_type == InputType::scalar &&
                        !Flow::pushes_parallel(from, edge) && edge.modifiers.empty() &&
                        !is_conditional(from, edge);
  // An instance whose failure is caught goes another way.
  return is_chain && !from.catches();
}

/// A function has all siblings if all edges into it keep them and come from functions that have
/// them, or push the map's frame.
void find_siblings(Application& application) {
  std::map<std::string_view, std::vector<std::string_view>> follow_in_a_chain;
  std::set<std::string_view> without;
  std::vector<std::string_view> queue;
  const auto exclude = [&](std::string_view name) {
    if (without.insert(name).second) queue.push_back(name);
  };
  if (!application.entry.empty()) exclude(application.entry);
  for (const FunctionSettings& function : application.functions) {
    for (const Edge& edge : function.ir.edges) {
      if (!keeps_siblings(function.ir, edge)) exclude(edge.target);
      if (edge.on_empty) exclude(edge.on_empty->name);
      if (edge.input_type == InputType::scalar) {
        follow_in_a_chain[function.ir.name].push_back(edge.target);
      }
    }
  }
  while (!queue.empty()) {
    const std::string_view name = queue.back();
    queue.pop_back();
    for (const std::string_view target : follow_in_a_chain[name]) exclude(target);
  }
  for (FunctionSettings& function : application.functions) {
    function.ir.siblings_exist = !without.contains(function.ir.name);
  }
}

}  // namespace

void mark_named_in_values(Application& application) {
  std::set<std::string_view> named;
  for (const FunctionSettings& function : application.functions) {
    for (const Edge& edge : function.ir.edges) {
      for (const ValuesPattern& pattern : edge.values) named.insert(pattern.function());
    }
  }
  for (FunctionSettings& function : application.functions) {
    function.ir.named_in_values = named.contains(function.ir.name);
  }
}

void link(Application& application) {
  mark_named_in_values(application);
  derive_on_empty(application);
  find_siblings(application);
  const auto targets = fan_in_targets(application);
  for (FunctionSettings& function : application.functions) {
    function.ir.linked = true;
    for (Edge& edge : function.ir.edges) {
      if (edge.input_type != InputType::fan_in) continue;
      const Target& target = targets.find(edge.target)->second;
      edge.unconditional_everywhere = !target.has_conditional;
      edge.requested_elsewhere = target.contributors.size() > 1 || target.has_rest;
    }
  }
  find_readers(application);
}

std::vector<Function> link_functions(std::vector<Function> functions) {
  if (std::all_of(functions.begin(), functions.end(),
                  [](const Function& function) { return function.is_linked(); })) {
    return functions;
  }
  Application application;
  std::map<std::string, std::size_t, std::less<>> places;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const FunctionIr& ir = functions[i].ir();
    if (!places.emplace(ir.name, i).second) {
      throw Error(ErrorKind::invalid, "ir", "Unum.Function",
                  "function " + ir.name + " is given twice; each function of a workflow once");
    }
    if (!ir.start) continue;
    if (!application.entry.empty()) {
      throw Error(ErrorKind::invalid, "ir", "Unum.Function",
                  "both " + application.entry + " and " + ir.name +
                      " are entry functions; one function of a workflow must be");
    }
    application.entry = ir.name;
  }
  if (application.entry.empty()) {
    throw Error(ErrorKind::invalid, "ir", "Unum.Function",
                "no function is an entry (\"Start\": true); one of a workflow must be");
  }
  for (const auto& [name, place] : places) {  // sorted, as an application's functions are
    FunctionSettings settings;
    settings.ir = functions[place].ir();
    application.functions.push_back(std::move(settings));
  }
  link(application);
  for (FunctionSettings& settings : application.functions) {
    const std::size_t place = places.find(settings.ir.name)->second;
    functions[place] = Function(std::move(settings.ir));
  }
  return functions;
}

}  // namespace unum
