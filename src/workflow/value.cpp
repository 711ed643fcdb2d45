// Values of expressions: from JSON, and how they compare.
#include "workflow/value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/json.hpp"

namespace unum {
namespace {

/// What a number is that no double can hold: infinite, or as good as zero.
double beyond_double(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t e = std::min(text.find_first_of("eE"), text.size());
  const std::string_view mantissa = text.substr(0, e);
  std::int64_t exponent = 0;
  if (e < text.size()) {
    const std::string_view digits = text.substr(e + (text[e + 1] == '+' ? 2 : 1));
    const auto end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, exponent).ec != std::errc()) {
      exponent = digits[0] == '-' ? -(std::int64_t{1} << 62) : std::int64_t{1} << 62;
    }
  }
  // The place of the first digit that counts, relative to the point.
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  const std::size_t first = mantissa.find_first_of("123456789");
  const std::int64_t magnitude =
      static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  const bool large = first != std::string_view::npos && exponent + magnitude > 0;
  const double value = large ? std::numeric_limits<double>::infinity() : 0.0;
  return negative ? -value : value;
}

Value parse_number(std::string_view raw) {
  const char* end = raw.data() + raw.size();
  if (raw.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t integer = 0;
    if (std::from_chars(raw.data(), end, integer).ec == std::errc()) return {integer};
  }
  double real = 0;
  if (std::from_chars(raw.data(), end, real).ec == std::errc()) return {real};
  return {beyond_double(raw)};
}

std::partial_ordering order_exactly(std::int64_t integer, double real) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (real >= kTwoTo63) return std::partial_ordering::less;
  if (real < -kTwoTo63) return std::partial_ordering::greater;
  if (std::isnan(real)) return std::partial_ordering::unordered;
  const auto whole = static_cast<std::int64_t>(real);
  if (integer != whole) return integer <=> whole;
  return 0.0 <=> real - static_cast<double>(whole);
}

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  const auto* a_integer = std::get_if<std::int64_t>(&a.data);
  const auto* b_integer = std::get_if<std::int64_t>(&b.data);
  if (a_integer && b_integer) return *a_integer <=> *b_integer;
  if (a_integer) return order_exactly(*a_integer, std::get<double>(b.data));
  if (b_integer) return 0 <=> order_exactly(*b_integer, std::get<double>(a.data));
  return std::get<double>(a.data) <=> std::get<double>(b.data);
}

/// Walks over the elements of a list, whether written in the expression or in the data.
class Items {
 public:
  explicit Items(const Value& list) {
    if (const auto* raw = std::get_if<Value::Json>(&list.data)) {
      reader_.emplace(raw->raw);
    } else {
      list_ = &std::get<Value::List>(list.data);
    }
  }

  /// The next element, valid until the next call; null at the end.
  const Value* next() {
    if (list_) return place_ < list_->size() ? &(*list_)[place_++] : nullptr;
    json::View raw;
    if (!reader_->next(raw)) return nullptr;
    decoded_ = Value::from_json(raw);
    return &decoded_;
  }

 private:
  std::optional<json::ElementReader> reader_;
  const Value::List* list_ = nullptr;
  std::size_t place_ = 0;
  Value decoded_;
};

bool lists_equal(const Value& a, const Value& b) {
  Items a_items(a);
  Items b_items(b);
  for (;;) {
    const Value* left = a_items.next();
    const Value* right = b_items.next();
    if (!left || !right) return !left && !right;
    if (!equal(*left, *right)) return false;
  }
}

/// The members sorted by key; of a repeated key the last counts.
std::vector<json::Member> sorted_members(json::View object) {
  std::vector<json::Member> out;
  json::MemberReader reader(object);
  json::View key;
  json::View value;
  while (reader.next(key, value)) out.push_back({json::string_value(key), value});
  // Reversed, so that the last of equal keys comes first and is the one that `unique` keeps.
  std::reverse(out.begin(), out.end());
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto same = [](const auto& a, const auto& b) { return a.key == b.key; };
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  return out;
}

bool objects_equal(json::View a, json::View b) {
  if (a == b) return true;
  const std::vector<json::Member> left = sorted_members(a);
  const std::vector<json::Member> right = sorted_members(b);
  const auto same = [](const auto& x, const auto& y) {
    return x.key == y.key && equal(Value::from_json(x.value), Value::from_json(y.value));
  };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), same);
}

}  // namespace

Value Value::from_json(json::View raw) {
  const std::string_view text = raw.text();
  switch (json::type_of(raw)) {
    case json::Type::null: return {};
    case json::Type::boolean: return {text[0] == 't'};
    case json::Type::number: return parse_number(text);
    case json::Type::string:
      if (text.find('\\') != std::string_view::npos) return {json::string_value(raw)};
      return {text.substr(1, text.size() - 2)};
    case json::Type::array:
    case json::Type::object: break;
  }
  return {Json{raw}};
}

double Value::real() const noexcept {
  if (const auto* integer = std::get_if<std::int64_t>(&data)) return static_cast<double>(*integer);
  const auto* number = std::get_if<double>(&data);
  return number ? *number : 0.0;
}

std::optional<std::string_view> Value::string() const noexcept {
  if (const auto* view = std::get_if<std::string_view>(&data)) return *view;
  if (const auto* text = std::get_if<std::string>(&data)) return *text;
  return std::nullopt;
}

bool Value::is_list() const noexcept {
  const auto* raw = std::get_if<Json>(&data);
  return raw ? raw->raw.text().starts_with('[') : std::holds_alternative<List>(data);
}

bool Value::is_object() const noexcept {
  const auto* raw = std::get_if<Json>(&data);
  return raw && raw->raw.text().starts_with('{');
}

std::string_view Value::type_name() const noexcept {
  if (std::holds_alternative<std::monostate>(data)) return "null";
  if (std::holds_alternative<bool>(data)) return "a boolean";
  if (is_number()) return "a number";
  if (is_list()) return "a list";
  return is_object() ? "an object" : "a string";
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0;
  if (const auto left = a.string()) {
    const auto right = b.string();
    return right && *left == *right;
  }
  if (a.is_list()) return b.is_list() && lists_equal(a, b);
  if (a.is_object()) {
    return b.is_object() &&
           objects_equal(std::get<Value::Json>(a.data).raw, std::get<Value::Json>(b.data).raw);
  }
  const auto* left = std::get_if<bool>(&a.data);
  const auto* right = std::get_if<bool>(&b.data);
  if (left || right) return left && right && *left == *right;
  return std::holds_alternative<std::monostate>(a.data) &&
         std::holds_alternative<std::monostate>(b.data);
}

std::optional<std::partial_ordering> order(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return order_numbers(a, b);
  const auto left = a.string();
  const auto right = b.string();
  // The order of UTF-8 bytes is the order of code points.
  if (left && right) return left->compare(*right) <=> 0;
  return std::nullopt;
}

std::optional<bool> contains(const Value& container, const Value& value) {
  if (container.is_list()) {
    Items items(container);
    while (const Value* item = items.next()) {
      if (equal(*item, value)) return true;
    }
    return false;
  }
  const auto text = value.string();
  if (!text) return std::nullopt;
  if (const auto whole = container.string()) return whole->find(*text) != std::string_view::npos;
  if (!container.is_object()) return std::nullopt;
  return json::member(std::get<Value::Json>(container.data).raw, *text).has_value();
}

}  // namespace unum
