// Following a workflow on small maps.
#include "compiler/sample.hpp"

#include <algorithm>
#include <utility>

#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

// How often one edge's frame may stand among an instance's frames: recursion is followed that deep.
constexpr std::ptrdiff_t kRecursionMax = 2;
// Rounds of a loop beyond the width: enough for each rule to show itself.
constexpr std::int64_t kRoundsMax = 2;
// The decision of an instance's Exclusive edges, as opposed to those of single edges.
constexpr std::uint64_t kChoice = 0xFFFF;
// The decision between an instance's Error edges and all others.
constexpr std::uint64_t kOutcome = 0xFFFE;
constexpr std::uint32_t kSucceeded = 0;
constexpr std::uint32_t kFailed = 1;

std::uint64_t decision(std::size_t instance, std::uint64_t slot) {
  return static_cast<std::uint64_t>(instance) << 16 | slot;
}

}  // namespace

bool Sample::run() {
  if (flow_.entry() == Flow::kNone) return true;
  by_name_[flow_.ir(flow_.entry()).name] = 0;
  instances_.push_back({flow_.entry(), flow_.ir(flow_.entry()).name, {}, {}, {}});
  for (std::size_t i = 0; i < instances_.size() && !too_large_; ++i) visit(i);
  if (too_large_) return false;
  find_second_ways();
  find_incomplete();
  return true;
}

void Sample::fault(std::string_view rule, std::size_t instance, std::size_t edge,
                   std::string message, Severity severity) {
  const std::size_t function = instances_[instance].function;
  faults_.try_emplace(Key{std::string(rule), function, edge},
                      edge_finding(flow_, function, edge, severity, rule, std::move(message)));
}

void Sample::visit(std::size_t instance) {
  const FunctionIr& ir = flow_.ir(instances_[instance].function);
  const bool catches = std::any_of(ir.edges.begin(), ir.edges.end(), [](const Edge& edge) {
    return edge.input_type == InputType::error;
  });
  if (catches) options_[decision(instance, kOutcome)] = {kSucceeded, kFailed};
  bool decided =
      false;          // An Exclusive edge is taken for certain: those after it are not looked at.
  bool open = false;  // An Exclusive edge before this one may be taken.
  for (std::size_t e = 0; e < ir.edges.size(); ++e) {
    const Edge& edge = ir.edges[e];
    if (edge.exclusive && decided) continue;
    const Truth truth = truth_of(instance, e);
    if (truth == Truth::no) continue;
    Guard taken;
    if (edge.exclusive) {
      decided = truth == Truth::yes;
      if (open || !decided) {
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
          edge.input_type == InputType::error ? kFailed : kSucceeded;
    }
    take(instance, e, certain ? Truth::yes : Truth::unknown, std::move(taken));
    if (too_large_) return;
  }
  if (open && !decided) options_[decision(instance, kChoice)].insert(kNoEdge);
}

Sample::Truth Sample::truth_of(std::size_t instance, std::size_t edge) {
  const std::optional<Expression>& conditional = edge_of(instance, edge).conditional;
  if (!conditional) return Truth::yes;
  const Frames& frames = instances_[instance].at.frames;
  if (conditional->uses_result()) {
    const std::uint64_t levels = conditional->index_levels() | conditional->size_levels();
    if (frames.size() < 64 && levels >> frames.size() != 0) {
      fault("conditional", instance, edge,
            "the Conditional \"" + std::string(conditional->text()) + "\" uses a level that " +
                instances_[instance].name + " does not have: it has " +
                std::to_string(frames.size()));
    }
    return Truth::unknown;
  }
  try {
    return conditional->is_true({frames, std::nullopt}) ? Truth::yes : Truth::no;
  } catch (const Error& error) {
    fault("conditional", instance, edge,
          "for " + instances_[instance].name + " the Conditional fails: " + error.message());
    return Truth::unknown;
  }
}

std::optional<Sample::Position> Sample::apply(std::size_t instance, std::size_t edge,
                                              bool certain) {
  Position at = instances_[instance].at;
  at.from_level0.assign(at.frames.size(), false);
  if (!at.frames.empty()) at.from_level0[0] = true;
  for (const Modifier& modifier : edge_of(instance, edge).modifiers) {
    const Frames before = at.frames;
    try {
      modifier.apply(at.frames);
    } catch (const Error& error) {
      if (certain) {
        fault("modifier", instance, edge,
              "for " + instances_[instance].name + " the modifier fails: " + error.message());
      }
      return std::nullopt;
    }
    if (modifier.kind() == Modifier::Kind::push) {
      at.origins.insert(at.origins.begin(), flow_.edge_id(instances_[instance].function, edge));
      at.from_level0.insert(at.from_level0.begin(), false);
    } else if (modifier.kind() == Modifier::Kind::pop && !before.empty()) {
      at.origins.erase(at.origins.begin());
      at.from_level0.erase(at.from_level0.begin());
    } else if (modifier.kind() == Modifier::Kind::set_index &&
               modifier.level() < at.frames.size()) {
      bool depends = false;
      for (std::size_t k = 0; k < at.frames.size() && k < 64; ++k) {
        depends =
            depends || (at.from_level0[k] && (modifier.value()->index_levels() >> k & 1) != 0);
      }
      at.from_level0[modifier.level()] = depends;
    }
  }
  return at;
}

void Sample::take(std::size_t instance, std::size_t e, Truth truth, Guard taken) {
  const std::size_t function = instances_[instance].function;
  const FunctionIr& ir = flow_.ir(function);
  const Edge& edge = ir.edges[e];
  std::optional<Position> after = apply(instance, e, truth == Truth::yes);
  if (!after) return;
  if (edge.input_type == InputType::fan_in) {
    fan_in(instance, e, truth, std::move(taken), std::move(*after));
    return;
  }
  const std::size_t target = flow_.index_of(edge.target);
  const std::uint32_t id = flow_.edge_id(function, e);
  std::int64_t count = 1;
  const bool parallel = Flow::pushes_parallel(ir, edge);
  if (edge.input_type == InputType::map) count = width_;
  for (std::int64_t i = 0; i < count; ++i) {
    Position at = *after;
    if (edge.input_type == InputType::map || parallel) {
      Frame frame{FrameType::map, i, width_};
      if (parallel) {
        std::int64_t place = 0;
        for (std::size_t k = 0; k < e; ++k) place += Flow::pushes_parallel(ir, ir.edges[k]) ? 1 : 0;
        frame = {FrameType::parallel, place, ir.parallel_width()};
      }
      at.frames.insert(at.frames.begin(), frame);
      at.origins.insert(at.origins.begin(), id);
    }
    arrive(target, std::move(at), {instance, e, taken, std::nullopt});
  }
}

void Sample::fan_in(std::size_t instance, std::size_t e, Truth truth, Guard taken, Position after) {
  const Edge& edge = edge_of(instance, e);
  const std::string name = instances_[instance].name;
  const Frames frames = instances_[instance].at.frames;
  const std::string aggregator = instance_name(edge.target, after.frames);
  check_pop(instance, e, after, aggregator);
  check_cost(instance, e);
  NameList list;
  try {
    for (const ValuesPattern& pattern : edge.values) pattern.expand(frames, list);
  } catch (const Error& error) {
    if (truth == Truth::yes) {
      fault("no-such-instance", instance, e,
            "for " + name + " the Values fail: " + error.message() +
                (edge.conditional ? "" : "; a Conditional can leave that branch out"));
    }
    return;
  }
  const auto own = parse_instance_name(name);
  if (own && !list.place_of(*own) && truth == Truth::yes) {
    fault("no-place", instance, e,
          "the fan-in of " + name + " into " + aggregator + " has no place for " + name +
              " itself: its Values stand for " + list.summary());
  }
  Way way{instance, e, std::move(taken), Joined{std::move(list), after.frames, false}};
  way.joined->certain = truth == Truth::yes;
  arrive(flow_.index_of(edge.target), std::move(after), std::move(way));
}

void Sample::check_pop(std::size_t instance, std::size_t e, const Position& after,
                       const std::string& aggregator) {
  const Edge& edge = edge_of(instance, e);
  if (edge.own_modifiers && edge.modifiers.empty()) return;  // Written out: all-to-all is meant.
  if (std::find(after.from_level0.begin(), after.from_level0.end(), true) ==
      after.from_level0.end()) {
    return;
  }
  for (const ValuesPattern& pattern : edge.values) {
    if (pattern.uses_level0_index()) return;
  }
  fault("missing-pop", instance, e,
        "every branch of " + flow_.ir(instances_[instance].function).name +
            " would fan in to an aggregator of its own (" + aggregator +
            ", ...), though their Values are one list. Add \"Payload Modifiers\": [\"Pop\"] to the "
            "edge for one aggregator, or \"Payload Modifiers\": [] if each branch is meant to have "
            "its own");
}

// Whether the siblings whose fan-in names an instance are found without trying each of them.
void Sample::check_cost(std::size_t instance, std::size_t e) {
  const Edge& edge = edge_of(instance, e);
  const Frames& frames = instances_[instance].at.frames;
  const auto own = parse_instance_name(instances_[instance].name);
  if (frames.empty() || !own) return;
  if (edge.conditional && edge.conditional->uses_result())
    return;  // Asked for in the store instead.
  std::string costly;
  try {
    if (edge.conditional && !edge.conditional->true_indexes({frames, std::nullopt})) {
      costly = "Conditional \"" + std::string(edge.conditional->text()) + "\"";
    }
    for (const ValuesPattern& pattern : edge.values) {
      if (costly.empty() && !pattern.siblings_naming(*own, frames)) {
        costly = "Values entry \"" + std::string(pattern.text()) + "\"";
      }
    }
  } catch (const Error&) {
    return;  // What fails to evaluate is another rule's finding.
  }
  if (costly.empty()) return;
  fault("cost", instance, e,
        "the " + costly +
            " costs each branch a look at every sibling; comparing $0 with a constant or "
            "$size, and indexes of the form $0 + n, do not",
        Severity::warning);
}

/// Whether an instance is as deep in recursion or as far in a loop as a sample goes.
bool Sample::is_beyond(const Position& at) const {
  if (at.frames.size() > kFramesMax) return true;
  for (const Frame& frame : at.frames) {
    const std::int64_t size = frame.type == FrameType::loop ? width_ : frame.size;
    if (frame.index > size + kRoundsMax) return true;
  }
  return std::any_of(at.origins.begin(), at.origins.end(), [&](std::uint32_t origin) {
    return std::count(at.origins.begin(), at.origins.end(), origin) > kRecursionMax;
  });
}

void Sample::arrive(std::size_t function, Position at, Way way) {
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

}  // namespace unum
