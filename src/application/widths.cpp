// Lengths of lists for samples: from the constants in the application's texts.
#include "application/widths.hpp"

#include <algorithm>
#include <bit>
#include <set>

namespace unum {
namespace {

// A sample with longer lists costs too much; a workflow for such lists is not judged by its
// lengths.
constexpr std::int64_t kLengthMax = 4'000;
// Constants that are combined with each other, the smallest.
constexpr std::size_t kCombinedMax = 24;
constexpr std::size_t kLikelyMax = 400;

/// A hash that gives the same on every machine.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

class HintFinder {
 public:
  explicit HintFinder(const Flow& flow) : flow_(flow) {}

  WidthHints find() {
    for (std::size_t f = 0; f < flow_.size(); ++f) {
      for (const Edge& edge : flow_.ir(f).edges) {
        if (!Flow::is_dead(edge)) read(f, edge);
      }
    }
    for (const auto& [place, length] : hints_.by_row) {
      if (length == 1) hints_.ones.insert(place.first);
    }
    find_likely();
    return std::move(hints_);
  }

 private:
  void read(std::size_t f, const Edge& edge) {
    if (edge.conditional) {
      read(*edge.conditional);
      if (edge.conditional->singles_out_one_element()) {
        for (const Shape& shape : flow_.shapes(f)) {
          for (const ShapeFrame& frame : shape) hints_.ones.insert(flow_.function_of(frame.origin));
        }
      }
    }
    for (const Modifier& modifier : edge.modifiers) {
      if (modifier.value()) read(*modifier.value());
    }
    for (const ValuesPattern& pattern : edge.values) {
      pattern.add_constants(constants_);
      hints_.levels = std::max<std::size_t>(
          {hints_.levels, pattern.levels_needed(), std::size_t{pattern.parts()}});
      if (const auto indexes = pattern.literal_indexes()) literal(pattern.function(), *indexes);
      trim();
    }
  }

  void read(const Expression& expression) {
    expression.add_constants(constants_);
    const std::uint64_t used = expression.index_levels() | expression.size_levels();
    hints_.levels = std::max(hints_.levels, static_cast<std::size_t>(std::bit_width(used)));
    trim();
  }

  void trim() {
    if (constants_.size() < 100'000) return;
    std::sort(constants_.begin(), constants_.end());
    constants_.erase(std::unique(constants_.begin(), constants_.end()), constants_.end());
    std::erase_if(constants_, [](std::int64_t c) { return c < 0 || c > kLengthMax; });
  }

  void literal(const std::string& function, const std::vector<std::int64_t>& indexes) {
    const std::size_t f = flow_.index_of(function);
    if (f == Flow::kNone || indexes.empty()) return;
    for (const Shape& shape : flow_.shapes(f)) {
      if (shape.size() != indexes.size()) continue;
      for (std::size_t k = 0; k < shape.size(); ++k) {
        if (shape[k].type != FrameType::map || indexes[k] >= kLengthMax) continue;
        const std::vector<std::int64_t> outer(indexes.begin() + static_cast<std::ptrdiff_t>(k) + 1,
                                              indexes.end());
        std::int64_t& length = hints_.by_row[{flow_.function_of(shape[k].origin), outer}];
        length = std::max(length, indexes[k] + 1);
      }
    }
  }

  void find_likely() {
    std::sort(constants_.begin(), constants_.end());
    constants_.erase(std::unique(constants_.begin(), constants_.end()), constants_.end());
    std::erase_if(constants_, [](std::int64_t c) { return c < 0 || c > kLengthMax; });
    for (std::int64_t small = 2; small <= 8; ++small) add(small);
    for (const std::int64_t c : constants_) {
      for (const std::int64_t length : {c, c + 1, c + 2, c - 1, 2 * c, 2 * c + 1, 3 * c}) {
        add(length);
      }
    }
    for (std::int64_t small = 9; small <= 20; ++small) add(small);
    const std::size_t count = std::min(constants_.size(), kCombinedMax);
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = a; b < count; ++b) {
        const std::int64_t sum = constants_[a] + constants_[b];
        const std::int64_t product = constants_[a] * constants_[b];
        for (const std::int64_t length : {sum, sum + 1, product, product + 1, sum - 1}) add(length);
        for (std::size_t c = 0; c < count; ++c) add(product + constants_[c]);
      }
    }
    for (std::int64_t small = 21; small <= 64; ++small) add(small);
  }

  void add(std::int64_t length) {
    if (length < 2 || length > kLengthMax || hints_.likely.size() >= kLikelyMax) return;
    if (added_.insert(length).second) hints_.likely.push_back(length);
  }

  const Flow& flow_;
  WidthHints hints_;
  std::vector<std::int64_t> constants_;
  std::set<std::int64_t> added_;
};

}  // namespace

WidthHints find_width_hints(const Flow& flow) { return HintFinder(flow).find(); }

Widths Widths::uniform(std::int64_t length) {
  Widths out;
  out.choices_ = {length};
  return out;
}

Widths Widths::one_other(std::int64_t length, std::size_t function, std::int64_t other) {
  Widths out = uniform(length);
  out.other_[function] = other;
  return out;
}

Widths Widths::slope(std::int64_t first, std::int64_t step) {
  Widths out = uniform(first);
  out.step_ = step;
  return out;
}

Widths Widths::mixed(std::vector<std::int64_t> choices, std::uint64_t seed, bool by_row) {
  Widths out;
  out.choices_ = std::move(choices);
  out.seed_ = seed;
  out.by_row_ = by_row;
  return out;
}

std::int64_t Widths::of(std::size_t function, std::span<const Frame> frames) const {
  if (hints_ != nullptr) {
    std::vector<std::int64_t> indexes;
    for (const Frame& frame : frames) indexes.push_back(frame.index);
    const auto hint = hints_->by_row.find({function, indexes});
    if (hint != hints_->by_row.end()) return hint->second;
  }
  const auto other = other_.find(function);
  if (other != other_.end()) return other->second;
  std::uint64_t hash = mix(seed_ ^ mix(function));
  if (by_row_) {
    for (const Frame& frame : frames) {
      hash = mix(hash ^ static_cast<std::uint64_t>(frame.index));
    }
  }
  if (ones_ != nullptr && ones_->contains(function) && (choices_.size() == 1 || hash >> 63 == 0)) {
    return 1;
  }
  const std::int64_t length = choices_[hash % choices_.size()];
  if (step_ == 0 || frames.empty()) return length;
  return std::max<std::int64_t>(2, length + step_ * frames[0].index);
}

}  // namespace unum
