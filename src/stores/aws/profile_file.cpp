// A parser of lines, with one line's memory: which section and which property the next belongs to.
#include "stores/aws/profile_file.hpp"

#include <algorithm>
#include <utility>

#include "unum/error.hpp"

namespace unum::aws {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

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

/// What a profile, section or property may be called.
bool is_name(std::string_view name) noexcept {
  static constexpr std::string_view kMarks = "-_/.%@:+";
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

/// "KEYWORD NAME": the name, if the section's head is of that kind.
std::optional<std::string_view> named(std::string_view head, std::string_view keyword) noexcept {
  if (!head.starts_with(keyword)) return std::nullopt;
  head.remove_prefix(keyword.size());
  if (head.empty() || (head.front() != ' ' && head.front() != '\t')) return std::nullopt;
  head = trim(head);
  // People quote names with spaces; the quotes do not belong to the name.
  if (head.size() >= 2 && head.front() == head.back() &&
      (head.front() == '"' || head.front() == '\'')) {
    head = head.substr(1, head.size() - 2);
  }
  return head;
}

class Parser {
 public:
  Parser(ProfileFileKind kind, std::string_view file) : kind_(kind), file_(file) {}

  ProfileFiles parse(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      ++line_number_;
      line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    // "[profile default]" makes "[default]" count for nothing, wherever it stands.
    if (const auto prefixed = files_.profiles.find("profile default");
        prefixed != files_.profiles.end()) {
      files_.profiles["default"] = std::move(prefixed->second);
      files_.profiles.erase("profile default");
    }
    return std::move(files_);
  }

 private:
  void line(std::string_view line) {
    if (trim(line).empty() || line.front() == '#' || line.front() == ';') return;
    if (line.front() == '[') {
      begin_section(line);
    } else if (line.front() == ' ' || line.front() == '\t') {
      continue_property(trim(line));
    } else {
      begin_property(line);
    }
  }

  void begin_section(std::string_view line) {
    in_section_ = true;
    section_ = nullptr;
    value_ = nullptr;
    has_property_ = false;
    line = trim(line.substr(0, line.find_first_of("#;")));
    if (!line.ends_with(']')) fail("a section's head must end with ']'");
    const std::string_view head = trim(line.substr(1, line.size() - 2));
    if (kind_ == ProfileFileKind::credentials) {
      if (is_name(head)) section_ = &files_.profiles[std::string(head)];
      return;
    }
    if (head == "default") {
      section_ = &files_.profiles["default"];
    } else if (const auto name = named(head, "profile")) {
      // Kept apart until the end: no profile can have this name.
      const std::string key(*name == "default" ? "profile default" : *name);
      if (is_name(*name)) section_ = &files_.profiles[key];
    } else if (const auto session = named(head, "sso-session")) {
      if (is_name(*session)) section_ = &files_.sso_sessions[std::string(*session)];
    } else if (const auto services = named(head, "services")) {
      if (is_name(*services)) section_ = &files_.services[std::string(*services)];
    }
  }

  void begin_property(std::string_view line) {
    if (!in_section_) fail("a property stands before the first section");
    // A comment in a line with a value has a blank before it.
    for (std::size_t i = 1; i < line.size(); ++i) {
      const bool blank = line[i - 1] == ' ' || line[i - 1] == '\t';
      if (blank && (line[i] == '#' || line[i] == ';')) {
        line = line.substr(0, i);
        break;
      }
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) fail("a property needs '=' between name and value");
    const std::string_view name = trim(line.substr(0, equals));
    const std::string_view value = trim(line.substr(equals + 1));
    if (name.empty()) fail("a property has no name");
    has_property_ = true;
    has_sub_properties_ = value.empty();
    value_ = nullptr;
    if (section_ == nullptr || !is_name(name)) return;  // ignored, with what continues it
    value_ = &(*section_)[lower(name)];
    *value_ = value;
  }

  void continue_property(std::string_view text) {
    if (!in_section_) fail("an indented line stands before the first section");
    if (!has_property_) fail("an indented line stands before the first property of its section");
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
