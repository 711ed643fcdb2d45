// yaml-cpp's events made into a bounded tree.
#include "application/yaml_document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/utf8.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

std::size_t line_of(const YAML::Mark& mark) {
  return mark.line < 0 ? 1 : static_cast<std::size_t>(mark.line) + 1;
}

[[noreturn]] void fail(ErrorKind kind, std::string_view source, std::size_t line,
                       const std::string& message) {
  throw Error(kind, "yaml", "Unum.Yaml",
              std::string(source) + ":" + std::to_string(line) + ": " + message);
}

/// Builds the tree. Containers that are open are kept by value on a stack and moved into their
/// parents when they end.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view source) : source_(source) {}

  YamlNode take() { return root_ ? std::move(*root_) : YamlNode{}; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) {
      fail(ErrorKind::invalid, source_, line_of(mark),
           "a second document begins here; the file must hold one");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.line = line_of(mark);
    add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      fail(ErrorKind::invalid, source_, line_of(mark), "an alias (*) inside of what it names");
    }
    count_nodes(found->second, line_of(mark), open_.size());
    YamlNode copy = found->second;
    add(std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.line = line_of(mark);
    node.text = value;
    node.plain = tag == "?" || tag.empty();
    if (tag == "tag:yaml.org,2002:str") {
      node.plain = false;
    } else {
      refuse_tag(tag, node.line);
    }
    add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(YamlNode::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(YamlNode::Kind::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    std::optional<YamlNode> key;
  };

  void refuse_tag(const std::string& tag, std::size_t line) const {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(ErrorKind::invalid, source_, line,
         "the tag " + tag + " is not read; write the value plainly");
  }

  void count_node(std::size_t line) {
    if (++nodes_ > kYamlNodesMax) {
      fail(ErrorKind::exhausted, source_, line,
           "more than " + std::to_string(kYamlNodesMax) + " values, aliases counted in full");
    }
  }

  // What a copy adds. Aliases of aliases would otherwise grow in number and in depth without bound.
  void count_nodes(const YamlNode& node, std::size_t line, std::size_t depth) {
    count_node(line);
    if (depth > kYamlDepthMax) too_deep(line);
    for (const YamlNode& item : node.items) count_nodes(item, line, depth + 1);
    for (const auto& [key, value] : node.members) {
      count_node(line);
      count_nodes(value, line, depth + 1);
    }
  }

  [[noreturn]] void too_deep(std::size_t line) const {
    fail(ErrorKind::exhausted, source_, line,
         "nested deeper than " + std::to_string(kYamlDepthMax) + " levels");
  }

  void start(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
             YAML::anchor_t anchor) {
    const std::size_t line = line_of(mark);
    refuse_tag(tag, line);
    if (open_.size() >= kYamlDepthMax) too_deep(line);
    if (!open_.empty() && open_.back().node.kind == YamlNode::Kind::mapping && !open_.back().key) {
      fail(ErrorKind::invalid, source_, line, "a key must be a plain name");
    }
    open_.emplace_back();
    open_.back().node.kind = kind;
    open_.back().node.line = line;
    open_.back().anchor = anchor;
  }

  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done.node), done.anchor);
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    count_node(node.line);
    if (anchor != 0) {
      count_nodes(node, node.line, open_.size());  // The copy that later aliases take from.
      anchors_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      check_key(parent.node, node);
      parent.key = std::move(node);
    } else {
      parent.node.members.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  void check_key(const YamlNode& mapping, const YamlNode& key) const {
    if (key.kind != YamlNode::Kind::scalar) {
      fail(ErrorKind::invalid, source_, key.line, "a key must be a plain name");
    }
    if (key.plain && key.text == "<<") {
      fail(ErrorKind::invalid, source_, key.line,
           "merge keys (<<) are not read; write the fields out");
    }
    for (const auto& [other, value] : mapping.members) {
      if (other.text == key.text) {
        fail(ErrorKind::invalid, source_, key.line,
             "the key \"" + key.text + "\" stands here again; first on line " +
                 std::to_string(other.line));
      }
    }
  }

  std::string_view source_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::optional<YamlNode> root_;
  std::size_t nodes_ = 0;
};

/// Writes JSON text, starting a new line until each value is on its own.
class JsonWriter {
 public:
  explicit JsonWriter(std::string_view source) : source_(source) {}

  void write(const YamlNode& node) {
    go_to(node.line);
    switch (node.kind) {
      case YamlNode::Kind::null: out_ += "null"; return;
      case YamlNode::Kind::scalar: write_scalar(node); return;
      case YamlNode::Kind::sequence: {
        out_ += '[';
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          if (i > 0) out_ += ", ";
          write(node.items[i]);
        }
        out_ += ']';
        return;
      }
      case YamlNode::Kind::mapping: {
        out_ += '{';
        for (std::size_t i = 0; i < node.members.size(); ++i) {
          if (i > 0) out_ += ", ";
          go_to(node.members[i].first.line);
          json::append_string(out_, node.members[i].first.text);
          out_ += ": ";
          write(node.members[i].second);
        }
        out_ += '}';
        return;
      }
    }
  }

  std::string take() { return std::move(out_) + "\n"; }

 private:
  // Aliases stand on earlier lines than what is around them; they keep the line that is reached.
  void go_to(std::size_t line) {
    while (line_ < line) {
      out_ += '\n';
      ++line_;
    }
  }

  void write_scalar(const YamlNode& node) {
    if (is_yaml_bool(node)) {
      out_ += node.text[0] == 't' || node.text[0] == 'T' ? "true" : "false";
    } else if (is_yaml_integer(node)) {
      std::string_view digits = node.text;
      if (digits[0] == '-') out_ += '-';
      if (digits[0] == '-' || digits[0] == '+') digits.remove_prefix(1);
      const std::size_t first = digits.find_first_not_of('0');
      out_ += first == std::string_view::npos ? "0" : digits.substr(first);
    } else if (is_yaml_float(node)) {
      write_float(node);
    } else {
      json::append_string(out_, node.text);
    }
  }

  void write_float(const YamlNode& node) {
    if (node.text.find_first_of("0123456789") == std::string::npos) {
      fail(ErrorKind::invalid, source_, node.line, node.text + " is not a number that JSON has");
    }
    // JSON wants a digit on both sides of the point and no plus sign.
    std::string text = node.text[0] == '+' ? node.text.substr(1) : node.text;
    std::size_t point = text.find('.');
    const std::size_t sign = text[0] == '-' ? 1 : 0;
    if (point == sign) {
      text.insert(sign, "0");
      ++point;
    }
    while (text[sign] == '0' && sign + 1 < text.size() && text[sign + 1] >= '0' &&
           text[sign + 1] <= '9') {
      text.erase(sign, 1);
    }
    point = text.find('.');
    if (point != std::string::npos &&
        (point + 1 == text.size() || text[point + 1] < '0' || text[point + 1] > '9')) {
      text.insert(point + 1, "0");
    }
    out_ += text;
  }

  std::string_view source_;
  std::string out_;
  std::size_t line_ = 1;
};

std::string_view without_sign(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return text;
}

std::size_t count_digits(std::string_view text) {
  const std::size_t end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const noexcept {
  for (const auto& [name, value] : members) {
    if (name.text == key) return &value;
  }
  return nullptr;
}

bool is_yaml_bool(const YamlNode& node) noexcept {
  constexpr std::array<std::string_view, 6> kWords{"true",  "True",  "TRUE",
                                                   "false", "False", "FALSE"};
  return node.kind == YamlNode::Kind::scalar && node.plain &&
         std::find(kWords.begin(), kWords.end(), node.text) != kWords.end();
}

bool is_yaml_integer(const YamlNode& node) noexcept {
  if (node.kind != YamlNode::Kind::scalar || !node.plain) return false;
  const std::string_view digits = without_sign(node.text);
  return !digits.empty() && count_digits(digits) == digits.size();
}

bool is_yaml_float(const YamlNode& node) noexcept {
  if (node.kind != YamlNode::Kind::scalar || !node.plain) return false;
  std::string_view rest = without_sign(node.text);
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF") return true;
  if (node.text == ".nan" || node.text == ".NaN" || node.text == ".NAN") return true;
  const std::size_t whole = count_digits(rest);
  rest.remove_prefix(whole);
  std::size_t fraction = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = count_digits(rest);
    rest.remove_prefix(fraction);
  }
  if (whole + fraction == 0) return false;
  if (rest.empty()) return true;
  if (rest[0] != 'e' && rest[0] != 'E') return false;
  rest = without_sign(rest.substr(1));
  return !rest.empty() && count_digits(rest) == rest.size();
}

YamlNode parse_yaml(std::string_view text, std::string_view source) {
  if (text.size() > kYamlBytesMax) {
    fail(ErrorKind::exhausted, source, 1,
         "the file is larger than " + std::to_string(kYamlBytesMax) + " bytes");
  }
  if (!is_utf8(text)) {
    std::size_t place = 0;
    while (const std::size_t length = utf8_character(text, place).length) place += length;
    const auto lines_before =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(place), '\n');
    fail(ErrorKind::invalid, source, static_cast<std::size_t>(lines_before) + 1,
         "the text is not UTF-8");
  }
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(source);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    fail(ErrorKind::invalid, source, line_of(error.mark), "not valid YAML: " + error.msg);
  }
  return builder.take();
}

std::string yaml_to_json(const YamlNode& root, std::string_view source) {
  JsonWriter writer(source);
  writer.write(root);
  return writer.take();
}

std::string describe(const YamlNode& node) {
  constexpr std::size_t kShownBytesMax = 60;
  switch (node.kind) {
    case YamlNode::Kind::null: return "empty";
    case YamlNode::Kind::sequence: return "a list";
    case YamlNode::Kind::mapping: return "a mapping";
    case YamlNode::Kind::scalar: break;
  }
  if (node.plain && node.text.size() <= kShownBytesMax) return node.text;
  return '"' + node.text.substr(0, kShownBytesMax) + '"';
}

}  // namespace unum
