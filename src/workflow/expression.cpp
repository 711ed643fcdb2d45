// Expressions and payload modifiers: what callers see of them, and their messages.
#include "workflow/expression.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"
#include "workflow/expression_node.hpp"

namespace unum {
namespace {

/// Bytes of the text that a message shows around the place.
constexpr std::size_t kShownBytes = 100;

bool within_character(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80; }

[[noreturn]] void fail_modifier(ErrorKind kind, std::string_view text, std::string_view where,
                                std::string_view reason) {
  std::string message(where);
  message.append(where.empty() ? "" : ": ").append("the modifier '").append(text).append("': ");
  throw Error(kind, "ir", "Unum.Modifier", message.append(reason));
}

}  // namespace

std::string with_caret(std::string_view text, std::size_t position) {
  std::size_t begin =
      text.size() <= kShownBytes || position < kShownBytes / 2 ? 0 : position - kShownBytes / 2;
  std::size_t end = std::min(text.size(), begin + kShownBytes);
  while (begin > 0 && begin < text.size() && within_character(text[begin])) --begin;
  while (end < text.size() && within_character(text[end])) ++end;
  std::string line = begin > 0 ? "\n    ..." : "\n    ";
  std::size_t column = line.size() - 1;
  for (std::size_t i = begin; i < end; ++i) {
    const bool control = static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7F;
    line += control ? ' ' : text[i];
    if (i < position && !within_character(text[i])) ++column;
  }
  if (end < text.size()) line += "...";
  return line + "\n" + std::string(column, ' ') + "^";
}

void ExpressionText::fail(std::size_t position, std::string_view reason) const {
  std::string message(where);
  message.append(where.empty() ? "" : ": ").append(reason);
  message += whole.empty() ? with_caret(text, position) : with_caret(whole, offset + position);
  throw Error(ErrorKind::invalid, "ir", "Unum.Expression", std::move(message));
}

Expression Expression::parse(std::string_view text, ExpressionUse use, std::string_view where) {
  Expression out;
  out.text_ = text;
  out.where_ = where;
  out.read(use);
  return out;
}

Expression Expression::parse_within(std::string_view whole, std::size_t begin, std::size_t end,
                                    ExpressionUse use, std::string_view where) {
  Expression out;
  out.text_ = whole.substr(begin, end - begin);
  out.where_ = where;
  out.whole_ = whole;
  out.offset_ = begin;
  out.read(use);
  return out;
}

ExpressionText Expression::place() const noexcept { return {text_, where_, whole_, offset_}; }

void Expression::read(ExpressionUse use) {
  Node root = parse_expression(place(), use);
  if (use != ExpressionUse::conditional) {
    switch (root.kind) {
      case Node::Kind::comparison:
      case Node::Kind::all:
      case Node::Kind::any:
      case Node::Kind::logical_not:
        place().fail(root.position, "a condition stands where an integer must");
      default: break;
    }
  }
  const bool constant = !root.has_variables();
  root_ = std::make_shared<const Node>(std::move(root));
  // A constant that is wrong shows here and not on the first run that meets it.
  if (constant && use == ExpressionUse::conditional) constant_ = is_true(Scope{});
  if (constant && use != ExpressionUse::conditional) integer(Scope{});
}

bool Expression::is_true(const Scope& scope) const {
  if (constant_) return *constant_;
  return evaluate_condition(*root_, scope, place());
}

std::int64_t Expression::integer(const Scope& scope) const {
  const Value value = evaluate(*root_, scope, place());
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return *integer;
  if (value.is_number()) {
    place().fail(root_->position,
                 "the value must be an integer, this is a float; '//' divides to integers");
  }
  place().fail(root_->position,
               "the value must be an integer, this is " + std::string(value.type_name()));
}

bool Expression::uses_result() const noexcept { return root_->uses_result; }
std::uint64_t Expression::index_levels() const noexcept { return root_->index_levels; }
std::uint64_t Expression::size_levels() const noexcept { return root_->size_levels; }
std::optional<bool> Expression::constant() const noexcept { return constant_; }

std::optional<unsigned> Expression::bare_index() const noexcept {
  if (root_->kind != Node::Kind::index) return std::nullopt;
  return root_->level;
}

Modifier Modifier::parse(std::string_view text, std::string_view where) {
  Modifier out;
  out.text_ = text;
  out.where_ = where;
  const std::string_view trimmed = json::trim(out.text_);
  if (trimmed == "Pop") return out;
  if (trimmed == "Push") {
    out.kind_ = Kind::push;
    return out;
  }
  const ExpressionText place{out.text_, out.where_};
  constexpr std::string_view kForms =
      "a modifier is 'Pop', 'Push', '$k = <integer expression>' or '$size = <integer expression>'";
  const std::size_t begin = static_cast<std::size_t>(trimmed.data() - out.text_.data());
  const std::size_t sign = out.text_.find('=');
  if (sign == std::string::npos) place.fail(begin, kForms);
  // The target is an expression of its own, which checks the variable's spelling.
  const std::string_view target = std::string_view(out.text_).substr(0, sign);
  if (json::trim(target).empty()) place.fail(begin, kForms);
  const Expression::Node root = parse_expression({target, out.where_}, ExpressionUse::modifier);
  if (root.kind != Expression::Node::Kind::index && root.kind != Expression::Node::Kind::size)
    place.fail(begin, kForms);
  out.kind_ = root.kind == Expression::Node::Kind::index ? Kind::set_index : Kind::set_size;
  out.level_ = root.level;
  const std::string_view value = json::trim(std::string_view(out.text_).substr(sign + 1));
  const auto value_begin = static_cast<std::size_t>(value.data() - out.text_.data());
  out.value_ = Expression::parse_within(out.text_, value_begin, value_begin + value.size(),
                                        ExpressionUse::modifier, out.where_);
  if (out.value_->index_levels() == 0 && out.value_->size_levels() == 0 &&
      out.value_->integer(Scope{}) < 0) {
    place.fail(value_begin, "the value is negative");
  }
  return out;
}

void Modifier::apply(Frames& frames) const {
  if (kind_ == Kind::push) {
    if (frames.size() >= kFramesMax) {
      fail_modifier(ErrorKind::exhausted, text_, where_,
                    "an instance has at most " + std::to_string(kFramesMax) + " levels");
    }
    frames.insert(frames.begin(), Frame{FrameType::loop, 0, 1});
    return;
  }
  if (frames.empty()) return;  // without any frame there is nothing to drop or change
  if (kind_ == Kind::pop) {
    frames.erase(frames.begin());
    return;
  }
  if (level_ >= frames.size()) {
    fail_modifier(ErrorKind::invalid, text_, where_,
                  "the instance has no level " + std::to_string(level_) + ", its frames are " +
                      std::to_string(frames.size()));
  }
  std::int64_t value = 0;
  try {
    value = value_->integer(Scope{frames, std::nullopt});
  } catch (const Error& error) {
    throw Error(error.kind(), error.origin(), "Unum.Modifier", error.message());
  }
  if (value < 0) {
    fail_modifier(ErrorKind::invalid, text_, where_,
                  "the value " + std::to_string(value) + " is negative");
  }
  (kind_ == Kind::set_index ? frames[level_].index : frames[level_].size) = value;
}

}  // namespace unum
