// What should follow in a session, from its application's edges and what is stored: who has an
// outcome that nobody went on from, and which aggregators a failure keeps from starting.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "application/application.hpp"
#include "hosts/session_items.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"
#include "workflow/fan_in_list.hpp"

namespace unum {

struct SessionWalk {
  /// They have an outcome from which something should follow, nothing that follows has an item, and
  /// nothing of theirs is delayed. In a session that is being run they may just not be so far.
  std::set<std::string> stalled;
  /// Aggregators that will never start as things are, and for whom they wait, for people.
  std::map<std::string, std::string> blocked;
  /// They should follow, or be tried again, and have neither an outcome nor a failure so far.
  std::set<std::string> to_come;
  /// They have an outcome from which nothing follows, and are in no fan-in that took place.
  std::set<std::string> ends;
};

/// The list that a requested fan-in was recorded with; null if there is none that can be read.
Task<std::shared_ptr<const FanInList>> recorded_list(Store& store, const SessionContext& context,
                                                     const std::string& aggregator, Wait wait);

/// Whether what follows from an outcome depends on more than that it is there.
bool needs_outcome(const FunctionIr& ir);

/// Follows the session from its entry, and from outcomes that are not collected if some are.
/// Outcomes are read, in chunks, where what follows depends on them.
Task<SessionWalk> walk_session(Store& store, const SessionContext& context,
                               const Application& application, const SessionItems& items,
                               Wait wait);

}  // namespace unum
