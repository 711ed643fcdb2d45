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
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

}  // namespace

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

class Reader {
 public:
  Reader(const fs::path& directory, std::vector<Finding>& findings)
      : directory_(directory), findings_(findings) {}

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

 private:
  void error(std::string_view rule, std::size_t line, std::string message) {
    findings_.push_back(
        {Severity::error, std::string(rule), std::string(kTemplateFile), line, std::move(message)});
  }

  std::optional<Template> read_template() {
    std::error_code code;
    if (!fs::is_directory(directory_, code)) {
      findings_.push_back({Severity::error, "template", "", 0,
                           (directory_.empty() ? "\"\"" : directory_.string()) +
                               (is_there(directory_) ? " is not a directory" : " does not exist") +
                               "; name the directory of an application"});
      return std::nullopt;
    }
    const fs::path path = directory_ / kTemplateFile;
    if (!is_there(path)) {
      const bool yml = is_there(directory_ / "unum-template.yml");
      findings_.push_back({Severity::error, "template", "", 0,
                           directory_.string() + " has no " + std::string(kTemplateFile) +
                               (yml ? "; rename unum-template.yml"
                                    : "; an application needs one with its Functions")});
      return std::nullopt;
    }
    try {
      return parse_template(read_file(path, kYamlBytesMax), kTemplateFile, findings_);
    } catch (const Error& error) {
      findings_.push_back({Severity::error, "template", "", 0, error.message()});
      return std::nullopt;
    }
  }

  bool find_code(FunctionFiles& entry) {
    const TemplateFunction& function = entry.properties;
    if (function.code_uri.empty()) return false;  // A finding of the template's already.
    const std::string field = "Functions." + function.name + ".Properties.CodeUri";
    entry.code_dir = (directory_ / function.code_uri).lexically_normal();
    std::error_code code;
    if (!fs::is_directory(entry.code_dir, code)) {
      error("code", function.code_uri_line,
            field + " is " + function.code_uri + ", which " +
                (is_there(entry.code_dir) ? "is not a directory" : "does not exist") +
                "; it must be the function's directory, relative to the template");
      return false;
    }
    const fs::path real = fs::weakly_canonical(entry.code_dir, code);
    const auto [other, first] = directories_.emplace(real, function.name);
    if (!first) {
      error("code", function.code_uri_line,
            field + " is " + function.code_uri + ", the directory of " + other->second +
                " too; each function needs a directory of its own with its IR");
      return false;
    }
    return true;
  }

  void read_ir(FunctionFiles& entry, IndexOrder order) {
    const TemplateFunction& function = entry.properties;
    const fs::path json = entry.code_dir / "unum_config.json";
    const fs::path yaml = entry.code_dir / "unum_config.yaml";
    const bool has_yaml = is_there(yaml);
    entry.ir_path = has_yaml ? yaml : json;
    entry.ir_source =
        (fs::path(function.code_uri) / entry.ir_path.filename()).lexically_normal().string();
    if (is_there(json) == has_yaml) {
      error("ir", function.line,
            "function " + function.name + ": " + function.code_uri +
                (has_yaml ? " has both unum_config.json and unum_config.yaml; keep one"
                          : " has no unum_config.json; each function needs its IR there"));
      return;
    }
    try {
      std::string text = read_file(entry.ir_path, kIrBytesMax);
      if (has_yaml) text = yaml_to_json(parse_yaml(text, entry.ir_source), entry.ir_source);
      ParsedIr parsed = parse_ir(text, entry.ir_source, order);
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
        findings_.push_back({Severity::error, "ir", entry.ir_source, parsed.function.line,
                             "Name is \"" + parsed.function.name + "\"; it must be \"" +
                                 function.name + "\", the function's name in " +
                                 std::string(kTemplateFile)});
        return;
      }
      entry.ir = std::move(parsed);
    } catch (const Error& failure) {
      findings_.push_back(finding_from(Severity::error, "ir", entry.ir_source, failure.message()));
    }
  }

  const fs::path& directory_;
  std::vector<Finding>& findings_;
  std::map<fs::path, std::string> directories_;
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
  return Reader(directory, findings).read();
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
