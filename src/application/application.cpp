// Joining template and IR: the entry, the settings of each function, what is forced.
#include "application/application.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "application/application_files.hpp"
#include "application/link.hpp"

namespace unum {
namespace {

FunctionSettings join(const Template& defaults, FunctionFiles& files) {
  const TemplateFunction& properties = files.properties;
  FunctionSettings settings;
  settings.ir = std::move(files.ir->function);
  settings.code_dir = files.code_dir;
  settings.runtime = properties.runtime;
  settings.handler = properties.handler;
  settings.environment = properties.environment;
  settings.policies = properties.policies;
  settings.memory_mb = properties.memory_mb.value_or(defaults.memory_mb);
  settings.timeout_seconds = properties.timeout_seconds.value_or(defaults.timeout_seconds);
  settings.start = properties.start.value_or(settings.ir.start);
  settings.checkpoint = settings.ir.checkpoint.value_or(defaults.checkpoint);
  settings.debug = settings.ir.debug.value_or(defaults.debug);
  settings.template_line = properties.line;
  return settings;
}

void check_start_agrees(const FunctionFiles& files, std::vector<Finding>& findings) {
  const FunctionIr& ir = files.ir->function;
  if (!files.properties.start || !ir.has_start || *files.properties.start == ir.start) return;
  findings.push_back(
      {Severity::error, "entry", std::string(kTemplateFile), files.properties.start_line,
       "Functions." + ir.name + ".Properties.Start is " + (ir.start ? "false" : "true") +
           ", but Start in " + ir.source + " is " + (ir.start ? "true" : "false") +
           "; where both say something they must agree"});
}

void find_entry(Application& application, bool all_read) {
  std::string named;
  std::size_t count = 0;
  for (const FunctionSettings& function : application.functions) {
    if (!function.start) continue;
    named += (count > 0 ? ", " : "") + function.name();
    ++count;
    application.entry = function.name();
  }
  if (count == 1) return;
  application.entry.clear();
  if (count == 0 && !all_read) return;  // It may be one of those that could not be read.
  std::string message = count == 0
                            ? "no function is the entry; write Start: true on exactly one of "
                            : "several functions are the entry: ";
  if (count == 0) {
    for (const FunctionSettings& function : application.functions) {
      if (&function != &application.functions.front()) named += ", ";
      named += function.name();
    }
  }
  message += named;
  if (count > 1) message += "; write Start: true on exactly one";
  application.findings.push_back(
      {Severity::error, "entry", std::string(kTemplateFile), 0, std::move(message)});
}

void resolve_checkpoints(Application& application) {
  mark_named_in_values(application);
  for (FunctionSettings& function : application.functions) {
    function.ir.start = function.start;
    const std::string_view reason = always_checkpointed_because(function.ir);
    function.checkpoint_forced = !reason.empty();
    if (function.checkpoint_forced && function.ir.checkpoint == false) {
      application.findings.push_back({Severity::info, "checkpoint", function.ir.source,
                                      function.ir.line,
                                      "Checkpoint: false has no effect, since " +
                                          std::string(reason) + ": its result is always written"});
    }
    function.checkpoint = function.checkpoint || function.checkpoint_forced;
    function.ir.checkpoint = function.checkpoint;
    function.ir.debug = function.debug;
  }
}

std::string default_name(const Application& application) {
  const std::filesystem::path& directory = application.directory;
  if (directory.empty()) return application.entry;
  std::error_code code;
  std::filesystem::path real = std::filesystem::weakly_canonical(directory, code);
  if (code) real = directory;
  return real.filename().string();
}

}  // namespace

const FunctionSettings* Application::find(std::string_view function) const noexcept {
  const auto found = std::lower_bound(
      functions.begin(), functions.end(), function,
      [](const FunctionSettings& settings, std::string_view key) { return settings.name() < key; });
  return found != functions.end() && found->name() == function ? &*found : nullptr;
}

namespace {

/// Joins the files of an application that knows its directory and what reading them found.
Application joined(Application application, ApplicationFiles files) {
  move_legacy_modifiers(files, application.findings);
  if (files.settings) {
    const Template& settings = *files.settings;
    application.name = settings.application_name;
    application.platform = settings.platform;
    application.store = settings.store;
    application.read_consistency = settings.read_consistency;
    application.index_order = settings.index_order;
    application.collects_garbage = settings.collects_garbage;
    application.debug = settings.debug;
    bool all_read = true;
    for (FunctionFiles& function : files.functions) {
      if (!function.ir) {
        all_read = false;
        continue;
      }
      check_start_agrees(function, application.findings);
      application.functions.push_back(join(settings, function));
    }
    if (!files.functions.empty()) find_entry(application, all_read);
    if (application.name.empty()) application.name = default_name(application);
    resolve_checkpoints(application);
    link(application);
  }
  sort_findings(application.findings);
  return application;
}

}  // namespace

Application load_application(const std::filesystem::path& directory) {
  Application application;
  application.directory = directory;
  ApplicationFiles files = read_application_files(directory, application.findings);
  return joined(std::move(application), std::move(files));
}

Application application_from(const ApplicationText& text) {
  Application application;
  application.directory = text.directory;
  ApplicationFiles files = parse_application_text(text, application.findings);
  return joined(std::move(application), std::move(files));
}

std::string store_name_of(const Application& application) {
  const StoreName& store = application.store;
  if (store.type == StoreType::memory && store.name.empty()) return "run";
  if (store.type != StoreType::fs || std::filesystem::path(store.name).is_absolute()) {
    return store.name;
  }
  return (application.directory / store.name).lexically_normal().string();
}

}  // namespace unum
