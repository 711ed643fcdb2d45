// The examples in docs/formats.md and README.md: what the documents say is what the parsers do.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "unum/error.hpp"
#include "workflow/expression.hpp"
#include "workflow/frames.hpp"
#include "workflow/ir.hpp"
#include "workflow/values.hpp"

namespace {

std::vector<std::string> lines_of(const std::string& document) {
  const char* root = std::getenv("UNUM_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  std::ifstream file(std::string(root) + "/" + document);
  REQUIRE(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// The lines inside each fenced block that begins with ```<language>.
std::vector<std::vector<std::string>> blocks(const std::string& document,
                                             std::string_view language) {
  std::vector<std::vector<std::string>> found;
  bool inside = false;
  for (const std::string& line : lines_of(document)) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```" + std::string(language);
      if (inside) found.emplace_back();
    } else if (inside) {
      found.back().push_back(line);
    }
  }
  return found;
}

std::vector<std::int64_t> numbers(const std::string& dotted) {
  std::vector<std::int64_t> out;
  std::istringstream parts(dotted);
  for (std::string part; std::getline(parts, part, '.');) out.push_back(std::stoll(part));
  return out;
}

/// The first line of a block: `H-unumIndex-2.5 of 4.7 {"the": "result"}`.
struct Instance {
  unum::Frames frames;
  std::string result;
};

Instance instance_of(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  std::string of;
  std::string sizes;
  Instance instance;
  words >> name >> of >> sizes >> std::ws;
  std::getline(words, instance.result);
  const auto indexes = unum::parse_instance_name(name).value().indexes;
  const auto widths = numbers(sizes);
  REQUIRE(indexes.size() == widths.size());
  for (std::size_t level = 0; level < indexes.size(); ++level) {
    instance.frames.push_back({unum::FrameType::map, indexes[level], widths[level]});
  }
  return instance;
}

/// An example and what it gives, which stands after two or more blanks.
std::pair<std::string, std::string> example_of(const std::string& line) {
  const std::size_t gap = line.find("  ");
  REQUIRE(gap != std::string::npos);
  return {line.substr(0, gap), line.substr(line.find_first_not_of(' ', gap))};
}

std::string expanded(const std::string& pattern, const Instance& instance) {
  try {
    unum::NameList list;
    unum::ValuesPattern::parse(pattern, unum::IndexOrder::innermost_first, "docs/formats.md")
        .expand(instance.frames, list);
    std::string text;
    for (const std::string& name : list.names()) text += (text.empty() ? "" : " ") + name;
    return text;
  } catch (const unum::Error&) {
    return "error";
  }
}

std::string evaluated(const std::string& text, const Instance& instance) {
  try {
    const auto expression =
        unum::Expression::parse(text, unum::ExpressionUse::conditional, "docs/formats.md");
    const auto result = unum::json::validate(instance.result, "the documented result");
    return expression.is_true({instance.frames, result}) ? "true" : "false";
  } catch (const unum::Error&) {
    return "error";
  }
}

}  // namespace

TEST_CASE("the documented Values expand to what the document says") {
  const auto found = blocks("docs/formats.md", "text values");
  REQUIRE_FALSE(found.empty());
  for (const auto& block : found) {
    const Instance instance = instance_of(block.at(0));
    for (std::size_t i = 1; i < block.size(); ++i) {
      const auto [pattern, names] = example_of(block[i]);
      INFO(pattern);
      CHECK(expanded(pattern, instance) == names);
    }
  }
}

TEST_CASE("the documented expressions have the value that the document says") {
  const auto found = blocks("docs/formats.md", "text expressions");
  REQUIRE_FALSE(found.empty());
  for (const auto& block : found) {
    const Instance instance = instance_of(block.at(0));
    for (std::size_t i = 1; i < block.size(); ++i) {
      const auto [text, value] = example_of(block[i]);
      INFO(text);
      CHECK(evaluated(text, instance) == value);
    }
  }
}

TEST_CASE("every IR in the documents parses without a warning") {
  for (const std::string document : {"docs/formats.md", "README.md"}) {
    const auto found = blocks(document, "json");
    REQUIRE_FALSE(found.empty());
    for (const auto& block : found) {
      std::string text;
      for (const std::string& line : block) text += line + "\n";
      INFO(text);
      const auto parsed = unum::parse_ir(text, document, unum::IndexOrder::innermost_first);
      CHECK(parsed.warnings.empty());
      CHECK_FALSE(parsed.migrated);
    }
  }
}
