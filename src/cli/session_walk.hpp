// What should follow in a session, from its application's edges and what is stored: who has an
// outcome that nobody went on from, and which aggregators a failure keeps from starting.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "application/application.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum::cli {

/// Which instances of the session have an item of these kinds.
struct SessionItems {
  std::set<std::string, std::less<>> outcomes;
  std::set<std::string, std::less<>> collected;  ///< Outcomes that are tombstones: all is done.
  std::set<std::string, std::less<>> reports;
  std::set<std::string, std::less<>> delayed;

  bool has(const std::string& instance) const {
    return outcomes.contains(instance) || reports.contains(instance) || delayed.contains(instance);
  }
};

struct SessionWalk {
  /// They have an outcome from which something should follow, nothing that follows has an item, and
  /// nothing of theirs is delayed. In a session that is being run they may just not be so far.
  std::set<std::string> stalled;
  /// Aggregators that will never start as things are, and for whom they wait, for people.
  std::map<std::string, std::string> blocked;
};

/// Follows the session from its entry, and from outcomes that are not collected if some are.
/// Outcomes are read, in chunks, where what follows depends on them.
Task<SessionWalk> walk_session(Store& store, const SessionContext& context,
                               const Application& application, const SessionItems& items);

}  // namespace unum::cli
