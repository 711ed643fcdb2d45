// A parser of lines, with one line's memory: which section and which property the next belongs to.
#include "aws/profile_file.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "aws/credentials_text.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";
constexpr std::string_view kPrefixedDefault = "profile\ndefault";

std::string_view trim(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// What a property may be called; others are ignored.
bool is_name(std::string_view name) noexcept {
  static constexpr std::string_view kMarks = "-_/.%@:+";
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

/// Where a section's head ends: at the first ']' that nothing or a comment follows.
std::size_t end_of_head(std::string_view line) noexcept {
  for (std::size_t at = line.find(']'); at != std::string_view::npos; at = line.find(']', at + 1)) {
    const std::string_view behind = trim(line.substr(at + 1));
    if (behind.empty() || behind.front() == '#' || behind.front() == ';') return at;
  }
  return std::string_view::npos;
}

/// "profile 'my name'": its words, as a shell splits them; none where a quote does not end.
std::vector<std::string> words_of(std::string_view head) {
  try {
    return split_command(head);
  } catch (const Error&) {
    return {};
  }
}

/// A value ends where a comment begins, which has a blank before it.
std::string_view without_comment(std::string_view value) noexcept {
  for (std::size_t i = 1; i < value.size(); ++i) {
    const bool blank = value[i - 1] == ' ' || value[i - 1] == '\t';
    if (blank && (value[i] == '#' || value[i] == ';')) return value.substr(0, i);
  }
  return value;
}

class Parser {
 public:
  Parser(ProfileFileKind kind, std::string_view file) : kind_(kind), file_(file) {}

  ProfileFiles parse(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    while (!text.empty()) {
      const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
      ++line_number_;
      line(text.substr(0, end));
      text.remove_prefix(end);
      text.remove_prefix(text.starts_with("\r\n") ? 2 : std::min<std::size_t>(1, text.size()));
    }
    // "[profile default]" makes "[default]" count for nothing, wherever it stands.
    if (const auto prefixed = files_.profiles.find(kPrefixedDefault);
        prefixed != files_.profiles.end()) {
      files_.profiles["default"] = std::move(prefixed->second);
      files_.profiles.erase(prefixed);
    }
    return std::move(files_);
  }

 private:
  void line(std::string_view line) {
    const std::string_view text = trim(line);
    if (text.empty() || text.front() == '#' || text.front() == ';') return;
    // As Python's configparser, and so AWS' own command: what stands further to the right than the
    // property before it goes on with that one, and anything else may be indented as it likes.
    const std::size_t indent = line.find_first_not_of(kBlanks);
    if (has_property_ && indent > indent_) return continue_property(text);
    indent_ = indent;
    text.front() == '[' ? begin_section(text) : begin_property(text);
  }

  void begin_section(std::string_view line) {
    in_section_ = true;
    section_ = nullptr;
    value_ = nullptr;
    has_property_ = false;
    const std::size_t end = end_of_head(line);
    if (end == std::string_view::npos) fail("a section's head must end with ']'");
    const std::string_view head = trim(line.substr(1, end - 1));
    if (head.empty()) fail("a section has no name");
    const std::vector<std::string> words = words_of(head);
    const auto is_named = [&](std::string_view keyword) {
      return words.size() == 2 && words[0] == keyword && !words[1].empty();
    };
    if (kind_ == ProfileFileKind::credentials) {
      // The whole head is the name; "[profile NAME]" belongs to the other file.
      if (!is_named("profile")) section_ = &files_.profiles[std::string(head)];
    } else if (head == "default") {
      section_ = &files_.profiles["default"];
    } else if (is_named("profile")) {
      // Kept apart until the end: no profile of the file can have this name.
      const bool is_default = words[1] == "default";
      section_ = &files_.profiles[is_default ? std::string(kPrefixedDefault) : words[1]];
    } else if (is_named("sso-session")) {
      section_ = &files_.sso_sessions[words[1]];
    } else if (is_named("services")) {
      section_ = &files_.services[words[1]];
    }
  }

  void begin_property(std::string_view line) {
    if (!in_section_) fail("a property stands before the first section");
    const std::size_t delimiter = line.find_first_of("=:");
    if (delimiter == std::string_view::npos) {
      fail("a property needs '=' between name and value");
    }
    const std::string_view name = trim(line.substr(0, delimiter));
    const std::string_view value = trim(without_comment(line.substr(delimiter + 1)));
    if (name.empty()) fail("a property has no name");
    has_property_ = true;
    has_sub_properties_ = value.empty();
    value_ = nullptr;
    if (section_ == nullptr || !is_name(name)) return;  // ignored, with what continues it
    value_ = &(*section_)[lower(name)];
    *value_ = value;
  }

  void continue_property(std::string_view text) {
    if (has_sub_properties_) {
      const std::size_t equals = text.find('=');
      if (equals == std::string_view::npos) {
        fail("a sub-property needs '=' between name and value");
      }
      if (trim(text.substr(0, equals)).empty()) fail("a sub-property has no name");
    }
    if (value_ != nullptr) (*value_ += '\n') += text;
  }

  [[noreturn]] void fail(std::string_view why) const {
    throw Error(ErrorKind::invalid, "aws", "Unum.InvalidProfileFile",
                std::string(file_) + ":" + std::to_string(line_number_) + ": " + std::string(why));
  }

  const ProfileFileKind kind_;
  const std::string_view file_;
  ProfileFiles files_;
  std::size_t line_number_ = 0;
  std::size_t indent_ = 0;  ///< Of the section or property before.
  bool in_section_ = false;
  bool has_property_ = false;
  bool has_sub_properties_ = false;
  Properties* section_ = nullptr;  ///< Null where what follows is ignored.
  std::string* value_ = nullptr;
};

void merge(ProfileFiles::Sections& into, ProfileFiles::Sections&& from) {
  for (auto& [name, properties] : from) {
    Properties& section = into[name];
    for (auto& [key, value] : properties) section[key] = std::move(value);
  }
}

}  // namespace

void parse_profile_file(std::string_view text, ProfileFileKind kind, std::string_view file,
                        ProfileFiles& into) {
  ProfileFiles parsed = Parser(kind, file).parse(text);
  merge(into.profiles, std::move(parsed.profiles));
  merge(into.sso_sessions, std::move(parsed.sso_sessions));
  merge(into.services, std::move(parsed.services));
}

std::optional<std::string_view> property(const Properties& section, std::string_view name) {
  const auto found = section.find(name);
  if (found == section.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string_view> sub_property(std::string_view value, std::string_view name) {
  if (!value.starts_with('\n')) return std::nullopt;
  std::optional<std::string_view> found;
  while (!value.empty()) {
    const std::size_t end = std::min(value.find('\n'), value.size());
    const std::string_view line = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    if (lower(trim(line.substr(0, equals))) == name) found = trim(line.substr(equals + 1));
  }
  return found;
}

}  // namespace unum::aws
