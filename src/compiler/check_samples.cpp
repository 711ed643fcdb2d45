// Samples of several widths: what is wrong in all of them is reported. And the rule of one way in.
#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "compiler/sample.hpp"

namespace unum {
namespace {

// A workflow may be written for maps of one width (literal indexes, `(4-$0)`), so that one width
// proves nothing; no such workflow is wrong at all of these.
constexpr std::array<std::int64_t, 8> kWidths{2, 3, 4, 5, 6, 7, 8, 10};
// Ways into one instance that are compared with each other.
constexpr std::size_t kWaysMax = 64;

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

bool clash_at_all(const Guards& a, const Guards& b) { return clash(a, b) != Clash::none; }

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
  std::vector<std::pair<const NameList*, Guards>> lists;
  for (const Way& way : instance.ways) {
    if (!way.joined) continue;
    const Guards& contributor = instances_[way.parent].guards;
    const auto same = std::find_if(lists.begin(), lists.end(), [&](const auto& entry) {
      return *entry.first == way.joined->list;
    });
    if (same == lists.end()) {
      lists.emplace_back(&way.joined->list, contributor);
    } else {
      same->second = both(same->second, contributor);
    }
  }
  Guards out;
  for (const auto& [list, guards] : lists) add_alternatives(out, guards, options_);
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
            std::move(message), certain ? Severity::error : Severity::warning);
      return;
    }
  }
}

void Sample::judge_lists(const Instance& instance) {
  std::vector<const Way*> ways;
  for (const Way& way : instance.ways) {
    if (way.joined && way.joined->certain && ways.size() < kWaysMax) ways.push_back(&way);
  }
  for (std::size_t b = 1; b < ways.size(); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      const Joined& one = *ways[a]->joined;
      const Joined& two = *ways[b]->joined;
      const Instance& first = instances_[ways[a]->parent];
      const Instance& second = instances_[ways[b]->parent];
      if (one.list == two.list && one.frames == two.frames) continue;
      if (!clash_at_all(first.guards, second.guards)) continue;
      std::string message =
          "two contributors of " + instance.name + ", " + first.name + " and " + second.name;
      if (one.list != two.list) {
        message += ", disagree about its list: " + one.list.summary() + " and " +
                   two.list.summary() + "; write the same Values in the same order";
      } else {
        message += ", give it different frames; write Payload Modifiers that leave the same";
      }
      fault("unequal-lists", ways[b]->parent, ways[b]->edge, std::move(message));
      return;
    }
  }
}

// Both alternatives of each choice were followed, so what is not in the sample never runs. An index
// beyond the sample's maps may be meant for wider ones.
std::string Sample::missing_in(const NameList& list) const {
  for (std::size_t place = 0; place < list.size(); ++place) {
    std::string name = list.name(place);
    if (by_name_.contains(name)) continue;
    const auto parsed = parse_instance_name(name);
    const bool within = parsed && std::all_of(parsed->indexes.begin(), parsed->indexes.end(),
                                              [&](std::int64_t index) { return index < width_; });
    if (within) return name;
  }
  return {};
}

/// Fan-ins that wait for an instance which nothing invokes.
void Sample::find_incomplete() {
  const bool has_errors = std::any_of(faults_.begin(), faults_.end(), [](const auto& fault) {
    return fault.second.severity == Severity::error;
  });
  if (cut_ || has_errors) return;  // What is missing may be missing on their account.
  for (const Instance& instance : instances_) {
    const auto way = std::find_if(instance.ways.begin(), instance.ways.end(),
                                  [](const Way& one) { return one.joined && one.joined->certain; });
    if (way == instance.ways.end()) continue;  // The others disagree or say the same.
    const std::string missing = missing_in(way->joined->list);
    if (missing.empty()) continue;
    fault("incomplete", way->parent, way->edge,
          "the fan-in of " + instances_[way->parent].name + " into " + instance.name +
              " never completes: its Values name " + missing +
              ", which nothing invokes in a map of " + std::to_string(width_) +
              ". Where fewer branches go on than the map has elements, say so on the edge that "
              "leads there, for example \"Payload Modifiers\": [\"$size = $size - 1\"]");
  }
}

void check_samples(const Flow& flow, std::vector<Finding>& findings) {
  Sample::Faults faults;
  bool first = true;
  for (const std::int64_t width : kWidths) {
    Sample sample(flow, width);
    if (!sample.run()) {
      if (!first) break;
      findings.push_back(
          {Severity::info, "size", std::string(kTemplateFile), 0,
           "the workflow is too large to be followed whole; fan-ins and second ways in "
           "were not looked at"});
      return;
    }
    if (first) {
      faults = std::move(sample.faults());
    } else {
      std::erase_if(faults,
                    [&](const auto& entry) { return !sample.faults().contains(entry.first); });
    }
    first = false;
    if (faults.empty()) break;
  }
  for (auto& [key, finding] : faults) {
    findings.push_back(std::move(finding));
  }
}

}  // namespace unum
