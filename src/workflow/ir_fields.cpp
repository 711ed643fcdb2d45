// Fields of an IR text, their types, and where they stand.
#include "workflow/ir_fields.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/suggest.hpp"
#include "base/utf8.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

// Enough of a wrong value to recognise it.
constexpr std::size_t kShownBytesMax = 60;

std::string show(json::View value) {
  const std::string_view raw = value.text();
  switch (json::type_of(value)) {
    case json::Type::object: return "an object";
    case json::Type::array: return "a list";
    default: break;
  }
  if (raw.size() <= kShownBytesMax) return std::string(raw);
  std::size_t end = kShownBytesMax;
  while (end > 0 && (static_cast<unsigned char>(raw[end]) & 0xC0) == 0x80) --end;
  return std::string(raw.substr(0, end)) + "...";
}

/// The same with the line and column of the text instead of the byte.
[[noreturn]] void fail_at_line(const json::SyntaxError& error, std::string_view text,
                               std::string_view source) {
  const std::string_view before = text.substr(0, error.offset());
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0: the first line.
  throw Error(error.kind(), "ir", error.code(),
              std::string(source) + ":" + std::to_string(line) + ":" +
                  std::to_string(before.size() - line_start + 1) + ": " + error.reason());
}

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

}  // namespace

IrText::IrText(std::string_view text, std::string_view source, std::vector<IrWarning>& warnings)
    : text_(without_byte_order_mark(text)), source_(source), warnings_(&warnings) {
  try {
    root_ = json::validate(text_, source_);
  } catch (const json::SyntaxError& error) {
    fail_at_line(error, text_, source_);
  }
  for (std::size_t at = 0; (at = text_.find('\n', at)) != std::string_view::npos; ++at) {
    line_ends_.push_back(at);
  }
}

std::size_t IrText::line_of(std::string_view at) const noexcept {
  const auto offset = static_cast<std::size_t>(at.data() - text_.data());
  const auto before = std::lower_bound(line_ends_.begin(), line_ends_.end(), offset);
  return static_cast<std::size_t>(before - line_ends_.begin()) + 1;
}

std::string IrText::where(std::string_view at, std::string_view field) const {
  std::string out = source_ + ":" + std::to_string(line_of(at));
  if (!field.empty()) out.append(": ").append(field);
  return out;
}

void IrText::fail(std::string_view at, std::string_view field, std::string_view rest) const {
  throw Error(ErrorKind::invalid, "ir", "Unum.Ir", where(at, field) + " " + std::string(rest));
}

void IrText::warn(std::string_view at, std::string_view field, std::string_view rest) const {
  warnings_->push_back({where(at, field) + " " + std::string(rest)});
}

void IrField::wrong(std::string_view what) const {
  fail("is " + show(raw) + "; it must be " + std::string(what));
}

std::string IrField::string(std::string_view what) const {
  if (type() != json::Type::string) wrong(what);
  std::string value = json::string_value(raw);
  if (!is_utf8(value)) fail("holds half a character (a lone surrogate): " + show(raw));
  return value;
}

bool IrField::boolean() const {
  if (type() != json::Type::boolean) wrong("true or false, without quotes");
  return raw == "true";
}

std::vector<IrField> IrField::list(std::string_view what) const {
  if (type() != json::Type::array) wrong(what);
  std::vector<IrField> out;
  for (const json::View element : json::elements(raw)) {
    out.push_back({text, element, path + "[" + std::to_string(out.size()) + "]"});
  }
  return out;
}

std::int64_t IrField::integer(std::int64_t min, std::int64_t max, std::string_view what) const {
  std::int64_t value = 0;
  const std::string_view digits = raw.text();
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (type() != json::Type::number || !whole || value < min || value > max) {
    wrong("a whole number of " + std::string(what) + " from " + std::to_string(min) + " to " +
          std::to_string(max));
  }
  return value;
}

std::string IrField::function_name(std::string_view what) const {
  std::string name = string(what);
  if (const auto defect = function_name_defect(name)) fail("is \"" + name + "\": " + *defect);
  return name;
}

std::vector<Modifier> IrField::modifiers() const {
  constexpr std::string_view kForms = R"(a list of strings such as ["Pop"] or ["$0 = $0 + 1"])";
  std::vector<Modifier> out;
  for (const IrField& entry : list(kForms)) {
    out.push_back(Modifier::parse(entry.string(kForms), entry.where()));
  }
  return out;
}

IrObject::IrObject(const IrField& field, std::string_view what) : field_(field) {
  if (field.type() != json::Type::object) field.wrong(what);
  try {
    members_ = json::members(field.raw);
  } catch (const Error& error) {
    field.fail((field.path.empty() ? "" : ": ") + error.message());
  }
  taken_.resize(members_.size());
}

std::optional<IrField> IrObject::take(std::string_view key) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].key != key) continue;
    taken_[i] = true;
    return IrField{field_.text, members_[i].value, path_of(key)};
  }
  return std::nullopt;
}

std::string IrObject::path_of(std::string_view key) const {
  return field_.path.empty() ? std::string(key) : field_.path + "." + std::string(key);
}

void IrObject::missing(std::string_view key, std::string_view what) const {
  field_.text->fail(field_.raw, path_of(key), "is missing; it must be " + std::string(what));
}

void IrObject::finish(std::span<const std::string_view> known,
                      std::span<const std::string_view> ignored) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::string& key = members_[i].key;
    if (taken_[i] || std::find(ignored.begin(), ignored.end(), key) != ignored.end()) continue;
    field_.text->warn(members_[i].value, path_of(key),
                      "is not a known field and has no effect" + did_you_mean(key, known));
  }
}

void IrObject::finish_strictly(std::span<const std::string_view> known) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (taken_[i]) continue;
    const std::string& key = members_[i].key;
    field_.text->fail(members_[i].value, path_of(key),
                      "is not known to this version of unum" + did_you_mean(key, known));
  }
}

}  // namespace unum
