// The fields of `unum-template.yaml` and what they must be.
#include "application/template.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "application/template_fields.hpp"
#include "application/yaml_document.hpp"
#include "base/limits.hpp"
#include "base/suggest.hpp"
#include "unum/error.hpp"
#include "workflow/frames.hpp"

namespace unum {
namespace {

constexpr std::array<std::string_view, 2> kTopFields{"Globals", "Functions"};
constexpr std::array<std::string_view, 13> kGlobalsFields{"ApplicationName",
                                                          "WorkflowType",
                                                          "WorkflowDefinition",
                                                          "FaaSPlatform",
                                                          "UnumIntermediaryDataStoreType",
                                                          "UnumIntermediaryDataStoreName",
                                                          "Checkpoint",
                                                          "GC",
                                                          "Debug",
                                                          "MemorySize",
                                                          "Timeout",
                                                          "ReadConsistency",
                                                          "IndexOrder"};
constexpr std::array<std::string_view, 1> kFunctionFields{"Properties"};
constexpr std::array<std::string_view, 8> kPropertyFields{
    "CodeUri", "Runtime", "Handler", "Start", "Policies", "Environment", "MemorySize", "Timeout"};
// Left in templates by other tools; they never meant anything to a runtime.
constexpr std::array<std::string_view, 3> kIgnored{"Remove", "Fan-in-Group", "Mode"};
constexpr std::array<std::string_view, 4> kIgnoredBesideProperties{"Type", "Remove", "Fan-in-Group",
                                                                   "Mode"};

constexpr std::array<std::string_view, 2> kWorkflowTypes{"unum", "step-functions"};
constexpr std::array<std::string_view, 4> kPlatforms{"aws", "local", "redis", "http"};
constexpr std::array<std::string_view, 2> kConsistencies{"strong", "eventual"};
constexpr std::array<std::string_view, 2> kIndexOrders{"innermost-first", "outermost-first"};

// A week: what runs longer is not a function.

bool is_version(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_runtime(std::string_view text) {
  if (text == "native") return true;
  if (text.starts_with("python3.")) return is_version(text.substr(8));
  if (text.starts_with("nodejs") && text.ends_with(".x")) {
    return is_version(text.substr(6, text.size() - 8));
  }
  return text.starts_with("provided.") && text.size() > 9;
}

class TemplateReader {
 public:
  TemplateReader(std::string_view source, std::vector<Finding>& findings)
      : source_(source), findings_(findings) {}

  Template read(const YamlNode& root) {
    if (root.kind != YamlNode::Kind::mapping) {
      add(Severity::error, std::max<std::size_t>(root.line, 1),
          "the template is " + describe(root) +
              "; it must be a mapping with Globals and Functions");
      return {};
    }
    YamlFields top(root, "", source_, findings_);
    if (const YamlNode* globals = top.take("Globals")) read_globals(*globals);
    const YamlNode* functions = top.take("Functions");
    if (functions == nullptr) {
      add(Severity::error, root.line,
          "Functions is missing; it must be a mapping from each function's name to its Properties");
    } else {
      read_functions(*functions);
    }
    top.finish(kTopFields, kIgnored);
    return std::move(template_);
  }

 private:
  void add(Severity severity, std::size_t line, std::string message) {
    findings_.push_back({severity, "template", std::string(source_), line, std::move(message)});
  }

  void read_globals(const YamlNode& node);
  void read_workflow(YamlFields& fields);
  void read_store(YamlFields& fields);
  void read_functions(const YamlNode& node);
  void read_function(const YamlNode& key, const YamlNode& node);
  void read_properties(TemplateFunction& function, const YamlNode& node, std::string path);
  void read_code_uri(TemplateFunction& function, YamlFields& fields, std::size_t line);
  void read_runtime(TemplateFunction& function, YamlFields& fields, std::size_t line);
  void read_policies(TemplateFunction& function, YamlFields& fields);
  void read_environment(TemplateFunction& function, YamlFields& fields);

  std::string_view source_;
  std::vector<Finding>& findings_;
  Template template_;
};

void TemplateReader::read_globals(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::null) return;
  if (node.kind != YamlNode::Kind::mapping) {
    add(Severity::error, node.line, "Globals is " + describe(node) + "; it must be a mapping");
    return;
  }
  YamlFields fields(node, "Globals", source_, findings_);
  if (auto name = fields.string("ApplicationName", "a name")) {
    template_.application_name = std::move(*name);
  }
  read_workflow(fields);
  if (const auto platform = fields.choice("FaaSPlatform", kPlatforms)) {
    template_.platform = static_cast<FaasPlatform>(*platform);
  }
  read_store(fields);
  template_.checkpoint = fields.boolean("Checkpoint").value_or(template_.checkpoint);
  template_.collects_garbage = fields.boolean("GC").value_or(template_.collects_garbage);
  template_.debug = fields.boolean("Debug").value_or(template_.debug);
  template_.memory_mb =
      fields.integer("MemorySize", 1, kMemoryMbMax, "megabytes").value_or(template_.memory_mb);
  template_.timeout_seconds = fields.integer("Timeout", 1, kTimeoutSecondsMax, "seconds")
                                  .value_or(template_.timeout_seconds);
  if (const auto consistency = fields.choice("ReadConsistency", kConsistencies)) {
    template_.read_consistency = static_cast<ReadConsistency>(*consistency);
  }
  if (const auto order = fields.choice("IndexOrder", kIndexOrders)) {
    template_.index_order = static_cast<IndexOrder>(*order);
  }
  fields.finish(kGlobalsFields, kIgnored);
}

void TemplateReader::read_workflow(YamlFields& fields) {
  const YamlNode* type = fields.take("WorkflowType");
  const bool step_functions = fields.choice("WorkflowType", kWorkflowTypes).value_or(0) == 1;
  if (step_functions) {
    fields.error("WorkflowType", type->line,
                 "is step-functions; compiling Step Functions is not supported in this release. "
                 "Write an unum_config.json for each function and WorkflowType: unum");
  }
  const YamlNode* definition = fields.take("WorkflowDefinition");
  if (definition == nullptr) return;
  fields.string("WorkflowDefinition", "the path of the workflow's definition");
  if (!step_functions) {
    fields.warning("WorkflowDefinition", definition->line,
                   "has no effect: the workflow is written in the functions' unum_config.json");
  }
}

void TemplateReader::read_store(YamlFields& fields) {
  StoreName& store = template_.store;
  constexpr std::string_view kType = "UnumIntermediaryDataStoreType";
  constexpr std::string_view kName = "UnumIntermediaryDataStoreName";
  const YamlNode* type = fields.take(kType);
  bool type_good = true;
  if (type != nullptr) {
    const std::string word = type->kind == YamlNode::Kind::scalar ? type->text : "";
    if (const StoreTypeInfo* known = find_store_type(word)) {
      store.type = known->type;
    } else if (const auto refusal = queue_refusal(word)) {
      type_good = false;
      fields.error(kType, type->line, "is " + describe(*type) + ": " + *refusal);
    } else {
      type_good = false;
      fields.error(kType, type->line,
                   "is " + describe(*type) + "; it must be fs, redis, dynamodb or s3" +
                       did_you_mean(word, store_type_words()));
    }
  }
  const YamlNode* name_node = fields.take(kName);
  if (auto name = fields.string(kName, "the bucket, table, server or directory")) {
    store.name = std::move(*name);
    store.named = store.type != StoreType::memory;
    return;
  }
  if (store.type != StoreType::fs) store.name.clear();
  if (!type_good || name_node != nullptr) return;
  const StoreTypeInfo& info = store_type_info(store.type);
  if (info.named_by.empty()) return;
  fields.error(
      kName, type->line,
      "is missing; with " + std::string(info.word) + " it must be " + std::string(info.named_by));
}

void TemplateReader::read_functions(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::mapping || node.members.empty()) {
    add(Severity::error, node.line,
        "Functions is " + (node.kind == YamlNode::Kind::mapping ? "empty" : describe(node)) +
            "; it must be a mapping from each function's name to its Properties");
    return;
  }
  for (const auto& [key, value] : node.members) read_function(key, value);
}

void TemplateReader::read_function(const YamlNode& key, const YamlNode& node) {
  if (const auto defect = function_name_defect(key.text)) {
    add(Severity::error, key.line, "Functions: the name \"" + key.text + "\": " + *defect);
    return;
  }
  TemplateFunction function;
  function.name = key.text;
  function.line = key.line;
  const std::string path = "Functions." + function.name;
  if (node.kind != YamlNode::Kind::mapping) {
    add(Severity::error, key.line,
        path + " is " + describe(node) + "; it must be a mapping with Properties");
  } else {
    YamlFields fields(node, path, source_, findings_);
    const YamlNode* properties = fields.take("Properties");
    if (properties == nullptr) {
      add(Severity::error, key.line,
          path + ".Properties is missing; it must be a mapping with CodeUri and Runtime");
    } else if (properties->kind != YamlNode::Kind::mapping) {
      fields.error(
          "Properties", properties->line,
          "is " + describe(*properties) + "; it must be a mapping with CodeUri and Runtime");
    } else {
      read_properties(function, *properties, path + ".Properties");
    }
    fields.finish(properties == nullptr ? std::span<const std::string_view>(kPropertyFields)
                                        : std::span<const std::string_view>(kFunctionFields),
                  kIgnoredBesideProperties);
  }
  template_.functions.push_back(std::move(function));
}

void TemplateReader::read_properties(TemplateFunction& function, const YamlNode& node,
                                     std::string path) {
  YamlFields fields(node, std::move(path), source_, findings_);
  read_code_uri(function, fields, node.line);
  read_runtime(function, fields, node.line);
  if (auto handler =
          fields.string("Handler", "a module and function, such as app.lambda_handler")) {
    function.handler = std::move(*handler);
  }
  function.start = fields.boolean("Start");
  if (const YamlNode* start = fields.take("Start")) function.start_line = start->line;
  read_policies(function, fields);
  read_environment(function, fields);
  function.memory_mb = fields.integer("MemorySize", 1, kMemoryMbMax, "megabytes");
  function.timeout_seconds = fields.integer("Timeout", 1, kTimeoutSecondsMax, "seconds");
  fields.finish(kPropertyFields, kIgnored);
}

void TemplateReader::read_code_uri(TemplateFunction& function, YamlFields& fields,
                                   std::size_t line) {
  constexpr std::string_view kWhat = "the function's directory, relative to the template";
  const YamlNode* node = fields.take("CodeUri");
  if (node == nullptr) {
    fields.error("CodeUri", line, "is missing; it must be " + std::string(kWhat));
    return;
  }
  function.code_uri_line = node->line;
  auto uri = fields.string("CodeUri", kWhat);
  if (!uri) return;
  if (uri->starts_with('/') || uri->find("://") != std::string::npos) {
    fields.error("CodeUri", node->line, "is " + *uri + "; it must be " + std::string(kWhat));
    return;
  }
  while (uri->size() > 1 && uri->ends_with('/')) uri->pop_back();
  function.code_uri = std::move(*uri);
}

void TemplateReader::read_runtime(TemplateFunction& function, YamlFields& fields,
                                  std::size_t line) {
  constexpr std::string_view kWhat =
      "python3.x, nodejs2x.x, provided.* (an executable) or native (a shared object)";
  const YamlNode* node = fields.take("Runtime");
  if (node == nullptr) {
    fields.error("Runtime", line, "is missing; it must be " + std::string(kWhat));
    return;
  }
  auto runtime = fields.string("Runtime", kWhat);
  if (!runtime) return;
  if (!is_runtime(*runtime)) {
    fields.error("Runtime", node->line, "is " + *runtime + "; it must be " + std::string(kWhat));
    return;
  }
  function.runtime = std::move(*runtime);
}

void TemplateReader::read_policies(TemplateFunction& function, YamlFields& fields) {
  const YamlNode* node = fields.take("Policies");
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::sequence) {
    fields.error("Policies", node->line,
                 "is " + describe(*node) + "; it must be a list of policies");
    return;
  }
  for (const YamlNode& policy : node->items) {
    if (policy.kind == YamlNode::Kind::scalar) {
      function.policies.push_back(policy.text);
    } else if (policy.kind == YamlNode::Kind::mapping) {
      try {
        function.policies.push_back(yaml_to_json(policy, source_));
      } catch (const Error& error) {
        findings_.push_back(finding_from(Severity::error, "template", source_, error.message()));
      }
    } else {
      fields.error("Policies", policy.line,
                   "holds " + describe(policy) + "; each must be a policy's name or a mapping");
    }
  }
}

void TemplateReader::read_environment(TemplateFunction& function, YamlFields& fields) {
  const YamlNode* node = fields.take("Environment");
  if (node == nullptr || node->kind == YamlNode::Kind::null) return;
  if (node->kind != YamlNode::Kind::mapping) {
    fields.error("Environment", node->line,
                 "is " + describe(*node) + "; it must be a mapping from names to values");
    return;
  }
  for (const auto& [key, value] : node->members) {
    const std::string path = "Environment." + key.text;
    if (key.text.empty() || key.text.find('=') != std::string::npos ||
        key.text.find('\0') != std::string::npos) {
      fields.error("Environment", key.line,
                   "has the name \"" + key.text + "\"; a name has no '=' and is not empty");
    } else if (value.kind != YamlNode::Kind::scalar || value.text.find('\0') != std::string::npos) {
      fields.error(path, value.line,
                   "is " + describe(value) + "; it must be a string, a number, true or false" +
                       (value.kind == YamlNode::Kind::null ? " (\"\" for an empty one)" : ""));
    } else {
      function.environment[key.text] = value.text;
    }
  }
}

}  // namespace

std::string_view to_string(FaasPlatform platform) noexcept {
  return kPlatforms[static_cast<std::size_t>(platform)];
}

Template parse_template(std::string_view yaml_text, std::string_view source,
                        std::vector<Finding>& findings) {
  try {
    const YamlNode root = parse_yaml(yaml_text, source);
    return TemplateReader(source, findings).read(root);
  } catch (const Error& error) {
    findings.push_back(finding_from(Severity::error, "template", source, error.message()));
    return {};
  }
}

}  // namespace unum
