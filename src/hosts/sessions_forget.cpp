// Taking a result back, with all that was made from it.
//
// The instances behind it are found from what is stored (session_graph.hpp) and removed level by
// level, those made last first. So the outcomes that stand are always closed: none without those it
// was made from. A run that comes in the middle derives everything from what stands, and a second
// call finds what is left, since it is reached over outcomes that stand. Fan-ins: a claim or a
// record of a list goes with its aggregator's outcome, before any contributor; whoever takes part
// writes it again. What some stores know of contributors besides is only knowledge, which they
// check before they claim. Why so: docs/decisions/0025-sessions.md.
#include <algorithm>
#include <map>
#include <utility>

#include "application/application.hpp"
#include "hosts/session_graph.hpp"
#include "hosts/session_items.hpp"
#include "runtime/session_owner.hpp"
#include "unum/sessions.hpp"
#include "workflow/frames.hpp"

namespace unum {
namespace {

[[noreturn]] void refuse(std::string code, std::string message) {
  throw Error(ErrorKind::invalid, "host", std::move(code), std::move(message));
}

/// Of each instance what can be forgotten.
using ItemsOf = std::map<std::string, std::vector<ItemId>, std::less<>>;

/// Whether it is of an instance that ran, or was to.
bool tells_state(const ItemId& item) {
  return item.kind == ItemKind::outcome || item.kind == ItemKind::report ||
         item.kind == ItemKind::delayed;
}

class Forgetting {
 public:
  Forgetting(Store& store, std::string_view session, std::string_view instance,
             const CheckedApplication& application, ForgetOptions options, Wait wait)
      : store_(store),
        context_(session_context(session)),
        instance_(instance),
        checked_(application),
        application_(details_of(application)),
        options_(options),
        wait_(wait) {}

  Task<std::vector<std::string>> run() {
    listed_ = co_await store_.list(context_, wait_);
    refuse_unknown_session(store_, context_, listed_);
    co_await refuse_other_application();
    sort_items();
    refuse_unknown_instance();
    co_await refuse_collected();
    const SessionItems items = items_by_kind(listed_);
    graph_ = co_await follow_session(store_, context_, application_, items, wanted_, {}, wait_);
    std::vector<std::vector<std::string>> levels = levels_behind();
    if (instance_ == application_.entry) {
      levels.push_back(not_reached());
    } else {
      refuse_not_followed(levels);
    }
    std::vector<std::string> forgotten;
    for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
      co_await remove(*level, forgotten);
    }
    co_return forgotten;
  }

 private:
  Task<void> refuse_other_application() {
    bool has_owner = false;
    for (const ListedItem& item : listed_) {
      const bool begins = item.id.kind == ItemKind::input || item.id.kind == ItemKind::application;
      has_owner |= item.id.kind == ItemKind::application;
      if (!begins || item.id.name == application_.entry) continue;
      refuse("Unum.OtherApplication", "session " + context_.session() +
                                          " belongs to an application whose entry is " +
                                          item.id.name + ", not to " + application_.name +
                                          ", which begins with " + application_.entry);
    }
    if (!has_owner) co_return;
    const ItemId item{application_.entry, ItemKind::application};
    std::optional<std::string> stored = co_await store_.get(context_, item, wait_);
    const ApplicationIdentity identity = checked_.identity();
    if (stored) {
      co_await refuse_others(store_, context_, std::move(*stored), identity, wait_);
    }
  }

  void sort_items() {
    for (const ListedItem& item : listed_) {
      const bool begins = item.id.kind == ItemKind::input || item.id.kind == ItemKind::application;
      if (!begins) items_[item.id.name].push_back(item.id);
      if (item.id.kind == ItemKind::wanted) wanted_.insert(item.id.name);
    }
  }

  void refuse_unknown_instance() const {
    const auto found = items_.find(instance_);
    const bool known = found != items_.end() &&
                       std::any_of(found->second.begin(), found->second.end(), tells_state);
    if (known) return;
    refuse("Unum.UnknownInstance", "session " + context_.session() +
                                       " has no result, failure or delayed attempt of " +
                                       instance_ + " that could be forgotten");
  }

  /// The inputs of what would be computed again may be gone, and so may what was made from it.
  Task<void> refuse_collected() {
    bool collected = std::any_of(listed_.begin(), listed_.end(), [](const ListedItem& item) {
      return item.id.kind == ItemKind::garbage;
    });
    if (!collected) {
      const ItemId entry{application_.entry, ItemKind::outcome};
      const std::optional<std::string> outcome = co_await store_.get(context_, entry, wait_);
      collected = outcome == kTombstone;
    }
    if (!collected) {
      const auto beside = co_await store_.redelivery_of(context_, application_.entry, wait_);
      collected = beside.has_value();
    }
    if (!collected) co_return;
    refuse("Unum.Collected",
           "session " + context_.session() + " is garbage-collected (GC): results that " +
               instance_ +
               " is computed from may be gone, so nothing of it can be forgotten; run the "
               "application in a new session");
  }

  /// The instance and those behind it, each level before those that are made from it.
  std::vector<std::vector<std::string>> levels_behind() const {
    if (!graph_.next.contains(instance_)) {
      // Of the entry everything goes in any case.
      refuse("Unum.NotFollowed", "application " + application_.name + " does not lead to " +
                                     instance_ + " in session " + context_.session() +
                                     ", so what was made from it is not known");
    }
    std::map<std::string, std::size_t> ways_in{{instance_, 0}};
    std::vector<std::string> found{instance_};
    for (std::size_t at = 0; at < found.size(); ++at) {
      const std::string name = found[at];
      for (const std::string& next : graph_.next.at(name)) {
        const auto [known, is_new] = ways_in.try_emplace(next, 0);
        ++known->second;
        if (is_new) found.push_back(next);
      }
    }
    std::vector<std::vector<std::string>> levels{{instance_}};
    std::size_t placed = 1;
    while (!levels.back().empty()) {
      std::vector<std::string> level;
      for (const std::string& name : levels.back()) {
        for (const std::string& next : graph_.next.at(name)) {
          if (--ways_in.at(next) == 0) level.push_back(next);
        }
      }
      placed += level.size();
      levels.push_back(std::move(level));
    }
    if (placed == found.size()) return levels;
    refuse("Unum.NotFollowed", "instances of session " + context_.session() + " behind " +
                                   instance_ + " are made from each other in a circle");
  }

  std::vector<std::string> not_reached() const {
    std::vector<std::string> names;
    for (const auto& [name, items] : items_) {
      if (!graph_.next.contains(name)) names.push_back(name);
    }
    return names;
  }

  void refuse_not_followed(const std::vector<std::vector<std::string>>& levels) const {
    for (const std::vector<std::string>& level : levels) {
      for (const std::string& name : level) {
        if (graph_.unreadable.contains(name)) {
          refuse("Unum.NotFollowed", "the outcome of " + name + " in session " +
                                         context_.session() +
                                         " is damaged or does not fit the application, so what was "
                                         "made from it is not known; forget " +
                                         application_.entry + ", the entry, to begin anew");
        }
        if (graph_.given_up.contains(name)) refuse_hidden(name);
      }
    }
  }

  /// Behind a long chain without checkpoints only what was not reached may be hidden.
  void refuse_hidden(const std::string& name) const {
    std::set<std::string, std::less<>> functions;
    std::vector<std::string> to_follow{parse_instance_name(name)->function};
    while (!to_follow.empty()) {
      const std::string function = std::move(to_follow.back());
      to_follow.pop_back();
      const FunctionSettings* const settings = application_.find(function);
      if (settings == nullptr || !functions.insert(function).second) continue;
      for (const Edge& edge : settings->ir.edges) to_follow.push_back(edge.target);
    }
    for (const std::string& hidden : not_reached()) {
      const std::optional<InstanceName> parsed = parse_instance_name(hidden);
      if (!parsed || !functions.contains(parsed->function)) continue;
      refuse("Unum.NotFollowed", hidden + " may have been made from " + instance_ + " over " +
                                     name + ", of which nothing is stored; forget " +
                                     application_.entry + ", the entry, to begin anew");
    }
  }

  /// The record of a list last: who only observes is known by it to have taken part.
  Task<void> remove(const std::vector<std::string>& level, std::vector<std::string>& forgotten) {
    std::vector<ItemId> items;
    std::vector<ItemId> records;
    for (const std::string& name : level) {
      const auto found = items_.find(name);
      if (found == items_.end()) continue;
      forgotten.push_back(name);
      for (const ItemId& item : found->second) {
        // The instance's own fan-in has happened, and is not made from it.
        const bool is_own_fan_in = item.kind == ItemKind::claim || item.kind == ItemKind::wanted;
        if (name == instance_ && is_own_fan_in) continue;
        (item.kind == ItemKind::wanted ? records : items).push_back(item);
      }
    }
    if (options_.dry_run) co_return;
    if (!items.empty()) co_await store_.remove(context_, items, wait_);
    if (!records.empty()) co_await store_.remove(context_, records, wait_);
  }

  Store& store_;
  const SessionContext context_;
  const std::string instance_;
  const CheckedApplication& checked_;
  const Application& application_;
  const ForgetOptions options_;
  const Wait wait_;
  std::vector<ListedItem> listed_;
  ItemsOf items_;
  std::set<std::string, std::less<>> wanted_;
  SessionGraph graph_;
};

}  // namespace

Task<std::vector<std::string>> forget_instance(Store& store, std::string_view session,
                                               std::string_view instance,
                                               const CheckedApplication& application,
                                               const ForgetOptions& options, Wait wait) {
  Forgetting forgetting(store, session, instance, application, options, wait);
  co_return co_await forgetting.run();
}

}  // namespace unum
