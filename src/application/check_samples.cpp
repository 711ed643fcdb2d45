// Many samples of one workflow: an error is what fails in all of them, a warning what fails in
// some.
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "application/sample.hpp"

namespace unum {
namespace {

// Work (Sample::work) of the first sample, which is made whole or not at all, and of all others.
constexpr std::size_t kFirstWorkMax = 8'000'000;
constexpr std::size_t kWorkMax = 2'000'000;
// Samples with lists below which nothing about their lengths counts as proved.
constexpr std::size_t kProofMin = 4;
// Samples with lengths taken at random from the likely ones, of each kind.
constexpr std::uint64_t kMixedMax = 96;
// Mapping functions whose length is tried beside another one's.
constexpr std::size_t kMapsMax = 24;
// Frames that a caller may give, and the depth to which recursion is followed when texts speak of
// so many levels.
constexpr std::size_t kCallerFramesMax = 8;
constexpr std::size_t kRecursionMax = 12;

using Doubt = Sample::Doubt;

/// What is known about one fault after some samples.
struct Known {
  Finding finding;
  std::string example;  ///< The lists of the sample in which it was found.
  bool certain = true;  ///< So far it failed in every sample that took its edge.
  Doubt doubt = Doubt::none;
  bool other_lists = false;   ///< A sample with other lists, or the same, did not have it.
  bool other_caller = false;  ///< A sample with other frames of the entry did not have it.
};

class Sampling {
 public:
  Sampling(const Flow& flow, std::vector<Finding>& findings)
      : flow_(flow),
        findings_(findings),
        hints_(find_width_hints(flow)),
        seen_(flow.edge_count(), 0),
        seen_whole_(flow.edge_count(), 0) {}

  void check() {
    setting_ = {Widths::uniform(2), {}, 2, kFirstWorkMax, true, nullptr};
    if (!add()) {
      findings_.push_back(
          {Severity::info, "size", std::string(kTemplateFile), 0,
           "the workflow is too large to be followed whole; fan-ins and second ways in "
           "were not looked at"});
      return;
    }
    setting_.costs = false;
    usual_lengths();
    caller_frames();
    if (has_lists_) {
      written_lengths();
      likely_lengths();
      lengths_beside_each_other();
      random_lengths();
    }
    deep_recursion();
    report();
    behind_conditions();
  }

 private:
  /// Makes a sample and adds what it shows; whether it could be made.
  bool add() {
    if (work_ >= kWorkMax) return false;
    if (samples_ > 0) setting_.work_max = kWorkMax - work_;
    Sample sample(flow_, setting_);
    const bool whole = sample.run();
    if (samples_ > 0) work_ += sample.work();
    if (!whole) return false;
    ++samples_;
    if (sample.shortest() == 1) {
      add_witness(sample);
      return true;
    }
    cut_ = cut_ || sample.cut();
    if (sample.shortest() > 0) {
      has_lists_ = true;
      ++with_lists_;
    }
    for (auto& [key, fault] : sample.faults()) add_fault(sample, key, fault);
    for (auto& [key, known] : known_) {
      if (looked_at(sample, key) && !sample.faults().contains(key)) refute(known);
    }
    for (std::uint32_t id = 0; id < seen_.size(); ++id) {
      if (!sample.took(id)) continue;
      seen_[id] = 1;
      if (sample.looked_for_incomplete()) seen_whole_[id] = 1;
    }
    return true;
  }

  static bool is_about_whole(const Sample::Key& key) { return std::get<0>(key) == "incomplete"; }
  std::uint32_t id_of(const Sample::Key& key) const {
    return flow_.edge_id(std::get<1>(key), std::get<2>(key));
  }
  bool looked_at(const Sample& sample, const Sample::Key& key) const {
    return sample.took(id_of(key)) && (!is_about_whole(key) || sample.looked_for_incomplete());
  }

  void refute(Known& known) const {
    known.certain = false;
    (setting_.entry_frames.empty() ? known.other_lists : known.other_caller) = true;
  }

  void add_fault(const Sample& sample, const Sample::Key& key, Sample::Fault& fault) {
    const auto [place, added] = known_.try_emplace(key);
    Known& known = place->second;
    if (added) {
      known.finding = std::move(fault.finding);
      known.example = sample.example();
      const bool seen = (is_about_whole(key) ? seen_whole_ : seen_)[id_of(key)] != 0;
      if (seen) refute(known);
    }
    if (fault.doubt == Doubt::none) return;
    known.certain = false;
    known.doubt = fault.doubt;
  }

  /// A sample with lists of one element. Much is right there by chance; but where the texts speak
  /// of such lists and nothing at all is wrong, it is an input that works.
  void add_witness(Sample& sample) {
    const auto& faults = sample.faults();
    if (std::any_of(faults.begin(), faults.end(), [](const auto& entry) {
          return entry.second.finding.severity == Severity::error;
        })) {
      return;
    }
    for (auto& [key, known] : known_) {
      if (looked_at(sample, key)) refute(known);
    }
  }

  /// Whether another sample could tell more.
  bool open() const {
    if (work_ >= kWorkMax) return false;
    for (const auto& [key, known] : known_) {
      if (known.certain && known.finding.severity == Severity::error) return true;
    }
    return has_unseen_edges();
  }

  bool is_unseen(std::size_t f, std::size_t e) const {
    return seen_[flow_.edge_id(f, e)] == 0 && !Flow::is_dead(flow_.ir(f).edges[e]);
  }

  bool has_unseen_edges() const {
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      if (flow_.shapes(f).empty()) continue;
      for (std::size_t e = 0; e < flow_.ir(f).edges.size(); ++e) {
        if (is_unseen(f, e)) return true;
      }
    }
    return false;
  }

  bool add(Widths widths) {
    setting_.widths = std::move(widths);
    return add();
  }

  void usual_lengths() {
    if (!has_lists_) return;
    add(Widths::uniform(3));
    add(Widths::mixed({2, 3}, 1, true));
    add(Widths::slope(2, 1));
  }

  void caller_frames() {
    if (!flow_.entry_reads_frames()) return;
    const std::size_t levels = std::min(std::max<std::size_t>(hints_.levels, 1), kCallerFramesMax);
    for (std::size_t depth = 1; depth <= levels; ++depth) {
      for (const std::int64_t size : {2, 3}) {
        for (std::int64_t index = 0; index < size; ++index) {
          setting_.entry_frames.assign(depth, Frame{FrameType::map, index, size});
          add(Widths::uniform(2));
        }
      }
    }
    setting_.entry_frames.clear();
  }

  /// Lengths that lists of literal names ask for, and lists of one element where texts speak of
  /// them.
  void written_lengths() {
    for (const std::int64_t length : {2, 3, 4}) {
      if (!open()) return;
      if (!hints_.by_row.empty()) add(Widths::uniform(length).follow(hints_));
      if (!hints_.ones.empty()) add(Widths::uniform(length).with_ones(hints_.ones));
    }
    for (std::uint64_t seed = 0; seed < 16 && !hints_.by_row.empty() && open(); ++seed) {
      add(Widths::mixed(first_likely(12), seed, seed % 2 == 0).follow(hints_));
    }
    for (std::uint64_t seed = 0; seed < 16 && !hints_.ones.empty() && open(); ++seed) {
      add(Widths::mixed(first_likely(6), seed, seed % 2 == 0).with_ones(hints_.ones));
    }
  }

  std::vector<std::int64_t> first_likely(std::size_t count) const {
    const auto end = static_cast<std::ptrdiff_t>(std::min(count, hints_.likely.size()));
    return {hints_.likely.begin(), hints_.likely.begin() + end};
  }

  void likely_lengths() {
    for (const std::int64_t length : hints_.likely) {
      if (!open()) return;
      add(Widths::uniform(length));
    }
  }

  void lengths_beside_each_other() {
    std::vector<std::size_t> maps;
    for (std::size_t f = 0; f < flow_.size() && maps.size() < kMapsMax; ++f) {
      const std::vector<Edge>& edges = flow_.ir(f).edges;
      if (std::any_of(edges.begin(), edges.end(),
                      [](const Edge& edge) { return edge.input_type == InputType::map; })) {
        maps.push_back(f);
      }
    }
    for (const std::int64_t step : {1, 2}) {
      for (const std::size_t map : maps) {
        for (const std::int64_t length : {2, 3, 4}) {
          if (!open()) return;
          add(Widths::one_other(length, map, length + step));
          add(Widths::one_other(length + step, map, length));
          add(Widths::one_other(length, map, step + 1 == 2 ? 2 * length : length * length));
        }
      }
    }
    for (const std::int64_t first : {2, 3, 4, 6}) {
      for (const std::int64_t step : {1, -1, 2}) {
        if (!open()) return;
        add(Widths::slope(first, step));
      }
    }
  }

  void random_lengths() {
    for (std::uint64_t seed = 0; seed < kMixedMax; ++seed) {
      for (const bool by_row : {false, true}) {
        if (!open()) return;
        // Few choices first: where two lengths must agree, that is likelier among few.
        add(Widths::mixed(first_likely(4 + seed), seed + 100, by_row));
      }
    }
  }

  void deep_recursion() {
    if (!cut_ || hints_.levels < 2 || !open()) return;
    for (std::size_t depth = 3; depth <= std::min(hints_.levels + 1, kRecursionMax); ++depth) {
      setting_.recursion = depth;
      if (!add(Widths::uniform(2))) break;
    }
    setting_.recursion = 2;
  }

  static void weaken(Finding& finding, const std::string& why) {
    if (finding.severity == Severity::error) finding.severity = Severity::warning;
    finding.message += "; " + why;
  }

  void report() {
    for (auto& [key, known] : known_) {
      Finding finding = known.finding;
      const bool error = finding.severity == Severity::error;
      if (error && known.other_lists && !known.example.empty()) {
        weaken(finding, "so it is " + known.example + ", other lengths may be right");
      } else if (error && known.other_caller) {
        weaken(finding, "frames that the caller gives may make it right");
      } else if (error && !known.certain) {
        weaken(finding, known.doubt == Doubt::depth ? "with other frames it may be right"
                        : known.doubt == Doubt::length
                            ? "longer lists may be right"
                            : "a result decides whether it comes to that");
      } else if (error && has_lists_ && with_lists_ < kProofMin) {
        weaken(finding, "the workflow is too large to try whether other lengths are right");
      }
      findings_.push_back(std::move(finding));
    }
  }

  /// Looks behind edges that no sample took. What is wrong there may be wrong for the lists of the
  /// sample only: it is an error if it does not depend on them.
  void behind_conditions() {
    if (!has_unseen_edges() || work_ >= kWorkMax) return;
    std::vector<bool> forced(flow_.edge_count(), false);
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      for (std::size_t e = 0; e < flow_.ir(f).edges.size(); ++e) {
        if (is_unseen(f, e)) forced[flow_.edge_id(f, e)] = true;
      }
    }
    std::map<Sample::Key, Known> before;
    std::swap(before, known_);
    setting_.forced = &forced;
    const std::vector<char> seen = seen_;
    add(Widths::uniform(2));
    add(Widths::uniform(3));
    setting_.forced = nullptr;
    for (auto& [key, known] : known_) {
      if (before.contains(key) || seen[id_of(key)] != 0) continue;
      Finding finding = known.finding;
      if (finding.severity != Severity::error) continue;
      const bool proved = known.certain && std::get<0>(key) == "two-ways";
      if (!proved) {
        weaken(finding, "it stands behind a Conditional that was false for all lists tried");
      }
      findings_.push_back(std::move(finding));
    }
  }

  const Flow& flow_;
  std::vector<Finding>& findings_;
  WidthHints hints_;
  SampleSetting setting_;
  std::map<Sample::Key, Known> known_;
  std::vector<char> seen_;        // By edge id: taken by a sample before.
  std::vector<char> seen_whole_;  // The same, by one that looked for incomplete fan-ins.
  std::size_t samples_ = 0;
  std::size_t with_lists_ = 0;
  std::size_t work_ = 0;
  bool has_lists_ = false;
  bool cut_ = false;
};

}  // namespace

void check_samples(const Flow& flow, std::vector<Finding>& findings) {
  Sampling(flow, findings).check();
}

}  // namespace unum
