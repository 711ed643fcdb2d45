// Following a session along its edges, level by level.
#include "hosts/session_graph.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "hosts/session_walk.hpp"
#include "workflow/fan_in_list.hpp"
#include "workflow/plan.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

// Outcomes held at once.
constexpr std::size_t kHeldMax = 64;
// Instances in a row of which nothing is stored; a loop of them has no end that could be seen.
constexpr std::size_t kUnstoredMax = 256;

class GraphWalk {
 public:
  GraphWalk(Store& store, const SessionContext& context, const Application& application,
            const SessionItems& items, const std::set<std::string, std::less<>>& wanted,
            std::string input_of, Wait wait)
      : store_(store),
        context_(context),
        application_(application),
        items_(items),
        wanted_(wanted),
        input_of_(std::move(input_of)),
        wait_(wait) {}

  Task<SessionGraph> run() {
    visit(nullptr, application_.entry, {});
    while (!level_.empty()) {
      const std::vector<At> level = std::exchange(level_, {});
      for (std::size_t begin = 0; begin < level.size(); begin += kHeldMax) {
        const std::size_t count = std::min(kHeldMax, level.size() - begin);
        co_await follow_all(std::span(level).subspan(begin, count));
        co_await follow_observers();
      }
    }
    co_return std::move(graph_);
  }

 private:
  struct At {
    const FunctionIr* ir;
    Frames frames;
    std::string name;
    std::size_t unstored = 0;  ///< So many in a row, this one included, have no item.
  };
  struct Observer {
    std::string from;
    const std::string* target;
    std::string aggregator;
  };

  void visit(const At* from, const std::string& function, Frames frames) {
    const FunctionSettings* const settings = application_.find(function);
    if (settings == nullptr) return;
    std::string name = instance_name(function, frames);
    if (from != nullptr) graph_.next[from->name].push_back(name);
    if (!graph_.next.try_emplace(name).second) return;
    const std::size_t before = from == nullptr ? 0 : from->unstored;
    const std::size_t unstored = items_.has(name) ? 0 : before + 1;
    level_.push_back({&settings->ir, std::move(frames), std::move(name), unstored});
  }

  bool is_to_be_read(const At& at) const {
    return items_.outcomes.contains(at.name) && (!input_of_.empty() || needs_outcome(*at.ir));
  }

  Task<void> follow_all(std::span<const At> chunk) {
    std::vector<Pointer> pointers;
    for (const At& at : chunk) {
      if (is_to_be_read(at)) pointers.push_back(pointer(context_, at.name));
    }
    std::vector<std::optional<std::string>> stored;
    if (!pointers.empty()) stored = co_await store_.get_many(context_, pointers, wait_);
    std::size_t read = 0;
    for (const At& at : chunk) {
      if (!items_.outcomes.contains(at.name)) {
        if (at.ir->checkpoint == false) follow_unstored(at);
      } else if (!is_to_be_read(at)) {
        follow(at, "null");
      } else if (const std::optional<std::string>& outcome = stored[read++]) {
        follow(at, *outcome);
      }
    }
  }

  void follow(const At& at, const std::string& stored) {
    try {
      const StoredOutcome outcome = StoredOutcome::read(stored, at.name);
      if (outcome.kind == StoredOutcome::Kind::collected) return;
      const bool caught = outcome.kind == StoredOutcome::Kind::caught_failure;
      go_on(at, caught ? make_failure_plan(*at.ir, at.frames, outcome.value)
                       : make_plan(*at.ir, at.frames, outcome.value));
    } catch (const Error&) {
      graph_.unreadable.insert(at.name);
    }
  }

  void go_on(const At& at, const Plan& plan) {
    for (const PlannedChild& child : plan.children) {
      if (!input_of_.empty() && instance_name(child.edge->target, child.frames) == input_of_) {
        graph_.input = json::Text(child.value);
      }
      visit(&at, child.edge->target, child.frames);
    }
    for (const PlannedFanIn& planned : plan.fan_ins) {
      if (planned.list != nullptr) {
        take_part(at, *planned.target, *planned.list);
      } else if (wanted_.contains(planned.aggregator)) {
        observers_.push_back({at.name, planned.target, planned.aggregator});
      }
    }
  }

  void take_part(const At& at, const std::string& target, const FanInList& list) {
    if (!input_of_.empty() && instance_name(target, list.frames()) == input_of_) {
      graph_.inputs = list.names().names();
    }
    visit(&at, target, list.frames());
  }

  /// Whether they take part is told by the list that is recorded.
  Task<void> follow_observers() {
    for (const Observer& observer : std::exchange(observers_, {})) {
      const auto [known, is_new] = lists_.try_emplace(observer.aggregator);
      if (is_new) {
        known->second = co_await recorded_list(store_, context_, observer.aggregator, wait_);
      }
      const std::shared_ptr<const FanInList>& list = known->second;
      if (list == nullptr || !list->place_of(observer.from)) continue;
      take_part({nullptr, {}, observer.from}, *observer.target, *list);
    }
  }

  /// A function that is not checkpointed has plain edges alone. Which of them it took is not known.
  void follow_unstored(const At& at) {
    if (at.unstored >= kUnstoredMax) {
      graph_.given_up.insert(at.name);
      return;
    }
    for (const Edge& edge : at.ir->edges) {
      if (edge.input_type != InputType::scalar) continue;
      try {
        visit(&at, edge.target, modified(at.frames, edge.modifiers));
      } catch (const Error&) {
        // An edge that these frames cannot take.
      }
    }
  }

  Store& store_;
  const SessionContext& context_;
  const Application& application_;
  const SessionItems& items_;
  const std::set<std::string, std::less<>>& wanted_;
  const std::string input_of_;
  const Wait wait_;
  std::vector<At> level_;  ///< Those to be followed next.
  std::vector<Observer> observers_;
  std::map<std::string, std::shared_ptr<const FanInList>> lists_;  ///< Recorded ones.
  SessionGraph graph_;
};

}  // namespace

Task<SessionGraph> follow_session(Store& store, const SessionContext& context,
                                  const Application& application, const SessionItems& items,
                                  const std::set<std::string, std::less<>>& wanted,
                                  std::string input_of, Wait wait) {
  GraphWalk walk(store, context, application, items, wanted, std::move(input_of), wait);
  co_return co_await walk.run();
}

}  // namespace unum
