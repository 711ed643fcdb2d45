// An application's directory for one test: written from texts, removed at the end.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "application/finding.hpp"
#include "support/scratch.hpp"

class ApplicationDir {
 public:
  const std::filesystem::path& path() const noexcept { return path_; }

  void write(const std::string& name, std::string_view text) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(path_ / name, std::ios::binary).rdbuf();
    return out.str();
  }

  /// Adds a function to the template and writes its IR into a directory of its name. The first one
  /// added is the entry. `fields` are those of the IR besides `Name`, with a comma before each.
  void function(const std::string& name, const std::string& fields = "") {
    functions_ += "  " + name + ":\n    Properties:\n      CodeUri: " + name +
                  "/\n      Runtime: python3.11\n" + (first_ ? "      Start: true\n" : "");
    first_ = false;
    write(name + "/unum_config.json", "{\"Name\": \"" + name + "\"" + fields + "}");
    write("unum-template.yaml",
          "Globals:\n  ApplicationName: test\n" + globals_ + "Functions:\n" + functions_);
  }
  void globals(const std::string& lines) { globals_ = lines; }

 private:
  unum::test::Scratch scratch_;
  std::filesystem::path path_ = scratch_.path();
  std::string globals_;
  std::string functions_;
  bool first_ = true;
};

/// The findings as lines `severity rule file:line: message`.
inline std::string lines_of(const std::vector<unum::Finding>& findings) {
  std::string out;
  for (const unum::Finding& finding : findings) {
    out += std::string(unum::to_string(finding.severity)) + " " + finding.rule + " " +
           finding.text() + "\n";
  }
  return out;
}

/// The rules of the findings with that severity, in order, separated by blanks.
inline std::string rules_of(const std::vector<unum::Finding>& findings, unum::Severity severity) {
  std::string out;
  for (const unum::Finding& finding : findings) {
    if (finding.severity != severity) continue;
    if (!out.empty()) out += ' ';
    out += finding.rule;
  }
  return out;
}
