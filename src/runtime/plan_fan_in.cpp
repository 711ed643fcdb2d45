// Which fan-ins an instance takes part in: its own, and those of siblings whose `Values` name it.
//
// A conditional says whose fan-in it is, not who may take part. Where the siblings' conditionals
// can be evaluated here (they see only frames) it is known which fan-ins are to happen. Where they
// cannot (they depend on `$ret`, or the others are of another function or outer index) whoever is
// eligible records that the fan-in is wanted, and the others look for that record.
#include <algorithm>

#include "base/limits.hpp"
#include "runtime/plan.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

/// A fan-in as one sibling sees it: the list and the aggregator's frames.
struct View {
  NameList list;
  Frames frames;
};

View view_of(const Edge& edge, const Frames& frames) {
  View view{{}, modified(frames, edge.modifiers)};
  for (const ValuesPattern& pattern : edge.values) pattern.expand(frames, view.list);
  return view;
}

class FanInPlanner {
 public:
  FanInPlanner(const FunctionIr& function, const Edge& edge, const Frames& frames, Plan& plan)
      : function_(function), edge_(edge), frames_(frames), plan_(plan) {
    own_name_.function = function.name;
    for (const Frame& frame : frames) own_name_.indexes.push_back(frame.index);
    by_result_ = edge.conditional && edge.conditional->uses_result();
    varies_ = !frames.empty() &&
              (keeps_level0_index(edge.modifiers, frames.size()) ||
               std::any_of(edge.values.begin(), edge.values.end(),
                           [](const ValuesPattern& p) { return p.uses_level0_index(); }));
  }

  void run(bool own_true) {
    if (own_true) add_own();
    if (varies_) {
      add_siblings(own_true);
    } else if (!own_true) {
      frames_.empty() ? add_bystander() : add_shared();
    }
  }

 private:
  void add_own() {
    View view = view_of(edge_, frames_);
    const auto place = view.list.place_of(own_name_);
    if (!place) {
      throw Error(ErrorKind::invalid, "runtime", "Unum.NoSlot",
                  "function " + function_.name + ", the fan-in edge to " + edge_.target +
                      ": \"Values\" is " + view.list.summary() +
                      ", which does not name this instance, " +
                      instance_name(function_.name, frames_) +
                      "; every contributor must be named in its own list");
    }
    const bool others_cannot_know =
        by_result_ || (has_foreigners(view.list) && !edge_.unconditional_everywhere);
    add(std::move(view), *place, others_cannot_know ? FanInRole::wanter : FanInRole::contributor);
  }

  /// The one fan-in that all siblings share: it happens if any of them is eligible.
  void add_shared() {
    if (!by_result_ && some_sibling_is_eligible()) {
      add_if_named(frames_, FanInRole::contributor);
    } else {
      add_bystander();
    }
  }

  /// Others may want this instance's own fan-in for reasons that cannot be seen here.
  void add_bystander() {
    try {
      View view = view_of(edge_, frames_);
      const auto place = view.list.place_of(own_name_);
      if (!place) return;
      if (by_result_ || (has_foreigners(view.list) && !edge_.unconditional_everywhere)) {
        add(std::move(view), *place, FanInRole::bystander);
      }
    } catch (const Error&) {
      // No such list, for a conditional that is false: it takes part in none.
    }
  }

  void add_siblings(bool own_true) {
    for (const IndexRange& range : siblings_that_name_me()) {
      for (std::int64_t index = range.begin; index < range.end; ++index) {
        if (index == frames_.front().index) continue;
        Frames sibling = frames_;
        sibling.front().index = index;
        if (by_result_) {
          add_if_named(sibling, FanInRole::bystander);
        } else if (is_eligible(sibling)) {
          add_if_named(sibling, FanInRole::contributor);
        }
      }
    }
    if (!own_true) add_bystander();
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

  bool is_eligible(const Frames& sibling) const {
    if (!edge_.conditional) return true;
    try {
      return edge_.conditional->is_true({sibling, {}});
    } catch (const Error&) {
      return false;  // its own step fails with that error, so it neither marks nor looks
    }
  }

  bool some_sibling_is_eligible() const {
    if (const auto ranges = edge_.conditional->true_indexes({frames_, {}})) return !ranges->empty();
    Frames sibling = frames_;
    const std::int64_t size = std::min(sibling_limit(frames_), kFanOutMax);
    for (std::int64_t index = 0; index < size; ++index) {
      sibling.front().index = index;
      if (is_eligible(sibling)) return true;
    }
    return false;
  }

  void add_if_named(const Frames& sibling, FanInRole role) {
    try {
      View view = view_of(edge_, sibling);
      if (const auto place = view.list.place_of(own_name_)) add(std::move(view), *place, role);
    } catch (const Error&) {
      // The sibling's own step fails with that error.
    }
  }

  bool has_foreigners(const NameList& list) const {
    for (const NameList::Run& run : list.runs()) {
      if (run.first.function != own_name_.function) return true;
      if (run.first.indexes.size() != own_name_.indexes.size()) return true;
      if (run.length > 1 && run.axis != 0) return true;
      for (std::size_t level = 1; level < own_name_.indexes.size(); ++level) {
        if (run.first.indexes[level] != own_name_.indexes[level]) return true;
      }
    }
    return false;
  }

  void add(View view, std::size_t place, FanInRole role) {
    const bool siblings_take_part = !frames_.empty() && frames_.front().type != FrameType::loop;
    auto planned =
        std::make_shared<PlannedFanIn>(edge_.target, std::move(view.frames), std::move(view.list),
                                       place, role, siblings_take_part);
    for (const auto& known : plan_.fan_ins) {
      if (known->aggregator() == planned->aggregator() && known->list() == planned->list()) return;
    }
    plan_.fan_ins.push_back(std::move(planned));
  }

  const FunctionIr& function_;
  const Edge& edge_;
  const Frames& frames_;
  Plan& plan_;
  InstanceName own_name_;
  bool by_result_ = false;
  bool varies_ = false;
};

}  // namespace

PlannedFanIn::PlannedFanIn(const std::string& target, Frames frames, NameList list,
                           std::size_t place, FanInRole role, bool siblings_take_part)
    : target_(&target),
      frames_(std::move(frames)),
      aggregator_(instance_name(target, frames_)),
      list_(std::move(list)),
      place_(place),
      role_(role),
      siblings_take_part_(siblings_take_part) {}

bool PlannedFanIn::takes_part(std::size_t place) const {
  if (place == place_) return true;
  if (!siblings_take_part_) return false;
  const InstanceName own = list_.at(place_);
  const InstanceName other = list_.at(place);
  return other.function == own.function && other.indexes.size() == own.indexes.size() &&
         std::equal(own.indexes.begin() + 1, own.indexes.end(), other.indexes.begin() + 1);
}

std::vector<std::size_t> PlannedFanIn::repeats(std::size_t place) const {
  std::vector<std::size_t> places = list_.places_of(list_.at(place));
  std::erase(places, place);
  return places;
}

std::string PlannedFanIn::digest() const {
  // The frames are part of the aggregator's name but for their types and sizes.
  std::string text = list_.digest();
  text += '/';
  for (const Frame& frame : frames_) {
    text += to_string(frame.type).front();
    text += std::to_string(frame.size);
  }
  return text;
}

std::string PlannedFanIn::summary() const {
  std::string text = list_.summary();
  if (!frames_.empty()) {
    text += " with Fan-out ";
    append_fan_out(text, frames_);
  }
  return text;
}

bool keeps_level0_index(const std::vector<Modifier>& modifiers, std::size_t depth) {
  if (depth == 0) return false;
  struct Level {
    bool index;
    bool size;
  };
  std::vector<Level> levels(depth, {false, false});
  levels.front().index = true;
  for (const Modifier& modifier : modifiers) {
    bool depends = false;
    if (modifier.value()) {
      for (std::size_t k = 0; k < levels.size() && k < 64; ++k) {
        depends |= levels[k].index && ((modifier.value()->index_levels() >> k) & 1) != 0;
        depends |= levels[k].size && ((modifier.value()->size_levels() >> k) & 1) != 0;
      }
    }
    switch (modifier.kind()) {
      case Modifier::Kind::pop:
        if (!levels.empty()) levels.erase(levels.begin());
        break;
      case Modifier::Kind::push: levels.insert(levels.begin(), {false, false}); break;
      case Modifier::Kind::set_index:
        if (modifier.level() < levels.size()) levels[modifier.level()].index = depends;
        break;
      case Modifier::Kind::set_size:
        if (modifier.level() < levels.size()) levels[modifier.level()].size = depends;
        break;
    }
  }
  return std::any_of(levels.begin(), levels.end(),
                     [](const Level& l) { return l.index || l.size; });
}

void plan_fan_ins(const FunctionIr& function, const Edge& edge, const Frames& frames, bool own_true,
                  Plan& plan) {
  FanInPlanner(function, edge, frames, plan).run(own_true);
}

}  // namespace unum
