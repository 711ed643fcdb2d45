// Following a workflow on lists of given lengths.
#include "application/sample.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

// Rounds of a loop beyond the longest list: enough for each rule to show itself.
constexpr std::int64_t kRoundsMax = 2;
// Instances that fail for certain, of one rule and edge: one that runs in any case is enough.
constexpr std::size_t kCertainMax = 64;
// The decision of an instance's Exclusive edges, as opposed to those of single edges.
constexpr std::uint64_t kChoice = 0xFFFFFF;
// The decision between an instance's edges for errors, of which one is taken, and all others.
constexpr std::uint64_t kOutcome = 0xFFFFFE;
constexpr std::uint32_t kSucceeded = 0;

/// The outcome in which the error edge of that number is taken.
constexpr std::uint32_t failed_by(std::size_t edge) noexcept {
  return static_cast<std::uint32_t>(edge) + 1;
}

std::uint64_t decision(std::size_t instance, std::uint64_t slot) {
  return static_cast<std::uint64_t>(instance) << 24 | slot;
}

InstanceName name_at(const std::string& function, const Frames& frames) {
  InstanceName name{function, {}};
  for (const Frame& frame : frames) name.indexes.push_back(frame.index);
  return name;
}

}  // namespace

bool Sample::run() {
  if (flow_.entry() == Flow::kNone) return true;
  Position at{setting_.entry_frames, {}};
  at.origins.assign(at.frames.size(), kNoEdge);
  std::string name = instance_name(flow_.ir(flow_.entry()).name, at.frames);
  by_name_[name] = 0;
  instances_.push_back({flow_.entry(), std::move(name), std::move(at), {}, {}});
  for (std::size_t i = 0; i < instances_.size(); ++i) {
    visit(i);
    if (too_large_ || work_ > setting_.work_max) return false;
  }
  find_second_ways();
  settle();
  find_incomplete();
  return true;
}

void Sample::fault(std::string_view rule, std::size_t instance, std::size_t edge,
                   std::string message, Doubt doubt, Severity severity) {
  const std::size_t function = instances_[instance].function;
  const auto [found, added] = faults_.try_emplace(Key{std::string(rule), function, edge});
  if (!added && (found->second.doubt == Doubt::none || doubt != Doubt::none)) return;
  found->second = {edge_finding(flow_, function, edge, severity, rule, std::move(message)), doubt};
}

void Sample::fails(std::string_view rule, std::size_t instance, std::size_t edge, Truth truth,
                   std::string message) {
  const Edge& at = edge_of(instance, edge);
  const FunctionIr& ir = flow_.ir(instances_[instance].function);
  Failing& failing = failing_[Key{std::string(rule), instances_[instance].function, edge}];
  ++failing.count;
  if (!fits_depth(ir, at, instances_[instance].at.frames.size())) failing.depth = true;
  if (truth == Truth::yes && at.input_type != InputType::error &&
      failing.certain.size() < kCertainMax) {
    failing.certain.push_back(instance);
  }
  fault(rule, instance, edge, std::move(message), Doubt::result);
}

/// Weighs what failed at single instances.
void Sample::settle() {
  for (auto& [key, failing] : failing_) {
    const auto& [rule, function, edge] = key;
    const bool runs =
        std::any_of(failing.certain.begin(), failing.certain.end(),
                    [&](std::size_t instance) { return instances_[instance].guards.always(); });
    Fault& fault = faults_.at(key);
    if (runs) {
      fault.doubt = Doubt::none;
    } else if (failing.count == taken_[flow_.edge_id(function, edge)]) {
      fault.doubt = Doubt::none;
      const FunctionIr& ir = flow_.ir(function);
      for (std::size_t depth = 0; failing.depth && depth <= kFramesMax; ++depth) {
        if (flow_.depths(function)[depth] && fits_depth(ir, ir.edges[edge], depth)) {
          fault.doubt = Doubt::depth;
          break;
        }
      }
    }
  }
}

void Sample::visit(std::size_t instance) {
  const FunctionIr& ir = flow_.ir(instances_[instance].function);
  const bool catches = ir.catches();
  if (catches) options_[decision(instance, kOutcome)] = {kSucceeded};
  for (std::size_t e = 0; catches && e < ir.edges.size(); ++e) {
    if (ir.edges[e].input_type != InputType::error) continue;
    options_[decision(instance, kOutcome)].insert(failed_by(e));
  }
  bool decided =
      false;          // An Exclusive edge is taken for certain: those after it are not looked at.
  bool open = false;  // An Exclusive edge before this one may be taken.
  work_ += ir.edges.size() + 1;
  for (std::size_t e = 0; e < ir.edges.size(); ++e) {
    const Edge& edge = ir.edges[e];
    if (edge.exclusive && decided && !is_forced(instance, e)) continue;
    const Truth truth = truth_of(instance, e);
    if (truth == Truth::no) continue;
    Guard taken;
    if (edge.exclusive) {
      decided = decided || truth == Truth::yes;
      if (open || !decided || setting_.forced != nullptr) {
        taken[decision(instance, kChoice)] = static_cast<std::uint32_t>(e);
        options_[decision(instance, kChoice)].insert(static_cast<std::uint32_t>(e));
      }
      open = true;
    } else if (truth == Truth::unknown) {
      taken[decision(instance, e)] = static_cast<std::uint32_t>(e);
      options_[decision(instance, e)] = {static_cast<std::uint32_t>(e), kNoEdge};
    }
    const bool certain = truth == Truth::yes && taken.empty();
    if (catches) {
      taken[decision(instance, kOutcome)] =
          edge.input_type == InputType::error ? failed_by(e) : kSucceeded;
    }
    ++taken_[id_of(instance, e)];
    take(instance, e, certain ? Truth::yes : Truth::unknown, std::move(taken));
    if (too_large_ || work_ > setting_.work_max) return;
  }
  if (open && !decided) options_[decision(instance, kChoice)].insert(kNoEdge);
}

Sample::Truth Sample::truth_of(std::size_t instance, std::size_t edge) {
  const std::optional<Expression>& conditional = edge_of(instance, edge).conditional;
  if (!conditional) return Truth::yes;
  constexpr std::size_t kBytesPerWork = 8;  // Of an expression: a node or two.
  work_ += conditional->text().size() / kBytesPerWork;
  const Frames& frames = instances_[instance].at.frames;
  const Expression::Outcomes may = conditional->outcomes(frames);
  if (!may.error.empty()) {
    const std::string& name = instances_[instance].name;
    std::string message = "for " + name + " the Conditional fails: " + may.error;
    if (conditional->uses_result()) {
      message = "for " + name +
                " the Conditional fails unless the result decides it before: " + may.error;
    }
    if (may.may_be_true) {
      fault("conditional", instance, edge, std::move(message), Doubt::result);
    } else {
      ++taken_[id_of(instance, edge)];
      fails("conditional", instance, edge, may.may_be_false ? Truth::unknown : Truth::yes,
            std::move(message));
    }
  }
  if (may.may_be_true && !may.may_be_false && may.error.empty()) return Truth::yes;
  if (may.may_be_true) return Truth::unknown;
  return may.error.empty() && is_forced(instance, edge) ? Truth::unknown : Truth::no;
}

std::optional<Sample::Position> Sample::apply(std::size_t instance, std::size_t edge, Truth truth) {
  Position at = instances_[instance].at;
  for (const Modifier& modifier : edge_of(instance, edge).modifiers) {
    const bool had_frames = !at.frames.empty();
    try {
      modifier.apply(at.frames);
    } catch (const Error& error) {
      if (!is_forced(instance, edge)) {
        fails("modifier", instance, edge, truth,
              "for " + instances_[instance].name + " the modifier fails: " + error.message());
      }
      return std::nullopt;
    }
    if (modifier.kind() == Modifier::Kind::push) {
      at.origins.insert(at.origins.begin(), id_of(instance, edge));
    } else if (modifier.kind() == Modifier::Kind::pop && had_frames) {
      at.origins.erase(at.origins.begin());
    }
  }
  return at;
}

void Sample::take(std::size_t instance, std::size_t e, Truth truth, Guard taken) {
  const std::size_t function = instances_[instance].function;
  const Edge& edge = edge_of(instance, e);
  std::optional<Position> after = apply(instance, e, truth);
  if (!after) return;
  if (edge.input_type == InputType::fan_in) {
    fan_in(instance, e, truth, std::move(taken), std::move(*after));
    return;
  }
  const std::uint32_t id = flow_.edge_id(function, e);
  const std::size_t target = flow_.target(function, e);
  const std::optional<Flow::Branch> branch = flow_.branch(function, e);
  if (edge.input_type != InputType::map && !branch) {
    arrive(target, std::move(*after), {instance, e, std::move(taken), std::nullopt});
    return;
  }
  Frame frame{FrameType::parallel, branch ? branch->place : 0, branch ? branch->width : 0};
  std::int64_t count = 1;
  if (!branch) {
    count = setting_.widths.of(function, instances_[instance].at.frames);
    frame = {FrameType::map, 0, count};
    lists_[id].push_back(count);
    longest_ = std::max(longest_, count);
    shortest_ = shortest_ == 0 ? count : std::min(shortest_, count);
  }
  after->frames.insert(after->frames.begin(), frame);
  after->origins.insert(after->origins.begin(), id);
  for (std::int64_t i = 0; i < count && !too_large_; ++i) {
    arrive(target, *after, {instance, e, taken, std::nullopt});
    ++after->frames.front().index;
  }
}

std::shared_ptr<const NameList> Sample::shared(NameList list) {
  std::size_t hash = list.size();
  const std::hash<std::string_view> hash_text;
  for (const NameList::Run& run : list.runs()) {
    hash = hash * 1'000'003 + hash_text(run.first.function) + static_cast<std::size_t>(run.length);
    for (const std::int64_t index : run.first.indexes) {
      hash = hash * 1'000'003 + static_cast<std::size_t>(index);
    }
  }
  work_ += list.runs().size();
  const auto [begin, end] = name_lists_.equal_range(hash);
  for (auto known = begin; known != end; ++known) {
    if (*known->second == list) return known->second;
  }
  return name_lists_.emplace(hash, std::make_shared<const NameList>(std::move(list)))->second;
}

/// The list that an instance gives, which is the same for all instances if it is literal.
std::shared_ptr<const NameList> Sample::expanded(std::size_t instance, std::size_t e) {
  const Edge& edge = edge_of(instance, e);
  const auto [literal, first] = literal_lists_.try_emplace(id_of(instance, e));
  if (literal->second) return literal->second;
  work_ += edge.values.size();
  NameList list;
  for (const ValuesPattern& pattern : edge.values) {
    pattern.expand(instances_[instance].at.frames, list);
  }
  const std::shared_ptr<const NameList> out = shared(std::move(list));
  if (first && std::all_of(edge.values.begin(), edge.values.end(),
                           [](const ValuesPattern& p) { return p.is_literal(); })) {
    literal->second = out;
  }
  return out;
}

void Sample::fan_in(std::size_t instance, std::size_t e, Truth truth, Guard taken, Position after) {
  const Edge& edge = edge_of(instance, e);
  const std::string name = instances_[instance].name;
  const Frames frames = instances_[instance].at.frames;
  if (setting_.costs) check_cost(instance, e);
  std::shared_ptr<const NameList> list;
  try {
    list = expanded(instance, e);
  } catch (const Error& error) {
    if (is_forced(instance, e)) return;
    fails("no-such-instance", instance, e, truth,
          "for " + name + " the Values fail: " + error.message() +
              (edge.conditional ? "" : "; a Conditional can leave that branch out"));
    return;
  }
  const InstanceName own = name_at(flow_.ir(instances_[instance].function).name, frames);
  if (!list->place_of(own)) {
    if (is_forced(instance, e)) return;
    fails("no-place", instance, e, truth,
          "the fan-in of " + name + " into " + instance_name(edge.target, after.frames) +
              " has no place for " + name + " itself: its Values stand for " + list->summary());
  }
  Way way{instance, e, std::move(taken), Joined{std::move(list), after.frames, false}};
  way.joined->certain = truth == Truth::yes;
  arrive(flow_.target(instances_[instance].function, e), std::move(after), std::move(way));
}

// Whether the siblings whose fan-in names an instance are found without trying each of them.
void Sample::check_cost(std::size_t instance, std::size_t e) {
  constexpr std::uint32_t kChecksMax = 2;  // Instances of one edge: the form is the same for all.
  if (taken_[id_of(instance, e)] > kChecksMax) return;
  const Edge& edge = edge_of(instance, e);
  const Frames& frames = instances_[instance].at.frames;
  const InstanceName own = name_at(flow_.ir(instances_[instance].function).name, frames);
  if (frames.empty()) return;
  if (edge.conditional && edge.conditional->uses_result())
    return;  // Asked for in the store instead.
  std::string costly;
  try {
    if (edge.conditional && !edge.conditional->true_indexes({frames, std::nullopt})) {
      costly = "Conditional \"" + std::string(edge.conditional->text()) + "\"";
    }
    for (const ValuesPattern& pattern : edge.values) {
      if (costly.empty() && !pattern.siblings_naming(own, frames)) {
        costly = "Values entry \"" + std::string(pattern.text()) + "\"";
      }
    }
  } catch (const Error&) {
    return;  // What fails to evaluate is another rule's finding.
  }
  if (costly.empty()) return;
  fault("cost", instance, e,
        "the " + costly +
            " costs each branch a check of every sibling; comparing $0 with a constant or "
            "$size, and indexes of the form $0 + n, do not",
        Doubt::none, Severity::warning);
}

/// Whether an instance is as deep in recursion or as far in a loop as a sample goes.
bool Sample::is_beyond(const Position& at) const {
  if (at.frames.size() > kFramesMax) return true;
  for (const Frame& frame : at.frames) {
    const std::int64_t size = frame.type == FrameType::loop ? longest_ : frame.size;
    if (frame.index > size + kRoundsMax) return true;
  }
  const auto recursion = static_cast<std::ptrdiff_t>(setting_.recursion);
  if (at.origins.size() <= setting_.recursion) return false;
  return std::any_of(at.origins.begin(), at.origins.end(), [&](std::uint32_t origin) {
    return origin != kNoEdge &&
           std::count(at.origins.begin(), at.origins.end(), origin) > recursion;
  });
}

void Sample::arrive(std::size_t function, Position at, Way way) {
  ++work_;
  if (is_beyond(at)) {
    cut_ = true;
    return;
  }
  std::string name = instance_name(flow_.ir(function).name, at.frames);
  const auto [found, created] = by_name_.try_emplace(name, instances_.size());
  if (created) {
    if (instances_.size() >= kSampleInstancesMax) {
      too_large_ = true;
      return;
    }
    instances_.push_back({function, std::move(name), std::move(at), {}, {}});
  }
  instances_[found->second].ways.push_back(std::move(way));
}

std::string Sample::example() const {
  constexpr std::size_t kMapsShown = 4;
  constexpr std::size_t kRowsShown = 5;
  std::string out;
  std::size_t shown = 0;
  for (const auto& [id, lengths] : lists_) {
    if (shown++ == kMapsShown) {
      out += ", ...";
      break;
    }
    std::string counts;
    const bool equal = std::all_of(lengths.begin(), lengths.end(),
                                   [&](std::int64_t length) { return length == lengths.front(); });
    const std::size_t rows = equal ? 1 : std::min(lengths.size(), kRowsShown);
    for (std::size_t i = 0; i < rows; ++i) {
      if (i > 0) counts += i + 1 == lengths.size() ? " and " : ", ";
      counts += std::to_string(lengths[i]);
    }
    if (!equal && lengths.size() > rows) counts += ", ...";
    const bool one = counts == "1";
    out += (out.empty() ? "with " : " and ") + counts + (one ? " element" : " elements") +
           " in the Map to " + flow_.edge_target(id);
  }
  return out;
}

}  // namespace unum
