// A session's instances as a graph: which were made from which, by the application's edges and what
// is stored.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "application/application.hpp"
#include "hosts/session_items.hpp"
#include "unum/json.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum {

struct SessionGraph {
  /// Of every instance that the entry leads to: the instances that are made from it, which need not
  /// have an item.
  std::map<std::string, std::vector<std::string>, std::less<>> next;
  /// Those whose outcome is damaged or does not fit the edges: more may follow them.
  std::set<std::string, std::less<>> unreadable;
  /// Those without a checkpoint at which a chain of such ones was given up: more may follow them.
  std::set<std::string, std::less<>> given_up;
  /// Of the instance that was asked for: its event, or the names of the results that it is made of.
  std::optional<json::Text> input;
  std::optional<std::vector<std::string>> inputs;
};

/// Follows a session from its entry. `wanted` are the aggregators that have a record of their list.
/// Where a function is not checkpointed, everything that it may invoke counts as made from it. If
/// `input_of` names an instance, its input is looked for, which reads more outcomes.
Task<SessionGraph> follow_session(Store& store, const SessionContext& context,
                                  const Application& application, const SessionItems& items,
                                  const std::set<std::string, std::less<>>& wanted,
                                  std::string input_of, Wait wait);

}  // namespace unum
