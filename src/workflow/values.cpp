// Patterns of `Values`: parsing, expanding, and finding whose expansion has a name.
#include "workflow/values.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"
#include "workflow/expression_node.hpp"

namespace unum {
namespace {

constexpr std::string_view kMarker = "-unumIndex-";
constexpr std::string_view kOtherMarker = "-UnumIndex-";

/// The end of the part that begins at `begin`: a dot outside of parentheses, or the text's end.
std::size_t part_end(std::string_view text, std::size_t begin) {
  int depth = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '(' || text[i] == '[') ++depth;
    if (text[i] == ')' || text[i] == ']') --depth;
    if (text[i] == '.' && depth <= 0) return i;
  }
  return text.size();
}

[[noreturn]] void fail_instance(std::string_view where, std::string_view text,
                                const std::string& reason) {
  std::string message(where);
  message.append(where.empty() ? "" : ": ").append("'").append(text).append("': ").append(reason);
  throw Error(ErrorKind::invalid, "ir", "Unum.NoSuchInstance", std::move(message));
}

}  // namespace

ValuesPattern ValuesPattern::parse(std::string_view text, IndexOrder order,
                                   std::string_view where) {
  ValuesPattern out;
  out.text_ = text;
  out.where_ = where;
  out.order_ = order;
  const ExpressionText place{out.text_, out.where_};
  const std::string_view whole = out.text_;
  const std::size_t marker = std::min(whole.find(kMarker), whole.find(kOtherMarker));
  out.function_ = whole.substr(0, marker);
  if (const std::optional<std::string> defect = function_name_defect(out.function_)) {
    place.fail(0, "the function's name " + *defect +
                      "; an entry is <Function> or <Function>-unumIndex-<part>.<part>...");
  }
  if (marker == std::string_view::npos) return out;
  for (std::size_t begin = marker + kMarker.size(); begin <= whole.size();) {
    const std::size_t end = part_end(whole, begin);
    if (out.parts_.size() == kFramesMax) {
      throw Error(ErrorKind::exhausted, "ir", "Unum.Expression",
                  out.where_ + ": more than " + std::to_string(kFramesMax) + " index parts" +
                      with_caret(whole, begin));
    }
    out.add_part(begin, end);
    begin = end + 1;
  }
  return out;
}

void ValuesPattern::add_part(std::size_t begin, std::size_t end) {
  const ExpressionText place{text_, where_};
  const std::string_view text = json::trim(std::string_view(text_).substr(begin, end - begin));
  Part part;
  if (text.empty()) place.fail(begin, "an index part is empty");
  begin = static_cast<std::size_t>(text.data() - text_.data());
  if (text == "*") {
    part.kind = Part::Kind::star;
    part.bound_level = 0;
  } else if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    part.kind = Part::Kind::literal;
    const char* past = text.data() + text.size();
    if (text.size() > 1 && text[0] == '0') place.fail(begin, "an index has no leading zero");
    if (std::from_chars(text.data(), past, part.literal).ec != std::errc()) {
      place.fail(begin, "the index does not fit 63 bits");
    }
  } else {
    if (text.find_first_of("($") == std::string_view::npos) {
      place.fail(begin, "an index part is a number, '*', $k or an expression in parentheses");
    }
    part.kind = Part::Kind::expression;
    part.expression =
        Expression::parse_within(text_, begin, begin + text.size(), ExpressionUse::values, where_);
    const std::uint64_t levels = part.expression->index_levels();
    if (std::has_single_bit(levels))
      part.bound_level = static_cast<unsigned>(std::countr_zero(levels));
  }
  for (const Part& other : parts_) {
    if (part.bound_level && other.bound_level == part.bound_level) {
      place.fail(begin, "two parts are bound to level " + std::to_string(*part.bound_level) +
                            "; '*' and $0 stand for level 0, $1 for the level around it");
    }
  }
  parts_.push_back(std::move(part));
}

bool ValuesPattern::has_star() const noexcept {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return part.kind == Part::Kind::star; });
}

bool ValuesPattern::uses_level0_index() const noexcept {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
    return part.expression && (part.expression->index_levels() & 1u) != 0;
  });
}

std::vector<std::size_t> ValuesPattern::order_for(std::size_t depth) const {
  std::vector<std::size_t> order(parts_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const bool literal = std::all_of(parts_.begin(), parts_.end(), [](const Part& part) {
    return part.kind == Part::Kind::literal;
  });
  if (literal) {
    if (order_ == IndexOrder::outermost_first) std::reverse(order.begin(), order.end());
    return order;
  }
  if (depth != parts_.size()) return order;  // another depth: as written
  constexpr std::size_t kFree = SIZE_MAX;
  std::fill(order.begin(), order.end(), kFree);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!parts_[i].bound_level) continue;
    if (*parts_[i].bound_level >= depth) {
      fail_instance(where_, text_,
                    "the instance has no level " + std::to_string(*parts_[i].bound_level) +
                        ", its frames are " + std::to_string(depth));
    }
    order[*parts_[i].bound_level] = i;
  }
  std::size_t level = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].bound_level) continue;
    while (order[level] != kFree) ++level;
    order[level] = i;
  }
  return order;
}

bool ValuesPattern::within_bounds(const Part& part, std::int64_t value, std::size_t level,
                                  std::span<const Frame> frames) const {
  if (part.kind != Part::Kind::expression || part.expression->bare_index()) return true;
  if (value < 0) return false;
  const bool same_depth = frames.size() == parts_.size();
  if (!same_depth && !part.bound_level) return true;
  const std::size_t bounding = same_depth ? level : *part.bound_level;
  if (bounding >= frames.size() || frames[bounding].type == FrameType::loop) return true;
  return value < frames[bounding].size;
}

void ValuesPattern::expand(std::span<const Frame> frames, NameList& out) const {
  InstanceName name{function_, {}};
  std::optional<std::size_t> star;
  const std::vector<std::size_t> order = order_for(frames.size());
  name.indexes.reserve(order.size());
  for (std::size_t level = 0; level < order.size(); ++level) {
    const Part& part = parts_[order[level]];
    std::int64_t value = part.literal;
    if (part.kind == Part::Kind::star) {
      if (frames.empty())
        fail_instance(where_, text_, "'*' stands for level 0, the instance has no frame");
      star = level;
    } else if (part.kind == Part::Kind::expression) {
      value = part.expression->integer(Scope{frames, std::nullopt});
      if (!within_bounds(part, value, level, frames)) {
        fail_instance(where_, text_,
                      "there is no instance with the index " + std::to_string(value) +
                          ", given by '" + part.expression->text() + "'");
      }
    }
    name.indexes.push_back(value);
  }
  const std::int64_t count = star ? frames[0].size : 1;
  if (count > kFanOutMax || static_cast<std::int64_t>(out.size()) > kFanOutMax - count) {
    throw Error(ErrorKind::exhausted, "ir", "Unum.FanInTooWide",
                where_ + ": '" + text_ + "': a fan-in takes at most " + std::to_string(kFanOutMax) +
                    " names");
  }
  if (star) {
    out.append_run(name, *star, count);
  } else {
    out.append(name);
  }
}

std::optional<std::vector<IndexRange>> ValuesPattern::siblings_naming(
    const InstanceName& name, std::span<const Frame> frames) const {
  IndexRange found{0, sibling_limit(frames)};
  const std::vector<IndexRange> none;
  if (name.function != function_ || name.indexes.size() != parts_.size()) return none;
  bool undecided = false;
  try {
    const std::vector<std::size_t> order = order_for(frames.size());
    for (std::size_t level = 0; level < order.size(); ++level) {
      const std::optional<IndexRange> range =
          part_naming(parts_[order[level]], name.indexes[level], level, frames);
      undecided |= !range;
      if (range) found = {std::max(found.begin, range->begin), std::min(found.end, range->end)};
    }
  } catch (const Error&) {
    return none;  // an error for every sibling: none of them names anything
  }
  if (found.begin >= found.end) return none;
  if (undecided) return std::nullopt;
  return std::vector<IndexRange>{found};
}

std::optional<IndexRange> ValuesPattern::part_naming(const Part& part, std::int64_t wanted,
                                                     std::size_t level,
                                                     std::span<const Frame> frames) const {
  const IndexRange all{0, sibling_limit(frames)};
  const IndexRange none{0, 0};
  if (part.kind == Part::Kind::literal) return part.literal == wanted ? all : none;
  if (part.kind == Part::Kind::star) {
    return !frames.empty() && wanted >= 0 && wanted < frames[0].size ? all : none;
  }
  const Scope scope{frames, std::nullopt};
  if (!within_bounds(part, wanted, level, frames)) return none;
  if ((part.expression->index_levels() & 1u) == 0) {
    return part.expression->integer(scope) == wanted ? all : none;
  }
  const std::optional<Expression::Affine> form = part.expression->affine_in_level0(scope);
  if (!form) return std::nullopt;
  if (form->factor == 0) return form->offset == wanted ? all : none;
  // Within 64 bits: neither an index nor the offset is that far below 0, or the form would not be
  // here.
  __extension__ using Wide = __int128;
  const Wide distance = Wide{wanted} - form->offset;
  if (distance % form->factor != 0) return none;
  const Wide index = distance / form->factor;
  if (index < 0 || index >= all.end) return none;
  return IndexRange{static_cast<std::int64_t>(index), static_cast<std::int64_t>(index) + 1};
}

std::optional<std::vector<std::optional<std::int64_t>>> ValuesPattern::frames_naming(
    const InstanceName& name, std::span<const Frame> frames) const {
  if (!may_name(name.function, frames.size()) || name.indexes.size() != parts_.size()) {
    return std::nullopt;
  }
  std::vector<std::optional<std::int64_t>> indexes(parts_.size());
  try {
    const std::vector<std::size_t> order = order_for(frames.size());
    for (std::size_t level = 0; level < order.size(); ++level) {
      if (!solve_part(parts_[order[level]], name.indexes[level], level, frames, indexes[level])) {
        return std::nullopt;
      }
    }
  } catch (const Error&) {
    return std::nullopt;  // an error for every instance of that depth
  }
  return indexes;
}

bool ValuesPattern::solve_part(const Part& part, std::int64_t wanted, std::size_t level,
                               std::span<const Frame> frames,
                               std::optional<std::int64_t>& index) const {
  if (part.kind == Part::Kind::star) return true;
  if (part.kind == Part::Kind::literal) return part.literal == wanted;
  const Expression& expression = *part.expression;
  const std::size_t outermost = frames.size() - 1;
  const auto bit = [](std::size_t k) { return k < 64 ? std::uint64_t{1} << k : 0; };
  const bool sizes_known = (expression.size_levels() & ~bit(outermost)) == 0;
  const bool alone = (expression.index_levels() & ~bit(level)) == 0;
  if (!sizes_known || !alone) return true;
  const auto form = expression.affine_in_level(static_cast<unsigned>(level), {frames, {}});
  if (!form) return true;
  if (form->factor == 0) return form->offset == wanted;
  __extension__ using Wide = __int128;
  const Wide distance = Wide{wanted} - form->offset;
  if (distance % form->factor != 0) return false;
  const Wide found = distance / form->factor;
  // Other rows may be wider, but no level is wider than a fan-out may be.
  const bool bounded = level == outermost && frames[level].type != FrameType::loop;
  if (found < 0 || found >= (bounded ? frames[level].size : kFanOutMax)) return false;
  index = static_cast<std::int64_t>(found);
  return true;
}

bool ValuesPattern::may_cross_rows(std::string_view function, std::size_t depth) const {
  if (depth < 2 || !may_name(function, depth)) return false;
  try {
    const std::vector<std::size_t> order = order_for(depth);
    for (std::size_t level = 1; level < order.size(); ++level) {
      const Part& part = parts_[order[level]];
      if (part.kind != Part::Kind::expression || part.expression->bare_index() != level) {
        return true;
      }
    }
  } catch (const Error&) {
    // An error for every instance of that depth: none of them names anything.
  }
  return false;
}

bool ValuesPattern::uses_inner_levels(std::size_t levels) const noexcept {
  const std::uint64_t inner = levels >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << levels) - 1;
  return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
    if (part.kind == Part::Kind::star) return levels > 0;
    if (!part.expression) return false;
    return ((part.expression->index_levels() | part.expression->size_levels()) & inner) != 0;
  });
}

unsigned ValuesPattern::levels_needed() const noexcept {
  unsigned levels = 0;
  for (const Part& part : parts_) {
    if (part.kind == Part::Kind::star) levels = std::max(levels, 1u);
    if (!part.expression) continue;
    const std::uint64_t used = part.expression->index_levels() | part.expression->size_levels();
    levels = std::max(levels, static_cast<unsigned>(std::bit_width(used)));
  }
  return levels;
}

bool ValuesPattern::is_literal() const noexcept {
  return std::all_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return part.kind == Part::Kind::literal; });
}

std::optional<std::vector<std::int64_t>> ValuesPattern::literal_indexes() const {
  if (!is_literal()) return std::nullopt;
  std::vector<std::int64_t> indexes;
  for (const Part& part : parts_) indexes.push_back(part.literal);
  if (order_ == IndexOrder::outermost_first) std::reverse(indexes.begin(), indexes.end());
  return indexes;
}

std::string ValuesPattern::innermost_first_text() const {
  const std::optional<std::vector<std::int64_t>> indexes = literal_indexes();
  if (order_ == IndexOrder::innermost_first || !indexes || indexes->size() < 2) return text_;
  NameList list;
  list.append({function_, *indexes});
  return list.name(0);
}

void ValuesPattern::add_constants(std::vector<std::int64_t>& out) const {
  for (const Part& part : parts_) {
    if (part.kind == Part::Kind::literal) out.push_back(part.literal);
    if (part.expression) part.expression->add_constants(out);
  }
}

bool ValuesPattern::may_name(std::string_view function, std::size_t depth) const {
  return depth == parts_.size() && function == function_;
}

}  // namespace unum
