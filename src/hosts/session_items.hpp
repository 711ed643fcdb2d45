// Which instances of a session have an item of which kind.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "unum/store.hpp"

namespace unum {

struct SessionItems {
  std::set<std::string, std::less<>> outcomes;
  std::set<std::string, std::less<>> collected;  ///< Outcomes that are tombstones: all is done.
  std::set<std::string, std::less<>> reports;
  std::set<std::string, std::less<>> delayed;
  std::set<std::string, std::less<>> wanted;  ///< Aggregators that have a record of their list.

  bool has(const std::string& instance) const {
    return outcomes.contains(instance) || reports.contains(instance) || delayed.contains(instance);
  }
};

/// Without `collected`, which only the values tell.
SessionItems items_by_kind(const std::vector<ListedItem>& items);

/// Throws `invalid`, code "Unum.UnknownSession", if there is nothing.
void refuse_unknown_session(const Store& store, const SessionContext& context,
                            const std::vector<ListedItem>& items);

}  // namespace unum
