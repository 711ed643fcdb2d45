// How long the lists are in the samples of a workflow. Private to the application layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "application/flow.hpp"

namespace unum {

/// What the texts of an application tell about the lengths that it is written for.
struct WidthHints {
  /// For a mapping function and the indexes of its instance: the length that lists of literal names
  /// ask for.
  std::map<std::pair<std::size_t, std::vector<std::int64_t>>, std::int64_t> by_row;
  /// Mapping functions for which something in the text is about lists of one element. Elsewhere a
  /// list of one proves nothing: what merges all branches into one is right there by chance.
  std::unordered_set<std::size_t> ones;
  /// Lengths of two and more that constants in the text make likely, the likeliest first.
  std::vector<std::int64_t> likely;
  /// The most levels that any text speaks of.
  std::size_t levels = 0;
};

WidthHints find_width_hints(const Flow& flow);

/// The length of every list in one sample. A pure function of what is set here. All Map edges of an
/// instance share its result, and so their length.
class Widths {
 public:
  /// Every list has the same length.
  static Widths uniform(std::int64_t length);
  /// All have `length` but those of one mapping function.
  static Widths one_other(std::int64_t length, std::size_t function, std::int64_t other);
  /// One more element (or fewer) for each step of the mapping instance's innermost index.
  static Widths slope(std::int64_t first, std::int64_t step);
  /// A choice for each mapping function, or for each of its instances.
  static Widths mixed(std::vector<std::int64_t> choices, std::uint64_t seed, bool by_row);

  /// Lists that literal names ask a length for have that length.
  Widths& follow(const WidthHints& hints) {
    hints_ = &hints;
    return *this;
  }
  /// Functions that may map one element do so, all of them or by choice.
  Widths& with_ones(const std::unordered_set<std::size_t>& functions) {
    ones_ = &functions;
    return *this;
  }

  std::int64_t of(std::size_t function, std::span<const Frame> frames) const;

 private:
  std::vector<std::int64_t> choices_{2};
  std::uint64_t seed_ = 0;
  bool by_row_ = false;
  std::int64_t step_ = 0;
  std::unordered_map<std::size_t, std::int64_t> other_;
  const WidthHints* hints_ = nullptr;
  const std::unordered_set<std::size_t>* ones_ = nullptr;
};

}  // namespace unum
