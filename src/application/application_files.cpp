// Finding and reading the template and the IR files.
#include "application/application_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

#include "application/application.hpp"
#include "application/yaml_document.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path, std::size_t bytes_max) {
  std::error_code code;
  const auto status = fs::status(path, code);
  if (code) throw system_error("ir", code.value(), "cannot read " + path.string());
  if (!fs::is_regular_file(status)) {
    throw Error(ErrorKind::invalid, "ir", "Unum.Ir", path.string() + " is not a file");
  }
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (!file) throw system_error("ir", errno, "cannot read " + path.string());
  std::string text;
  char buffer[16 * 1024];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) {
    text.append(buffer, count);
    if (text.size() > bytes_max) {
      throw Error(ErrorKind::exhausted, "ir", "Unum.Ir",
                  path.string() + " is larger than " + std::to_string(bytes_max) + " bytes");
    }
  }
  if (std::ferror(file.get()) != 0) throw system_error("ir", errno, "cannot read " + path.string());
  return text;
}

namespace {

constexpr std::string_view kIrFile = "unum_config.json";

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

/// What files have in common, wherever their text comes from.
class Reader {
 public:
  Reader(fs::path directory, std::vector<Finding>& findings)
      : directory_(std::move(directory)), findings_(findings) {}
  virtual ~Reader() = default;

  ApplicationFiles read() {
    ApplicationFiles files;
    files.settings = read_template();
    if (!files.settings) return files;
    for (const TemplateFunction& function : files.settings->functions) {
      FunctionFiles entry;
      entry.properties = function;
      if (find_code(entry)) read_ir(entry, files.settings->index_order);
      files.functions.push_back(std::move(entry));
    }
    std::sort(files.functions.begin(), files.functions.end(),
              [](const FunctionFiles& a, const FunctionFiles& b) {
                return a.properties.name < b.properties.name;
              });
    return files;
  }

 protected:
  void error(std::string_view rule, std::size_t line, std::string message,
             std::string_view file = kTemplateFile) {
    findings_.push_back(
        {Severity::error, std::string(rule), std::string(file), line, std::move(message)});
  }
  const fs::path& directory() const noexcept { return directory_; }

  /// Nothing after a finding that says why. May throw an Error, which becomes one.
  virtual std::optional<std::string> template_text() = 0;
  /// The directory that tells whether two functions share one; nothing after a finding.
  virtual std::optional<fs::path> check_code_dir(const FunctionFiles& entry) = 0;
  /// As `template_text`. Sets where the text is from.
  virtual std::optional<std::string> ir_text(FunctionFiles& entry) = 0;

  void set_ir_path(FunctionFiles& entry, std::string_view file) {
    entry.ir_path = entry.code_dir / file;
    entry.ir_source = (fs::path(entry.properties.code_uri) / file).lexically_normal().string();
  }

 private:
  std::optional<Template> read_template() {
    try {
      const std::optional<std::string> text = template_text();
      if (!text) return std::nullopt;
      return parse_template(*text, kTemplateFile, findings_);
    } catch (const Error& failure) {
      error("template", 0, failure.message(), "");
      return std::nullopt;
    }
  }

  bool find_code(FunctionFiles& entry) {
    const TemplateFunction& function = entry.properties;
    if (function.code_uri.empty()) return false;  // A finding of the template's already.
    entry.code_dir = (directory_ / function.code_uri).lexically_normal();
    const std::optional<fs::path> real = check_code_dir(entry);
    if (!real) return false;
    const auto [other, first] = directories_.emplace(*real, function.name);
    if (!first) {
      error("code", function.code_uri_line,
            "Functions." + function.name + ".Properties.CodeUri is " + function.code_uri +
                ", the directory of " + other->second +
                " too; each function needs a directory of its own with its IR");
      return false;
    }
    return true;
  }

  void read_ir(FunctionFiles& entry, IndexOrder order) {
    const TemplateFunction& function = entry.properties;
    try {
      const std::optional<std::string> text = ir_text(entry);
      if (!text) return;
      ParsedIr parsed = parse_ir(*text, entry.ir_source, order);
      for (const IrWarning& warning : parsed.warnings) {
        findings_.push_back(
            finding_from(Severity::warning, "ir", entry.ir_source, warning.message));
      }
      if (parsed.function.linked) {
        findings_.push_back({Severity::warning, "linked", entry.ir_source, parsed.function.line,
                             "was written by `unum link`, to be deployed; what it says of other "
                             "functions (Linked) is found out anew here"});
      }
      if (parsed.function.name != function.name) {
        error("ir", parsed.function.line,
              "Name is \"" + parsed.function.name + "\"; it must be \"" + function.name +
                  "\", the function's name in " + std::string(kTemplateFile),
              entry.ir_source);
        return;
      }
      entry.ir = std::move(parsed);
    } catch (const Error& failure) {
      findings_.push_back(finding_from(Severity::error, "ir", entry.ir_source, failure.message()));
    }
  }

  const fs::path directory_;
  std::vector<Finding>& findings_;
  std::map<fs::path, std::string> directories_;
};

class DirectoryReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  std::optional<std::string> template_text() override {
    std::error_code code;
    if (!fs::is_directory(directory(), code)) {
      error("template", 0,
            (directory().empty() ? "\"\"" : directory().string()) +
                (is_there(directory()) ? " is not a directory" : " does not exist") +
                "; name the directory of an application",
            "");
      return std::nullopt;
    }
    const fs::path path = directory() / kTemplateFile;
    if (!is_there(path)) {
      const bool yml = is_there(directory() / "unum-template.yml");
      error("template", 0,
            directory().string() + " has no " + std::string(kTemplateFile) +
                (yml ? "; rename unum-template.yml"
                     : "; an application needs one with its Functions"),
            "");
      return std::nullopt;
    }
    return read_file(path, kYamlBytesMax);
  }

  std::optional<fs::path> check_code_dir(const FunctionFiles& entry) override {
    const TemplateFunction& function = entry.properties;
    std::error_code code;
    if (!fs::is_directory(entry.code_dir, code)) {
      error("code", function.code_uri_line,
            "Functions." + function.name + ".Properties.CodeUri is " + function.code_uri +
                ", which " + (is_there(entry.code_dir) ? "is not a directory" : "does not exist") +
                "; it must be the function's directory, relative to the template");
      return std::nullopt;
    }
    return fs::weakly_canonical(entry.code_dir, code);
  }

  std::optional<std::string> ir_text(FunctionFiles& entry) override {
    const TemplateFunction& function = entry.properties;
    const bool has_yaml = is_there(entry.code_dir / "unum_config.yaml");
    set_ir_path(entry, has_yaml ? "unum_config.yaml" : kIrFile);
    if (is_there(entry.code_dir / kIrFile) == has_yaml) {
      error("ir", function.line,
            "function " + function.name + ": " + function.code_uri +
                (has_yaml ? " has both unum_config.json and unum_config.yaml; keep one"
                          : " has no unum_config.json; each function needs its IR there"));
      return std::nullopt;
    }
    std::string text = read_file(entry.ir_path, kIrBytesMax);
    if (has_yaml) text = yaml_to_json(parse_yaml(text, entry.ir_source), entry.ir_source);
    return text;
  }
};

class TextReader final : public Reader {
 public:
  TextReader(const ApplicationText& text, std::vector<Finding>& findings)
      : Reader(text.directory, findings), text_(text) {}

  /// A configuration that no function has is a mistake in a name.
  void refuse_unknown(const std::vector<FunctionFiles>& functions) {
    for (const auto& [name, configuration] : text_.configurations) {
      const bool known = std::any_of(
          functions.begin(), functions.end(),
          [&](const FunctionFiles& function) { return function.properties.name == name; });
      if (known) continue;
      error("template", 0,
            "there is a configuration of " + name + ", which is none of the template's Functions");
    }
  }

 private:
  static const std::string& bounded(const std::string& text, std::string_view what,
                                    std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    throw Error(ErrorKind::exhausted, "ir", "Unum.Ir",
                std::string(what) + " is larger than " + std::to_string(bytes_max) + " bytes");
  }

  std::optional<std::string> template_text() override {
    return bounded(text_.template_yaml, kTemplateFile, kYamlBytesMax);
  }

  std::optional<fs::path> check_code_dir(const FunctionFiles& entry) override {
    return entry.code_dir;
  }

  std::optional<std::string> ir_text(FunctionFiles& entry) override {
    const TemplateFunction& function = entry.properties;
    set_ir_path(entry, kIrFile);
    const auto found = text_.configurations.find(function.name);
    if (found == text_.configurations.end()) {
      error("ir", function.line,
            "function " + function.name + " has no configuration; each function needs its IR");
      return std::nullopt;
    }
    return bounded(found->second, entry.ir_source, kIrBytesMax);
  }

  const ApplicationText& text_;
};

/// Appends `modifiers` to the function's edges that have no list of their own and match `chosen`.
template <typename Chosen>
bool append_modifiers(FunctionIr& function, const std::vector<Modifier>& modifiers, Chosen chosen,
                      std::vector<Finding>& findings) {
  bool changed = false;
  for (Edge& edge : function.edges) {
    if (!chosen(edge)) continue;
    if (edge.own_modifiers) {
      findings.push_back({Severity::warning, "ir", function.source, edge.line,
                          "the edge to " + edge.target +
                              " has Payload Modifiers of its own, so the Fan-out Modifiers of " +
                              edge.target + " are not added to it"});
      continue;
    }
    edge.modifiers.insert(edge.modifiers.end(), modifiers.begin(), modifiers.end());
    changed = true;
  }
  return changed;
}

}  // namespace

ApplicationFiles read_application_files(const std::filesystem::path& directory,
                                        std::vector<Finding>& findings) {
  return DirectoryReader(directory, findings).read();
}

ApplicationFiles parse_application_text(const ApplicationText& text,
                                        std::vector<Finding>& findings) {
  TextReader reader(text, findings);
  ApplicationFiles files = reader.read();
  if (files.settings) reader.refuse_unknown(files.functions);
  return files;
}

std::vector<std::string> move_legacy_modifiers(ApplicationFiles& files,
                                               std::vector<Finding>& findings) {
  std::vector<std::string> changed;
  for (FunctionFiles& holder : files.functions) {
    if (!holder.ir || holder.ir->legacy_fan_out_modifiers.empty()) continue;
    const std::vector<Modifier> modifiers = std::exchange(holder.ir->legacy_fan_out_modifiers, {});
    const std::string& name = holder.properties.name;
    bool is_aggregator = false;
    for (FunctionFiles& other : files.functions) {
      if (!other.ir) continue;
      const auto into_holder = [&](const Edge& edge) {
        const bool chosen = edge.input_type == InputType::fan_in && edge.target == name;
        is_aggregator = is_aggregator || chosen;
        return chosen;
      };
      if (append_modifiers(other.ir->function, modifiers, into_holder, findings)) {
        changed.push_back(other.properties.name);
      }
    }
    // On a function that nothing fans in to they changed what it sent on, as the edges' own list
    // does now.
    if (!is_aggregator &&
        append_modifiers(
            holder.ir->function, modifiers, [](const Edge&) { return true; }, findings)) {
      changed.push_back(name);
    }
  }
  return changed;
}

}  // namespace unum
