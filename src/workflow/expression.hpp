// Expressions of conditionals, payload modifiers and `Values` patterns: parsed once, evaluated
// often.
//
// The language is described in docs/formats.md. No text ever reaches an evaluator of another
// language.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unum/json.hpp"
#include "workflow/frames.hpp"

namespace unum {

/// Where an expression stands; decides which variables it may use.
enum class ExpressionUse : std::uint8_t {
  conditional,  ///< Frames, `$ret`, `$out`; the value must be a condition.
  modifier,     ///< Frames; the value must be an integer.
  values,       ///< Frames; the value must be an integer.
};

/// What an expression sees.
struct Scope {
  std::span<const Frame> frames;       ///< Innermost first.
  std::optional<json::View> result{};  ///< The user's result, for `$ret`.
};

struct ExpressionText;  // private to expression*.cpp

/// Half-open ranges of level-0 indexes, ascending and disjoint.
struct IndexRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

class Expression {
 public:
  struct Node;  // the parsed tree; private to expression*.cpp

  /// Throws `invalid` with origin "ir", code "Unum.Expression"; the message has `where`, the text,
  /// and a caret under the place; `exhausted` beyond a limit. An expression without variables is
  /// evaluated here, so that a constant error shows at load.
  static Expression parse(std::string_view text, ExpressionUse use, std::string_view where);

  /// The same for the part [begin, end) of a longer text; a message shows the whole of it.
  static Expression parse_within(std::string_view whole, std::size_t begin, std::size_t end,
                                 ExpressionUse use, std::string_view where);

  /// The truth of a conditional. Throws `invalid` with code "Unum.Expression" and the position. Of
  /// `scope.result` only what the path names is decoded.
  bool is_true(const Scope& scope) const;

  /// The value of an integer expression. Throws as `is_true`.
  std::int64_t integer(const Scope& scope) const;

  bool uses_result() const noexcept;
  /// Bit k is set if `$k` is used (k < 64).
  std::uint64_t index_levels() const noexcept;
  /// Bit k is set if `$size` of level k is used.
  std::uint64_t size_levels() const noexcept;
  /// The value of a conditional that has no variables.
  std::optional<bool> constant() const noexcept;
  /// Exactly `$k` and nothing else.
  std::optional<unsigned> bare_index() const noexcept;

  /// a and b of a*$0 + b (other levels and sizes taken from `scope`); nothing if not of that form,
  /// or if an index below `sibling_limit(scope.frames)` might give an error.
  struct Affine {
    std::int64_t factor = 0;
    std::int64_t offset = 0;
  };
  std::optional<Affine> affine_in_level0(const Scope& scope) const {
    return affine_in_level(0, scope);
  }
  /// The same for `$k` of another level; 64 bits hold it for each index that a fan-out can have.
  std::optional<Affine> affine_in_level(unsigned level, const Scope& scope) const;

  /// The level-0 indexes below `sibling_limit(scope.frames)` for which this conditional is true,
  /// found without trying each one; nothing if the form does not allow that, or if an index might
  /// give an error (then the caller evaluates sibling by sibling). `$ret` never allows it.
  std::optional<std::vector<IndexRange>> true_indexes(const Scope& scope) const;

  /// What this conditional may give for some result, as far as the frames alone tell.
  struct Outcomes {
    bool may_be_true = false;
    bool may_be_false = false;
    std::string error;  ///< Of an error that the frames bring about; empty if they bring none.
  };
  Outcomes outcomes(std::span<const Frame> frames) const;

  /// Appends the integers that are written in the text, and what is computed from them alone.
  void add_constants(std::vector<std::int64_t>& out) const;
  /// Whether a `$size` is compared with 1 or 2, as where a list of one element goes another way.
  bool singles_out_one_element() const;

  const std::string& text() const noexcept { return text_; }

 private:
  void read(ExpressionUse use);
  ExpressionText place() const noexcept;

  std::string text_;
  std::string where_;
  std::string whole_;       // what messages show instead of text_, unless empty,
  std::size_t offset_ = 0;  // and where text_ begins in it
  std::optional<bool> constant_;
  std::shared_ptr<const Node> root_;
};

/// One entry of `Payload Modifiers`.
class Modifier {
 public:
  enum class Kind : std::uint8_t { pop, push, set_index, set_size };

  /// `Pop`, `Push`, `$k = <integer expression>`, `$size = ...`, `$sizeK = ...`.
  static Modifier parse(std::string_view text, std::string_view where);

  /// Changes `frames` in place. Throws `invalid` with code "Unum.Modifier", `exhausted` for a level
  /// beyond kFramesMax; then `frames` is unchanged.
  void apply(Frames& frames) const;

  Kind kind() const noexcept { return kind_; }
  unsigned level() const noexcept { return level_; }
  const std::optional<Expression>& value() const noexcept { return value_; }
  const std::string& text() const noexcept { return text_; }

 private:
  Kind kind_ = Kind::pop;
  unsigned level_ = 0;
  std::optional<Expression> value_;
  std::string text_;
  std::string where_;
};

}  // namespace unum
