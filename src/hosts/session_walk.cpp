// Following a session level by level, as a run would.
#include "hosts/session_walk.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "hosts/blocked_fan_ins.hpp"
#include "stores/fan_in_record.hpp"
#include "unum/task_group.hpp"
#include "workflow/collectable.hpp"
#include "workflow/plan.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

// Outcomes held at once.
constexpr std::size_t kHeldMax = 64;
constexpr std::size_t kNamedMax = 10;

class Walk {
 public:
  Walk(Store& store, const SessionContext& context, const Application& application,
       const SessionItems& items, Wait wait)
      : store_(store), context_(context), application_(application), items_(items), wait_(wait) {}

  Task<SessionWalk> run() {
    expect(application_.entry);
    visit(application_.entry, {});
    if (!items_.collected.empty()) co_await visit_uncollected();
    while (!level_.empty()) {
      std::vector<At> level = std::exchange(level_, {});
      for (std::size_t begin = 0; begin < level.size(); begin += kHeldMax) {
        const std::size_t count = std::min(kHeldMax, level.size() - begin);
        co_await follow_all(std::span(level).subspan(begin, count));
      }
      if (level_.empty()) co_await follow_observers();
    }
    judge_fan_ins();
    co_return std::move(out_);
  }

 private:
  struct At {
    const FunctionIr* ir;
    Frames frames;
    std::string name;
  };
  struct FanInSeen {
    std::shared_ptr<const FanInList> list;
    std::vector<std::string> contributors;  ///< Those with an outcome and nothing else after it.
  };

  /// Who takes part in a requested fan-in if its recorded list says so.
  struct Observer {
    std::string name;
    const std::string* target;
    std::string aggregator;
  };

  const FunctionIr* ir_of(std::string_view name) const {
    const FunctionSettings* found = application_.find(name);
    return found == nullptr ? nullptr : &found->ir;
  }

  void visit(const std::string& function, Frames frames) {
    const FunctionIr* ir = ir_of(function);
    if (ir == nullptr) return;
    std::string name = instance_name(function, frames);
    if (!items_.has(name) || !seen_.insert(name).second) return;
    level_.push_back({ir, std::move(frames), std::move(name)});
  }

  /// Tombstones cut the ways from the entry.
  Task<void> visit_uncollected() {
    std::vector<std::string> names;
    std::set_difference(items_.outcomes.begin(), items_.outcomes.end(), items_.collected.begin(),
                        items_.collected.end(), std::back_inserter(names));
    const auto visit_one = [&](std::size_t i) -> Task<void> {
      const std::optional<std::string> kept =
          co_await store_.redelivery_of(context_, names[i], wait_);
      if (!kept) co_return;
      const std::optional<InstanceName> name = parse_instance_name(names[i]);
      if (name) visit(name->function, parse_redelivery(*kept, names[i]).frames);
    };
    co_await for_each_bounded(names.size(), kHeldMax, visit_one);
  }

  Task<void> follow_all(std::span<const At> chunk) {
    std::vector<Pointer> pointers;
    for (const At& at : chunk) {
      if (is_to_be_read(at)) {
        pointers.push_back(pointer(context_, at.name));
      }
    }
    std::vector<std::optional<std::string>> stored;
    if (!pointers.empty()) stored = co_await store_.get_many(context_, pointers, wait_);
    std::size_t read = 0;
    for (const At& at : chunk) {
      if (!items_.outcomes.contains(at.name)) {
        if (items_.reports.contains(at.name) && !items_.delayed.contains(at.name)) block(at);
      } else if (items_.collected.contains(at.name)) {
        continue;
      } else if (!is_to_be_read(at)) {
        follow(at, "null");
      } else if (const std::optional<std::string>& outcome = stored[read++]) {
        follow(at, *outcome);
      }
    }
  }

  bool is_to_be_read(const At& at) const {
    return items_.outcomes.contains(at.name) && !items_.collected.contains(at.name) &&
           needs_outcome(*at.ir);
  }

  void follow(const At& at, const std::string& stored) {
    try {
      const StoredOutcome outcome = StoredOutcome::read(stored, at.name);
      if (outcome.kind == StoredOutcome::Kind::collected) return;
      const bool caught = outcome.kind == StoredOutcome::Kind::caught_failure;
      const Plan plan = caught ? make_failure_plan(*at.ir, at.frames, outcome.value)
                               : make_plan(*at.ir, at.frames, outcome.value);
      go_on(at, plan);
    } catch (const Error&) {
      // Edited by somebody, or of another application: nothing is known to follow.
    }
  }

  /// It should have an outcome or a failure some time.
  void expect(const std::string& name) {
    const bool ended = items_.outcomes.contains(name) || items_.reports.contains(name);
    if (!ended || is_tried_again(name)) out_.to_come.insert(name);
  }

  bool is_tried_again(const std::string& name) const {
    return items_.delayed.contains(name) && !items_.outcomes.contains(name);
  }

  void go_on(const At& at, const Plan& plan) {
    bool went_on = items_.delayed.contains(at.name);
    bool takes_part = false;
    for (const PlannedChild& child : plan.children) {
      expect(instance_name(child.edge->target, child.frames));
    }
    for (const PlannedFanIn& planned : plan.fan_ins) {
      takes_part |= planned.list != nullptr;
      if (planned.list == nullptr && items_.wanted.contains(planned.aggregator)) {
        observers_.push_back({at.name, planned.target, planned.aggregator});
      }
    }
    if (plan.children.empty() && !takes_part) out_.ends.insert(at.name);
    for (const PlannedChild& child : plan.children) {
      went_on |= items_.has(instance_name(child.edge->target, child.frames));
      visit(child.edge->target, child.frames);
    }
    for (const PlannedFanIn& planned : plan.fan_ins) {
      went_on |= items_.has(planned.aggregator);
      if (planned.list == nullptr) continue;
      FanInSeen& fan_in = fan_ins_[planned.aggregator];
      if (fan_in.list == nullptr) fan_in.list = planned.list;
      visit(*planned.target, planned.list->frames());
    }
    if (went_on) return;
    if (!plan.children.empty()) {
      out_.stalled.insert(at.name);
      return;
    }
    for (const PlannedFanIn& planned : plan.fan_ins) {
      if (planned.list) fan_ins_[planned.aggregator].contributors.push_back(at.name);
    }
  }

  Task<void> follow_observers() {
    for (const Observer& observer : std::exchange(observers_, {})) {
      const auto [known, is_new] = recorded_.try_emplace(observer.aggregator);
      if (is_new) {
        known->second = co_await recorded_list(store_, context_, observer.aggregator, wait_);
      }
      const std::shared_ptr<const FanInList>& list = known->second;
      if (list == nullptr || !list->place_of(observer.name)) continue;
      out_.ends.erase(observer.name);
      visit(*observer.target, list->frames());
    }
  }

  void block(const At& at) {
    const auto find = [this](std::string_view name) { return ir_of(name); };
    for (BlockedFanIn& blocked : fan_ins_behind(*at.ir, at.frames, find)) {
      blocked_by_.emplace(std::move(blocked.contributor), at.name);
      FanInSeen& fan_in = fan_ins_[blocked.aggregator];
      if (fan_in.list == nullptr) fan_in.list = std::move(blocked.list);
    }
  }

  /// Those that are complete should have gone on; those that wait for a failed instance never will.
  void judge_fan_ins() {
    for (const auto& [aggregator, fan_in] : fan_ins_) {
      expect(aggregator);
      if (items_.has(aggregator)) continue;
      std::string missing;
      std::size_t count = 0;
      bool blocked = false;
      for (std::size_t place = 0; place < fan_in.list->size(); ++place) {
        const std::string name = fan_in.list->name(place);
        if (items_.outcomes.contains(name)) continue;
        const auto by = blocked_by_.find(name);
        blocked |= by != blocked_by_.end();
        if (++count > kNamedMax) continue;
        missing += (missing.empty() ? "" : ", ") + name + why(name, by);
      }
      if (count == 0) out_.stalled.insert(fan_in.contributors.begin(), fan_in.contributors.end());
      if (!blocked) continue;
      if (count > kNamedMax) missing += " and " + std::to_string(count - kNamedMax) + " more";
      out_.to_come.erase(aggregator);
      out_.blocked.emplace(aggregator, std::move(missing));
    }
  }

  std::string why(const std::string& name,
                  std::map<std::string, std::string>::const_iterator by) const {
    if (by == blocked_by_.end()) return items_.delayed.contains(name) ? " (delayed)" : " (not yet)";
    if (by->second == name) return " (failed)";
    return " (never ran, since " + by->second + " failed)";
  }

  Store& store_;
  const SessionContext& context_;
  const Application& application_;
  const SessionItems& items_;
  const Wait wait_;
  std::vector<At> level_;  // Those to be followed next.
  std::set<std::string> seen_;
  std::map<std::string, FanInSeen> fan_ins_;
  std::map<std::string, std::string> blocked_by_;
  std::vector<Observer> observers_;
  std::map<std::string, std::shared_ptr<const FanInList>> recorded_;
  SessionWalk out_;
};

}  // namespace

Task<std::shared_ptr<const FanInList>> recorded_list(Store& store, const SessionContext& context,
                                                     const std::string& aggregator, Wait wait) {
  const ItemId item{aggregator, ItemKind::wanted};
  const std::optional<std::string> stored = co_await store.get(context, item, wait);
  const std::optional<FanInRecord> record = stored ? parse_record(*stored) : std::nullopt;
  if (!record) co_return nullptr;
  co_return std::dynamic_pointer_cast<const FanInList>(FanInListReader().read(record->list));
}

bool needs_outcome(const FunctionIr& ir) {
  return ir.catches() || std::any_of(ir.edges.begin(), ir.edges.end(), [](const Edge& edge) {
           return edge.input_type == InputType::map ||
                  (edge.conditional && edge.conditional->uses_result());
         });
}

Task<SessionWalk> walk_session(Store& store, const SessionContext& context,
                               const Application& application, const SessionItems& items,
                               Wait wait) {
  Walk walk(store, context, application, items, wait);
  co_return co_await walk.run();
}

}  // namespace unum
