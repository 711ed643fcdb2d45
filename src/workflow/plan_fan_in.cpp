// Which fan-ins an instance takes part in: its own, and those of others whose `Values` name it.
//
// A conditional says whose fan-in it is, not who may take part. Where all contributors can know by
// themselves that a fan-in is to happen, and over which list, they are its contributors. Where one
// cannot (a conditional depends on `$ret`; another function or another row, whose width nobody else
// knows, is named) an eligible instance requests it with its list, and the others observe: they
// look whether an aggregator that may concern them was requested. Only the recorded list counts.
//
// A row is all instances of a function that have the same outer indexes.
#include <algorithm>

#include "base/limits.hpp"
#include "unum/error.hpp"
#include "workflow/plan.hpp"

namespace unum {
namespace {

std::uint64_t bit(std::size_t level) { return level < 64 ? std::uint64_t{1} << level : 0; }

class FanInPlanner {
 public:
  FanInPlanner(const FunctionIr& function, const Edge& edge, const Frames& frames, Plan& plan)
      : function_(function),
        edge_(edge),
        frames_(frames),
        plan_(plan),
        sources_(frame_sources(edge.modifiers, frames.size())) {
    own_name_.function = function.name;
    for (const Frame& frame : frames) own_name_.indexes.push_back(frame.index);
    for (const Edge& other : function.edges) {
      if (&other == &edge) break;
      if (edge.exclusive && other.exclusive) earlier_.push_back(&other);
    }
    by_result_ = uses_result(edge) || std::any_of(earlier_.begin(), earlier_.end(),
                                                  [](const Edge* e) { return uses_result(*e); });
    // An instance of a loop knows the rounds before it, one of a map its siblings if none of them
    // may be left out; functions of parallel branches are no siblings.
    siblings_known_ = frames.empty() || frames.front().type == FrameType::loop ||
                      (frames.front().type == FrameType::map && function.siblings_exist);
    varies_ = !frames.empty() &&
              ((sources_.indexes & 1u) != 0 ||
               std::any_of(edge.values.begin(), edge.values.end(),
                           [](const ValuesPattern& p) { return p.uses_level0_index(); }));
    crosses_rows_ = std::any_of(
        edge.values.begin(), edge.values.end(),
        [&](const ValuesPattern& p) { return p.may_cross_rows(function.name, frames.size()); });
  }

  void run(bool own_true) {
    if (own_true) add_own();
    const bool foreseeable = !by_result_ && siblings_known_;
    if (varies_) {
      add_siblings(foreseeable);
    } else if (!own_true && foreseeable && some_sibling_is_eligible()) {
      add_if_named(frames_);  // the one fan-in that all siblings share
    }
    if (!own_true && (!foreseeable || crosses_rows_ || edge_.requested_elsewhere)) {
      observe_if_any(frames_);
    }
    if (crosses_rows_) add_rows();
  }

 private:
  /// The list as an instance of this function with `frames` has it.
  NameList list_of(const Frames& frames) const {
    NameList list;
    for (const ValuesPattern& pattern : edge_.values) pattern.expand(frames, list);
    return list;
  }

  void add_own() {
    NameList list = list_of(frames_);
    const auto place = list.place_of(own_name_);
    if (!place) {
      throw Error(ErrorKind::invalid, "runtime", "Unum.NoSlot",
                  "function " + function_.name + ", the fan-in edge to " + edge_.target +
                      ": \"Values\" is " + list.summary() +
                      ", which does not name this instance, " +
                      instance_name(function_.name, frames_) +
                      "; every contributor must be named in its own list");
    }
    const FanInRole role = is_requested(list) ? FanInRole::requester : FanInRole::contributor;
    add(modified(frames_, edge_.modifiers), std::move(list), *place, role);
  }

  void add_siblings(bool foreseeable) {
    for (const IndexRange& range : siblings_that_name_me()) {
      for (std::int64_t index = range.begin; index < range.end; ++index) {
        if (index == frames_.front().index) continue;
        Frames sibling = frames_;
        sibling.front().index = index;
        if (!foreseeable) {
          observe_if_any(sibling);
        } else if (is_eligible(sibling)) {
          add_if_named(sibling);
        }
      }
    }
  }

  /// Ranges of level-0 indexes whose lists may name this instance; all of them where that cannot be
  /// solved.
  std::vector<IndexRange> siblings_that_name_me() const {
    const std::int64_t size = std::min(sibling_limit(frames_), kFanOutMax);
    std::vector<IndexRange> all;
    for (const ValuesPattern& pattern : edge_.values) {
      const auto ranges = pattern.siblings_naming(own_name_, frames_);
      if (!ranges) return {{0, size}};
      all.insert(all.end(), ranges->begin(), ranges->end());
    }
    std::sort(all.begin(), all.end(),
              [](const IndexRange& a, const IndexRange& b) { return a.begin < b.begin; });
    std::vector<IndexRange> merged;
    for (const IndexRange& range : all) {
      if (!merged.empty() && range.begin <= merged.back().end) {
        merged.back().end = std::max(merged.back().end, range.end);
      } else {
        merged.push_back(range);
      }
    }
    return merged;
  }

  static bool uses_result(const Edge& edge) {
    return edge.conditional && edge.conditional->uses_result();
  }

  bool is_conditional() const { return edge_.conditional || !earlier_.empty(); }

  bool is_eligible(const Frames& sibling) const {
    const Scope scope{sibling, {}};
    const auto is_true = [&](const Edge& edge) {
      return !edge.conditional || edge.conditional->is_true(scope);
    };
    try {
      return std::none_of(earlier_.begin(), earlier_.end(),
                          [&](const Edge* edge) { return is_true(*edge); }) &&
             is_true(edge_);
    } catch (const Error&) {
      return false;  // its own step fails with that error, so it has no fan-in
    }
  }

  /// Whether a sibling that the common list names is eligible; one that it does not name fails.
  bool some_sibling_is_eligible() const {
    if (frames_.empty()) return false;
    std::optional<std::vector<IndexRange>> ranges;
    if (earlier_.empty()) ranges = edge_.conditional->true_indexes({frames_, {}});
    const std::int64_t limit = sibling_limit(frames_);
    try {
      const NameList list = list_of(frames_);
      return std::any_of(list.runs().begin(), list.runs().end(), [&](const NameList::Run& run) {
        if (run.first.function != own_name_.function ||
            run.first.indexes.size() != own_name_.indexes.size() || differing_levels(run) != 0) {
          return false;
        }
        const std::int64_t begin = run.first.indexes.front();
        return some_is_eligible({begin, std::min(limit, begin + run.length)}, ranges);
      });
    } catch (const Error&) {
      return false;  // no sibling has a list
    }
  }

  /// Whether a sibling with one of these indexes is eligible, `known` being the eligible ones where
  /// that can be told.
  bool some_is_eligible(const IndexRange& indexes,
                        const std::optional<std::vector<IndexRange>>& known) const {
    if (known) {
      return std::any_of(known->begin(), known->end(), [&](const IndexRange& range) {
        return range.begin < indexes.end && indexes.begin < range.end;
      });
    }
    Frames sibling = frames_;
    for (std::int64_t index = indexes.begin; index < indexes.end; ++index) {
      sibling.front().index = index;
      if (is_eligible(sibling)) return true;
    }
    return false;
  }

  /// The fan-in of this instance's sibling with these frames, if its list names both of them.
  void add_if_named(const Frames& sibling) {
    try {
      NameList list = list_of(sibling);
      const auto place = list.place_of(own_name_);
      InstanceName sibling_name = own_name_;
      if (!sibling.empty()) sibling_name.indexes.front() = sibling.front().index;
      if (!place || !list.place_of(sibling_name)) return;
      Frames frames = modified(sibling, edge_.modifiers);
      if (is_requested(list)) {
        observe(frames);
      } else {
        add(std::move(frames), std::move(list), *place, FanInRole::contributor);
      }
    } catch (const Error&) {
      // The other's own step fails with that error.
    }
  }

  void observe_if_any(const Frames& eligible) {
    try {
      observe(modified(eligible, edge_.modifiers));
    } catch (const Error&) {
      // There is no such aggregator: whoever would request it fails with that error.
    }
  }

  // --- Other rows ---

  /// Observes the aggregators of other rows whose lists may name this instance. Of another row only
  /// the outer indexes are known, not its width: its fan-ins are always requested.
  void add_rows() {
    for (const ValuesPattern& pattern : edge_.values) {
      const auto indexes = pattern.frames_naming(own_name_, frames_);
      if (indexes) add_row(*indexes, 0, frames_);
    }
  }

  /// Follows the levels; an index that is not given takes all values where it makes a difference to
  /// the aggregator's name.
  void add_row(const std::vector<std::optional<std::int64_t>>& indexes, std::size_t level,
               const Frames& row) {
    if (level == frames_.size()) {
      const bool is_other =
          !std::equal(row.begin() + 1, row.end(), frames_.begin() + 1,
                      [](const Frame& a, const Frame& b) { return a.index == b.index; });
      if (is_other && may_be_eligible(row, indexes)) observe_if_any(row);
      return;
    }
    const bool is_open = !indexes[level] && level > 0 && (sources_.indexes & bit(level)) != 0;
    if (!is_open) {
      Frames next = row;
      if (indexes[level]) next[level].index = *indexes[level];
      add_row(indexes, level + 1, next);
      return;
    }
    const std::int64_t size = std::min(frames_[level].size, kFanOutMax);
    for (std::int64_t index = 0; index < size; ++index) {
      Frames next = row;
      next[level].index = index;
      add_row(indexes, level + 1, next);
    }
  }

  bool may_be_eligible(const Frames& row,
                       const std::vector<std::optional<std::int64_t>>& indexes) const {
    if (!edge_.conditional || !earlier_.empty()) return true;
    const Expression& conditional = *edge_.conditional;
    std::uint64_t known = 0;
    for (std::size_t level = 0; level < indexes.size(); ++level) {
      if (indexes[level] || (sources_.indexes & bit(level) & ~std::uint64_t{1}) != 0) {
        known |= bit(level);
      }
    }
    if (conditional.uses_result() || (conditional.index_levels() & ~known) != 0 ||
        (conditional.size_levels() & ~bit(row.size() - 1)) != 0) {
      return true;
    }
    return is_eligible(row);
  }

  // --- Which fan-ins are requested ---

  /// Whether some contributor of a fan-in with this list, of an instance of this row, may be unable
  /// to know of it. All instances of a row give the same answer.
  bool is_requested(const NameList& list) const {
    return by_result_ || std::any_of(list.runs().begin(), list.runs().end(),
                                     [&](const NameList::Run& run) { return has_unknowing(run); });
  }

  bool has_unknowing(const NameList::Run& run) const {
    const bool is_other = run.first.function != own_name_.function ||
                          run.first.indexes.size() != own_name_.indexes.size();
    if (is_other) return !edge_.unconditional_everywhere;
    const std::uint64_t differing = differing_levels(run);
    if (differing == 0) {
      // A sibling sees what this instance sees, unless it cannot know that this one exists.
      const bool is_own = run.length == 1 && run.first == own_name_;
      return !siblings_known_ && !is_own && (is_conditional() || varies_);
    }
    // Another row has the same aggregator over its own edge, or cannot know.
    return !edge_.unconditional_everywhere || (sources_.indexes & differing) != 0 ||
           (sources_.sizes & ~bit(own_name_.indexes.size() - 1)) != 0;
  }

  /// The outer levels in which a run of this function's names is of other rows.
  std::uint64_t differing_levels(const NameList::Run& run) const {
    std::uint64_t differing = run.length > 1 && run.axis > 0 ? bit(run.axis) : 0;
    for (std::size_t level = 1; level < own_name_.indexes.size(); ++level) {
      if (run.first.indexes[level] != own_name_.indexes[level]) differing |= bit(level);
    }
    return differing;
  }

  void observe(const Frames& aggregator_frames) {
    PlannedFanIn planned{&edge_.target, &edge_, instance_name(edge_.target, aggregator_frames)};
    for (const PlannedFanIn& known : plan_.fan_ins) {
      if (known.aggregator == planned.aggregator) return;
    }
    plan_.fan_ins.push_back(std::move(planned));
  }

  void add(Frames aggregator_frames, NameList list, std::size_t place, FanInRole role) {
    const bool siblings_take_part = !frames_.empty() && frames_.front().type != FrameType::loop;
    PlannedFanIn planned{&edge_.target, &edge_, instance_name(edge_.target, aggregator_frames)};
    planned.list = std::make_shared<const FanInList>(std::move(list), std::move(aggregator_frames),
                                                     own_name_, siblings_take_part);
    planned.place = place;
    planned.role = role;
    for (PlannedFanIn& known : plan_.fan_ins) {
      if (known.aggregator != planned.aggregator) continue;
      if (known.role == FanInRole::observer) {
        known = std::move(planned);
        return;
      }
      if (known.list->names() == planned.list->names()) return;
    }
    plan_.fan_ins.push_back(std::move(planned));
  }

  const FunctionIr& function_;
  const Edge& edge_;
  const Frames& frames_;
  Plan& plan_;
  const FrameSources sources_;
  InstanceName own_name_;
  std::vector<const Edge*> earlier_;  ///< Exclusive edges that go first, if this one is exclusive.
  bool by_result_ = false;
  bool siblings_known_ = false;
  bool varies_ = false;        ///< Siblings may have other lists or aggregators.
  bool crosses_rows_ = false;  ///< Lists may name instances of other rows.
};

}  // namespace

FanIn PlannedFanIn::fan_in() const noexcept {
  static const FanInListReader reader;
  return {aggregator, list.get(), place, role, &reader};
}

FrameSources frame_sources(const std::vector<Modifier>& modifiers, std::size_t depth) {
  struct Level {
    FrameSources index;
    FrameSources size;
  };
  std::vector<Level> levels(depth);
  for (std::size_t k = 0; k < depth; ++k) {
    levels[k].index.indexes = bit(k);
    levels[k].size.sizes = bit(k);
  }
  for (const Modifier& modifier : modifiers) {
    FrameSources value;
    if (modifier.value()) {
      const auto collect = [&](const FrameSources& from) {
        value.indexes |= from.indexes;
        value.sizes |= from.sizes;
      };
      for (std::size_t k = 0; k < levels.size() && k < 64; ++k) {
        if ((modifier.value()->index_levels() & bit(k)) != 0) collect(levels[k].index);
        if ((modifier.value()->size_levels() & bit(k)) != 0) collect(levels[k].size);
      }
    }
    switch (modifier.kind()) {
      case Modifier::Kind::pop:
        if (!levels.empty()) levels.erase(levels.begin());
        break;
      case Modifier::Kind::push: levels.insert(levels.begin(), Level{}); break;
      case Modifier::Kind::set_index:
        if (modifier.level() < levels.size()) levels[modifier.level()].index = value;
        break;
      case Modifier::Kind::set_size:
        if (modifier.level() < levels.size()) levels[modifier.level()].size = value;
        break;
    }
  }
  FrameSources all;
  for (const Level& level : levels) {
    all.indexes |= level.index.indexes | level.size.indexes;
    all.sizes |= level.index.sizes;
  }
  return all;
}

void plan_fan_ins(const FunctionIr& function, const Edge& edge, const Frames& frames, bool own_true,
                  Plan& plan) {
  FanInPlanner(function, edge, frames, plan).run(own_true);
}

}  // namespace unum
