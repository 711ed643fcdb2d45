// A YAML document as a tree that knows the line of every node.
//
// Built from yaml-cpp's events rather than its nodes, so that depth, size and the expansion of
// aliases are bounded before anything recurses, and repeated keys are seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unum {

struct YamlMember;

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, sequence, mapping };

  Kind kind = Kind::null;
  bool plain = false;    ///< A scalar without quotes: its text decides its type.
  std::string text;      ///< Of a scalar.
  std::size_t line = 0;  ///< From 1.
  std::vector<YamlNode> items;
  std::vector<YamlMember> members;  ///< In order; the keys are scalars, all unlike.

  const YamlNode* find(std::string_view key) const noexcept;
};

/// A key and its value.
struct YamlMember {
  YamlNode first;
  YamlNode second;
};

/// Types of plain scalars, as in YAML's core schema.
bool is_yaml_bool(const YamlNode& node) noexcept;
bool is_yaml_integer(const YamlNode& node) noexcept;
bool is_yaml_float(const YamlNode& node) noexcept;

/// Reads exactly one document. Throws `invalid` (origin "yaml"), message `source:line: ...`, for a
/// syntax error, a repeated key, a key that is not a scalar, a tag, a merge key, an alias to
/// nothing, several documents; `exhausted` beyond kYamlBytesMax, kYamlDepthMax or kYamlNodesMax.
YamlNode parse_yaml(std::string_view text, std::string_view source);

/// The same tree as JSON text in which every value stands on the line that it has in the YAML text,
/// so that messages about the JSON text name the author's lines. Throws `invalid` for .inf and
/// .nan.
std::string yaml_to_json(const YamlNode& root, std::string_view source);

/// What the node is, for messages: `"text"`, `a list`, `a mapping`, `empty`.
std::string describe(const YamlNode& node);

}  // namespace unum
