// Reading fields of a template: types, ranges and choices, each mistake a finding with its line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "application/finding.hpp"
#include "application/yaml_document.hpp"

namespace unum {

/// A mapping whose fields are taken one by one. Fields that nobody took are warnings.
class YamlFields {
 public:
  YamlFields(const YamlNode& node, std::string path, std::string_view source,
             std::vector<Finding>& findings);

  /// The field's value, or nullptr if it is not there.
  const YamlNode* take(std::string_view key);

  std::optional<std::string> string(std::string_view key, std::string_view what);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most,
                                      std::string_view unit);
  /// One of `choices`: its place.
  std::optional<std::size_t> choice(std::string_view key,
                                    std::span<const std::string_view> choices);

  void add(Severity severity, std::size_t line, std::string message) const;
  /// `<path>.<key> <rest>` as an error.
  void error(std::string_view key, std::size_t line, std::string_view rest) const;
  void warning(std::string_view key, std::size_t line, std::string_view rest) const;
  std::string path_of(std::string_view key) const;

  void finish(std::span<const std::string_view> known, std::span<const std::string_view> ignored);

 private:
  const YamlNode* node_;
  std::string path_;
  std::string_view source_;
  std::vector<Finding>* findings_;
  std::vector<bool> taken_;
};

}  // namespace unum
