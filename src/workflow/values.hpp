// `Values` of a fan-in: patterns, and the ordered list of instance names that they stand for.
//
// A list is kept as runs (a name whose one index counts up), so that a contributor's work does not
// grow with the width of the fan-in: its own place and the list's digest cost one check of each
// run.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unum/json.hpp"
#include "workflow/expression.hpp"
#include "workflow/frames.hpp"

namespace unum {

enum class IndexOrder : std::uint8_t { innermost_first, outermost_first };

/// An ordered list of instance names in runs. Equal lists have equal runs, however they were
/// written.
class NameList {
 public:
  struct Run {
    InstanceName first;
    std::size_t axis = 0;  ///< Which index counts up (meaningless while length is 1).
    std::int64_t length = 1;
    friend bool operator==(const Run&, const Run&) = default;
  };

  void append(const InstanceName& name);
  /// Appends `length` names, the index at `axis` counting up from first's; the same as appending
  /// each.
  void append_run(const InstanceName& first, std::size_t axis, std::int64_t length);

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// The name at a place < size(). O(runs).
  std::string name(std::size_t place) const;
  /// The same, in its pieces.
  InstanceName at(std::size_t place) const;
  /// Every place of `name`, in order; a list may repeat names. O(runs).
  std::vector<std::size_t> places_of(const InstanceName& name) const;
  /// The first place of `name`, if it is listed. O(runs).
  std::optional<std::size_t> place_of(const InstanceName& name) const;
  /// All names, in order.
  std::vector<std::string> names() const;
  /// Calls `each` with each name, in order; the text is valid until `each` returns.
  template <class Each>
  void for_each(Each&& each) const {
    std::string name;
    for (const Run& run : runs_) {
      for (std::int64_t place = 0; place < run.length; ++place) {
        name.clear();
        append_name(name, run, place);
        each(std::string_view(name));
      }
    }
  }
  /// A readable abbreviation for messages: `F-unumIndex-0 .. F-unumIndex-999, G` (bounded length).
  std::string summary() const;
  /// 128 bits as 32 hex digits; equal for equal lists, the same on every machine and in every
  /// version.
  std::string digest() const;
  std::span<const Run> runs() const noexcept { return runs_; }
  /// Appends the list as a JSON array: a name, or {"From": name, "To": name} for a run.
  void append_json(std::string& out) const;
  /// Reads that array. A string that is no instance's name stands for itself. Throws `invalid`,
  /// code "Unum.NameList", naming the element and what is wrong with it; `exhausted` beyond
  /// kFanOutMax names. Its work and memory grow with the text, whatever the runs in it are.
  static NameList from_json(json::View array);

  friend bool operator==(const NameList&, const NameList&) = default;

 private:
  static void append_name(std::string& out, const Run& run, std::int64_t place);

  std::vector<Run> runs_;
  std::size_t size_ = 0;
};

/// One entry of `Values`, parsed.
class ValuesPattern {
 public:
  /// Accepts literal names, `$k`, `*`, `(expression)`, `$0+1` without parentheses, and
  /// `-UnumIndex-`. Throws `invalid` (origin "ir") with a caret under the place.
  static ValuesPattern parse(std::string_view text, IndexOrder order, std::string_view where);

  const std::string& function() const noexcept { return function_; }
  /// Number of index parts; 0 for a plain name.
  std::size_t parts() const noexcept { return parts_.size(); }
  bool has_star() const noexcept;
  /// Whether the names depend on the index at level 0 of the instance that expands them.
  bool uses_level0_index() const noexcept;
  const std::string& text() const noexcept { return text_; }
  /// The same pattern as it is written with IndexOrder::innermost_first.
  std::string innermost_first_text() const;

  /// Appends the names for an instance with these frames. Throws `invalid`, code
  /// "Unum.NoSuchInstance", for a computed part outside its level or a level that the instance does
  /// not have, code "Unum.Expression" for an expression that fails; `exhausted` beyond kFanOutMax
  /// names.
  void expand(std::span<const Frame> frames, NameList& out) const;

  /// The level-0 indexes j below `sibling_limit(frames)` of siblings (same frames but for level 0's
  /// index) whose expansion has `name`; nothing if that cannot be found without trying each
  /// sibling. A sibling whose expansion is an error names nothing.
  std::optional<std::vector<IndexRange>> siblings_naming(const InstanceName& name,
                                                         std::span<const Frame> frames) const;

  /// Which frames an instance must have for its expansion to have `name`, level by level from
  /// level 0: an index, or nothing where each index will do, or where the form does not tell. No
  /// value at all if no instance with as many frames as these names it. `frames` are those of an
  /// instance of the same fan-outs; only the size of its outermost level is known to be the
  /// others', too.
  std::optional<std::vector<std::optional<std::int64_t>>> frames_naming(
      const InstanceName& name, std::span<const Frame> frames) const;
  /// Whether instances in other rows (another index at an outer level) may name an instance of
  /// `function` with `depth` frames: an outer part is something else than the index of its level.
  bool may_cross_rows(std::string_view function, std::size_t depth) const;
  /// Whether a part stands for one of the innermost `levels` levels: `*`, `$k`, `$size`.
  bool uses_inner_levels(std::size_t levels) const noexcept;
  /// How many levels an instance must have for every `$k` and `*` to stand for something.
  unsigned levels_needed() const noexcept;
  /// Whether the pattern is the same name for all instances.
  bool is_literal() const noexcept;
  /// The indexes, innermost first, if all parts are literal.
  std::optional<std::vector<std::int64_t>> literal_indexes() const;
  /// Appends the integers that are written in the parts.
  void add_constants(std::vector<std::int64_t>& out) const;

  /// Whether an instance of `function` with `depth` frames could be named by this pattern.
  bool may_name(std::string_view function, std::size_t depth) const;

 private:
  struct Part {
    enum class Kind : std::uint8_t { literal, star, expression };
    Kind kind = Kind::literal;
    std::int64_t literal = 0;
    std::optional<Expression> expression;
    std::optional<unsigned> bound_level;  ///< `*` is bound to 0, an expression over one `$k` to k.
  };
  /// Reads the part at [begin, end) of the text.
  void add_part(std::size_t begin, std::size_t end);
  /// Which part gives each index of the name, innermost first, for an instance with `depth` frames.
  std::vector<std::size_t> order_for(std::size_t depth) const;
  /// Whether a computed part may have this value; `level` is where the name has it.
  bool within_bounds(const Part& part, std::int64_t value, std::size_t level,
                     std::span<const Frame> frames) const;
  /// The siblings for which a part is `wanted`; nothing if its form does not tell.
  std::optional<IndexRange> part_naming(const Part& part, std::int64_t wanted, std::size_t level,
                                        std::span<const Frame> frames) const;
  /// The index at `level` with which a part is `wanted`: false if there is none.
  bool solve_part(const Part& part, std::int64_t wanted, std::size_t level,
                  std::span<const Frame> frames, std::optional<std::int64_t>& index) const;

  std::string text_;
  std::string function_;
  std::string where_;
  IndexOrder order_ = IndexOrder::innermost_first;
  std::vector<Part> parts_;
};

}  // namespace unum
