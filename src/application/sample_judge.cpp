// What is wrong with the instances of a sample together: second ways in, lists that disagree, and
// fan-ins that never complete.
#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "application/sample.hpp"

namespace unum {
namespace {

// Ways into one instance that are compared with each other.
constexpr std::size_t kWaysMax = 64;
// The same, of those that give an aggregator the same list and frames.
constexpr std::size_t kAlikeMax = 4;

bool includes(const Guard& whole, const Guard& part) {
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

enum class Clash : std::uint8_t { none, possible, certain };

/// Whether an instance would be invoked over both ways.
Clash clash(const Guards& a, const Guards& b) {
  Clash worst = Clash::none;
  if (a.vague || b.vague) return worst;
  for (const Guard& one : a.any) {
    for (const Guard& two : b.any) {
      if (contradicts(one, two)) continue;
      if (includes(one, two) || includes(two, one)) return Clash::certain;
      worst = Clash::possible;
    }
  }
  return worst;
}

}  // namespace

// Parents first; instances on a cycle have no such order and are the loops' rule.
void Sample::find_second_ways() {
  std::vector<std::size_t> missing(instances_.size());
  std::vector<std::vector<std::size_t>> children(instances_.size());
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < instances_.size(); ++i) {
    missing[i] = instances_[i].ways.size();
    for (const Way& way : instances_[i].ways) children[way.parent].push_back(i);
    if (missing[i] == 0) ready.push_back(i);
  }
  for (std::size_t next = 0; next < ready.size(); ++next) {
    judge_ways(instances_[ready[next]]);
    judge_lists(instances_[ready[next]]);
    for (const std::size_t child : children[ready[next]]) {
      if (--missing[child] == 0) ready.push_back(child);
    }
  }
}

// Contributors that agree about the list all run; those that disagree are other ways of a choice.
Guards Sample::guards_of_fan_in(const Instance& instance) const {
  std::vector<Guards> lists;
  std::unordered_map<const NameList*, std::size_t> known;
  for (const Way& way : instance.ways) {
    if (!way.joined) continue;
    const Guards& contributor = instances_[way.parent].guards;
    const auto [place, added] = known.try_emplace(way.joined->list.get(), lists.size());
    if (added) {
      lists.push_back(contributor);
    } else {
      lists[place->second] = both(lists[place->second], contributor);
    }
  }
  Guards out;
  for (const Guards& guards : lists) add_alternatives(out, guards, options_);
  return out;
}

void Sample::judge_ways(Instance& instance) {
  struct Entry {
    Guards guards;
    const Way* way = nullptr;
  };
  std::vector<Entry> entries;
  const Way* joined = nullptr;  // All contributors of a fan-in are one way in.
  for (const Way& way : instance.ways) {
    if (way.joined) {
      if (joined == nullptr) joined = &way;
      continue;
    }
    entries.push_back({both(instances_[way.parent].guards, {{way.taken}, false}), &way});
  }
  if (joined != nullptr) entries.push_back({guards_of_fan_in(instance), joined});
  if (instance.ways.empty()) instance.guards.any.emplace_back();  // The entry: always.
  for (const Entry& entry : entries) add_alternatives(instance.guards, entry.guards, options_);

  for (std::size_t b = 1; b < std::min(entries.size(), kWaysMax); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      const Clash found = clash(entries[a].guards, entries[b].guards);
      if (found == Clash::none) continue;
      const bool certain = found == Clash::certain;
      const auto say = [&](const Way& way) {
        return instances_[way.parent].name + (way.joined ? " by a fan-in" : "");
      };
      std::string message = instance.name + (certain ? " would" : " may") +
                            " be invoked twice, from " + say(*entries[a].way) + " and from " +
                            say(*entries[b].way);
      message += certain
                     ? ", but an instance runs once. Let them meet in a fan-in, give them "
                       "different names (frames), or mark edges of one choice Exclusive"
                     : ", if the conditions on both ways hold; mark edges of one choice Exclusive";
      fault(certain ? "two-ways" : "maybe-two-ways", entries[b].way->parent, entries[b].way->edge,
            std::move(message), Doubt::none, certain ? Severity::error : Severity::warning);
      if (certain) return;
    }
  }
}

void Sample::judge_lists(const Instance& instance) {
  std::vector<const Way*> ways;
  std::map<std::pair<const NameList*, std::string>, std::size_t> alike;
  for (const Way& way : instance.ways) {
    if (!way.joined || !way.joined->certain || ways.size() >= kWaysMax) continue;
    std::string frames;
    append_fan_out(frames, way.joined->frames);
    if (++alike[{way.joined->list.get(), std::move(frames)}] <= kAlikeMax) ways.push_back(&way);
  }
  const auto view = [](const Joined& joined) {
    std::string text = joined.list->summary();
    if (joined.frames.empty()) return text + " without frames";
    text += " with Fan-out ";
    append_fan_out(text, joined.frames);
    return text;
  };
  for (std::size_t b = 1; b < ways.size(); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      const Joined& one = *ways[a]->joined;
      const Joined& two = *ways[b]->joined;
      if (one.list == two.list && one.frames == two.frames) continue;
      const Instance& first = instances_[ways[a]->parent];
      const Instance& second = instances_[ways[b]->parent];
      const Clash found = clash(first.guards, second.guards);
      if (found == Clash::none) continue;
      std::string message =
          "two contributors of " + instance.name + ", " + first.name + " and " + second.name;
      if (one.list != two.list) {
        message += ", disagree about its list: " + one.list->summary() + " and " +
                   two.list->summary() + "; write the same Values in the same order";
      } else {
        message += ", give it different frames: " + view(one) + " and " + view(two) +
                   "; write Payload Modifiers that leave the same";
      }
      fault("unequal-lists", ways[b]->parent, ways[b]->edge, std::move(message),
            found == Clash::certain ? Doubt::none : Doubt::result);
      if (found == Clash::certain) return;
    }
  }
}

/// Whether longer lists, or more rounds of a loop, could bring about an instance of that name.
bool Sample::could_be_longer(const InstanceName& name) const {
  const std::size_t function = flow_.index_of(name.function);
  if (function == Flow::kNone) return false;
  const std::size_t depth = name.indexes.size();
  for (const Shape& shape : flow_.shapes(function)) {
    if (shape.size() != depth) continue;
    bool possible = true;
    bool longer = false;
    for (std::size_t k = 0; k < depth; ++k) {
      const bool parallel = shape[k].type == FrameType::parallel;
      possible = possible && (!parallel || flow_.place_of(shape[k].origin) == name.indexes[k]);
      longer = longer || (!parallel && name.indexes[k] >= longest_);
    }
    if (possible && longer) return true;
  }
  // Modifiers can set any index of a Parallel frame.
  return flow_.sets_indexes() || (cut_ && flow_.depths(function)[depth]);
}

// Both alternatives of each choice were followed, so what is not in the sample never runs. An index
// beyond the sample's lists may be meant for longer ones.
std::string Sample::missing_in(const NameList& list, bool& longer) const {
  longer = false;
  std::string maybe;
  for (const NameList::Run& run : list.runs()) {
    Frames frames;
    for (const std::int64_t index : run.first.indexes) {
      frames.push_back({FrameType::map, index, index + 1});
    }
    for (std::int64_t place = 0; place < run.length; ++place) {
      if (place > 0) ++frames[run.axis].index;
      std::string name = instance_name(run.first.function, frames);
      if (by_name_.contains(name)) continue;
      InstanceName parsed = run.first;
      if (run.length > 1) parsed.indexes[run.axis] += place;
      if (!could_be_longer(parsed)) return name;
      if (maybe.empty()) maybe = std::move(name);
    }
  }
  longer = !maybe.empty();
  return maybe;
}

/// Fan-ins that wait for an instance which nothing invokes.
void Sample::find_incomplete() {
  const bool has_errors = std::any_of(faults_.begin(), faults_.end(), [](const auto& fault) {
    return fault.second.finding.severity == Severity::error;
  });
  if (cut_ || has_errors) return;  // What is missing may be missing on their account.
  looked_for_incomplete_ = true;
  std::unordered_map<const NameList*, std::pair<std::string, bool>> known;
  for (const Instance& instance : instances_) {
    const auto way = std::find_if(instance.ways.begin(), instance.ways.end(),
                                  [](const Way& one) { return one.joined && one.joined->certain; });
    if (way == instance.ways.end()) continue;  // The others disagree or say the same.
    const auto [found, added] = known.try_emplace(way->joined->list.get());
    auto& [missing, longer] = found->second;
    if (added) missing = missing_in(*way->joined->list, longer);
    if (missing.empty()) continue;
    const std::string lengths = example();
    fault("incomplete", way->parent, way->edge,
          "the fan-in of " + instances_[way->parent].name + " into " + instance.name +
              " never completes: its Values name " + missing + ", which nothing invokes" +
              (lengths.empty() ? "" : " " + lengths) +
              ". Where fewer branches go on than the map has elements, say so on the edge that "
              "leads there, for example \"Payload Modifiers\": [\"$size = $size - 1\"]",
          longer ? Doubt::length : Doubt::none);
  }
}

}  // namespace unum
