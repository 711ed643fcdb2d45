// Reading fields of an IR text: every message names the file, the line and the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "workflow/ir.hpp"

namespace unum {

/// The text of one IR file with its name. Positions are views into the text.
class IrText {
 public:
  /// Throws `invalid` with line and column when the text is not JSON.
  IrText(std::string_view text, std::string_view source, std::vector<IrWarning>& warnings);

  json::View root() const noexcept { return root_; }
  std::size_t line_of(std::string_view at) const noexcept;
  /// `file:line: field`
  std::string where(std::string_view at, std::string_view field) const;
  [[noreturn]] void fail(std::string_view at, std::string_view field, std::string_view rest) const;
  void warn(std::string_view at, std::string_view field, std::string_view rest) const;

 private:
  std::string_view text_;
  json::View root_;
  std::vector<std::size_t> line_ends_;  // Lines are asked for each field: counting would be slow.
  std::string source_;
  std::vector<IrWarning>* warnings_;
};

/// A value with the path of the field that it stands in.
struct IrField {
  const IrText* text;
  json::View raw;
  std::string path;

  json::Type type() const { return json::type_of(raw); }
  std::size_t line() const noexcept { return text->line_of(raw); }
  std::string where() const { return text->where(raw, path); }
  /// `<path> is <value>; it must be <what>`
  [[noreturn]] void wrong(std::string_view what) const;
  [[noreturn]] void fail(std::string_view rest) const { text->fail(raw, path, rest); }
  void warn(std::string_view rest) const { text->warn(raw, path, rest); }

  std::string string(std::string_view what) const;
  bool boolean() const;
  std::vector<IrField> list(std::string_view what) const;
  /// A whole number between the two; `what` is what it counts ("seconds").
  std::int64_t integer(std::int64_t min, std::int64_t max, std::string_view what) const;
  /// A function's name.
  std::string function_name(std::string_view what) const;
  std::vector<Modifier> modifiers() const;
};

/// An object whose fields are taken one by one; what is left over is a warning.
class IrObject {
 public:
  /// `what` says what the field should be when it is not an object.
  IrObject(const IrField& field, std::string_view what);

  const IrField& field() const noexcept { return field_; }
  std::optional<IrField> take(std::string_view key);
  /// A message about a field that is missing.
  [[noreturn]] void missing(std::string_view key, std::string_view what) const;
  std::string path_of(std::string_view key) const;
  /// Warns about fields that nobody took and that are not in `ignored`.
  void finish(std::span<const std::string_view> known, std::span<const std::string_view> ignored);
  /// Throws for such a field: of text that a program has written, what is not known was meant.
  void finish_strictly(std::span<const std::string_view> known) const;

 private:
  IrField field_;
  std::vector<json::Member> members_;
  std::vector<bool> taken_;
};

}  // namespace unum
