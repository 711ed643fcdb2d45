// Typed access to the fields of a YAML mapping.
#include "application/template_fields.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/suggest.hpp"

namespace unum {

YamlFields::YamlFields(const YamlNode& node, std::string path, std::string_view source,
                       std::vector<Finding>& findings)
    : node_(&node),
      path_(std::move(path)),
      source_(source),
      findings_(&findings),
      taken_(node.members.size()) {}

const YamlNode* YamlFields::take(std::string_view key) {
  for (std::size_t i = 0; i < node_->members.size(); ++i) {
    if (node_->members[i].first.text != key) continue;
    taken_[i] = true;
    return &node_->members[i].second;
  }
  return nullptr;
}

std::optional<std::string> YamlFields::string(std::string_view key, std::string_view what) {
  const YamlNode* value = take(key);
  if (value == nullptr) return std::nullopt;
  // A plain 2024 or 1.5 is a fine name; a list, a mapping or nothing is not.
  if (value->kind != YamlNode::Kind::scalar || value->text.empty()) {
    error(key, value->line, "is " + describe(*value) + "; it must be " + std::string(what));
    return std::nullopt;
  }
  if (value->text.find('\0') != std::string::npos) {
    error(key, value->line, "has a NUL character in it");
    return std::nullopt;
  }
  return value->text;
}

std::optional<bool> YamlFields::boolean(std::string_view key) {
  const YamlNode* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (!is_yaml_bool(*value)) {
    error(key, value->line,
          "is " + describe(*value) + "; it must be true or false, without quotes");
    return std::nullopt;
  }
  return value->text[0] == 't' || value->text[0] == 'T';
}

std::optional<std::int64_t> YamlFields::integer(std::string_view key, std::int64_t least,
                                                std::int64_t most, std::string_view unit) {
  const YamlNode* value = take(key);
  if (value == nullptr) return std::nullopt;
  std::int64_t number = 0;
  bool good = is_yaml_integer(*value);
  if (good) {
    const char* begin = value->text.data() + (value->text[0] == '+' ? 1 : 0);
    const char* end = value->text.data() + value->text.size();
    const auto [stop, code] = std::from_chars(begin, end, number);
    good = code == std::errc{} && stop == end && number >= least && number <= most;
  }
  if (!good) {
    error(key, value->line,
          "is " + describe(*value) + "; it must be a whole number of " + std::string(unit) +
              " from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return number;
}

std::optional<std::size_t> YamlFields::choice(std::string_view key,
                                              std::span<const std::string_view> choices) {
  const YamlNode* value = take(key);
  if (value == nullptr) return std::nullopt;
  std::string list;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (value->kind == YamlNode::Kind::scalar && value->text == choices[i]) return i;
    if (i > 0) list += i + 1 == choices.size() ? " or " : ", ";
    list += choices[i];
  }
  error(key, value->line,
        "is " + describe(*value) + "; it must be " + list +
            (value->kind == YamlNode::Kind::scalar ? did_you_mean(value->text, choices) : ""));
  return std::nullopt;
}

void YamlFields::add(Severity severity, std::size_t line, std::string message) const {
  findings_->push_back({severity, "template", std::string(source_), line, std::move(message)});
}

void YamlFields::error(std::string_view key, std::size_t line, std::string_view rest) const {
  add(Severity::error, line, path_of(key) + " " + std::string(rest));
}

void YamlFields::warning(std::string_view key, std::size_t line, std::string_view rest) const {
  add(Severity::warning, line, path_of(key) + " " + std::string(rest));
}

std::string YamlFields::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void YamlFields::finish(std::span<const std::string_view> known,
                        std::span<const std::string_view> ignored) {
  for (std::size_t i = 0; i < node_->members.size(); ++i) {
    const YamlNode& key = node_->members[i].first;
    if (taken_[i] || std::find(ignored.begin(), ignored.end(), key.text) != ignored.end()) continue;
    warning(key.text, key.line,
            "is not a known field and has no effect" + did_you_mean(key.text, known));
  }
}

}  // namespace unum
