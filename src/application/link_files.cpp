// See link_files.hpp.
#include "application/link_files.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <utility>

#include "application/application_files.hpp"
#include "application/replace_file.hpp"
#include "base/limits.hpp"
#include "base/suggest.hpp"
#include "unum/function.hpp"
#include "workflow/ir_fields.hpp"
#include "workflow/object_writer.hpp"

namespace unum {
namespace {

namespace fs = std::filesystem;

/// The form of application.json. Another one is another number.
constexpr int kForm = 1;

constexpr std::array<std::string_view, 8> kApplicationFields{"Linked",
                                                             "ApplicationName",
                                                             "Entry",
                                                             "UnumIntermediaryDataStoreType",
                                                             "UnumIntermediaryDataStoreName",
                                                             "GC",
                                                             "ReadConsistency",
                                                             "Functions"};
constexpr std::array<std::string_view, 6> kFunctionFields{"Digest",      "Runtime",    "Handler",
                                                          "Environment", "MemorySize", "Timeout"};

std::string config_name(std::string_view function) {
  return std::string(function) + "/unum_config.json";
}

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorKind::invalid, "application", "Unum.Linked", std::move(message));
}

void write_function(ObjectWriter& functions, const FunctionSettings& settings) {
  ObjectWriter writer(functions.key(settings.name()), 4);
  writer.text("Digest", Function(settings.ir).digest());
  writer.text("Runtime", settings.runtime);
  writer.text("Handler", settings.handler);
  if (!settings.environment.empty()) {
    ObjectWriter environment(writer.key("Environment"), 6);
    for (const auto& [name, value] : settings.environment) environment.text(name, value);
    environment.end();
  }
  writer.number("MemorySize", settings.memory_mb);
  writer.number("Timeout", settings.timeout_seconds);
  writer.end();
}

std::string application_text(const Application& application) {
  std::string out;
  ObjectWriter writer(out, 0);
  writer.number("Linked", kForm);
  writer.text("ApplicationName", application.name);
  writer.text("Entry", application.entry);
  writer.text("UnumIntermediaryDataStoreType", to_string(application.store.type));
  if (application.store.named) {
    writer.text("UnumIntermediaryDataStoreName", application.store.name);
  }
  writer.boolean("GC", application.collects_garbage);
  const bool strong = application.read_consistency == ReadConsistency::strong;
  writer.text("ReadConsistency", strong ? "strong" : "eventual");
  ObjectWriter functions(writer.key("Functions"), 2);
  for (const FunctionSettings& settings : application.functions) {
    write_function(functions, settings);
  }
  functions.end();
  writer.end();
  return out + "\n";
}

/// A field that must be there.
IrField require(IrObject& object, std::string_view key, std::string_view what) {
  const auto field = object.take(key);
  if (!field) object.missing(key, what);
  return *field;
}

/// The application, and in `functions` what it says of each.
LinkedApplication parse_application(const IrText& text, std::vector<IrObject>& functions) {
  LinkedApplication linked;
  Application& application = linked.application;
  IrObject object(IrField{&text, text.root(), {}}, "an object, as `unum link` writes it");
  constexpr std::string_view kThisForm = "1, as this version of `unum link` writes it";
  const IrField form = require(object, "Linked", kThisForm);
  if (form.raw != std::to_string(kForm)) form.wrong(kThisForm);
  application.name = require(object, "ApplicationName", "a name").string("a name");
  application.entry =
      require(object, "Entry", "a function's name").function_name("a function's name");
  constexpr std::string_view kTypes = "a type of data store";
  const IrField type = require(object, "UnumIntermediaryDataStoreType", kTypes);
  const StoreTypeInfo* const known = find_store_type(type.string(kTypes));
  if (known == nullptr) type.wrong(kTypes);
  application.store.type = known->type;
  if (const auto name = object.take("UnumIntermediaryDataStoreName")) {
    application.store.name = name->string("the data store's name");
    application.store.named = true;
  }
  if (const auto gc = object.take("GC")) application.collects_garbage = gc->boolean();
  if (const auto field = object.take("ReadConsistency")) {
    const std::string word = field->string("strong or eventual");
    if (word != "strong" && word != "eventual") field->wrong(R"("strong" or "eventual")");
    if (word == "eventual") application.read_consistency = ReadConsistency::eventual;
  }
  const IrField listed = require(object, "Functions", "an object with the functions");
  object.finish_strictly(kApplicationFields);
  if (listed.type() != json::Type::object) listed.wrong("an object with the functions");
  for (const json::Member& member : json::members(listed.raw)) {
    const IrField field{&text, member.value, listed.path + "." + member.key};
    if (const auto defect = function_name_defect(member.key)) field.fail("is named so: " + *defect);
    IrObject& function = functions.emplace_back(field, "an object with Digest, Runtime, ...");
    linked.digests[member.key] =
        require(function, "Digest", "the function's digest").string("the function's digest");
  }
  return linked;
}

FunctionSettings parse_function(IrObject& object) {
  FunctionSettings settings;
  settings.runtime = require(object, "Runtime", "python3.x, ...").string("python3.x, ...");
  settings.handler = require(object, "Handler", "the code's entry").string("the code's entry");
  if (const auto environment = object.take("Environment")) {
    if (environment->type() != json::Type::object) environment->wrong("an object of strings");
    for (const json::Member& member : json::members(environment->raw)) {
      const IrField field{environment->text, member.value, environment->path + "." + member.key};
      settings.environment[member.key] = field.string("a string");
    }
  }
  settings.memory_mb = require(object, "MemorySize", "megabytes").integer(1, kMemoryMbMax, "MB");
  settings.timeout_seconds =
      require(object, "Timeout", "seconds").integer(1, kTimeoutSecondsMax, "seconds");
  object.finish_strictly(kFunctionFields);
  return settings;
}

/// The functions that a directory's application.json names; none if there is no such file.
std::set<std::string, std::less<>> functions_before(const fs::path& directory) {
  const fs::path path = directory / kLinkedApplicationFile;
  std::error_code code;
  std::set<std::string, std::less<>> names;
  if (!fs::exists(path, code)) {
    const bool is_empty = fs::is_empty(directory, code);
    if (code) throw system_error("application", code.value(), "cannot read " + directory.string());
    if (!is_empty) {
      refuse(directory.string() +
             " has files that `unum link` has not written; name a directory that is new or empty");
    }
    return names;
  }
  std::vector<IrWarning> warnings;
  const std::string content = read_file(path, kIrBytesMax);
  const IrText text(content, path.string(), warnings);
  std::vector<IrObject> functions;
  for (const auto& [name, digest] : parse_application(text, functions).digests) names.insert(name);
  return names;
}

}  // namespace

std::vector<LinkedFile> linked_files(const Application& application) {
  std::vector<LinkedFile> files;
  files.push_back({std::string(kLinkedApplicationFile), application_text(application)});
  for (const FunctionSettings& settings : application.functions) {
    files.push_back({config_name(settings.name()), Function(settings.ir).text()});
  }
  return files;
}

void write_linked_files(const std::vector<LinkedFile>& files, const fs::path& directory) {
  std::error_code code;
  const bool made = fs::create_directories(directory, code);
  if (code) throw system_error("application", code.value(), "cannot make " + directory.string());
  std::set<std::string, std::less<>> before;
  if (!made) before = functions_before(directory);
  for (auto file = files.rbegin(); file != files.rend(); ++file) {  // application.json last
    const fs::path path = directory / file->name;
    fs::create_directories(path.parent_path(), code);
    if (code) {
      throw system_error("application", code.value(), "cannot make " + path.parent_path().string());
    }
    replace_file(path.string(), file->text);
  }
  for (const std::string& function : before) {
    const std::string name = config_name(function);
    const bool is_there = std::any_of(files.begin(), files.end(),
                                      [&](const LinkedFile& file) { return file.name == name; });
    if (is_there) continue;
    fs::remove(directory / name, code);
    if (code) {
      throw system_error("application", code.value(),
                         "cannot remove " + (directory / name).string());
    }
    fs::remove(directory / function, code);  // unless something else stands there
  }
}

LinkedApplication read_linked_function(const fs::path& directory, std::string_view function,
                                       const fs::path& code_dir) {
  const fs::path path = directory / kLinkedApplicationFile;
  std::vector<IrWarning> warnings;
  const std::string content = read_file(path, kIrBytesMax);
  const IrText text(content, path.string(), warnings);
  std::vector<IrObject> functions;
  LinkedApplication linked = parse_application(text, functions);
  linked.application.directory = directory;
  const auto found = linked.digests.find(function);
  if (found == linked.digests.end()) {
    std::vector<std::string_view> names;
    for (const auto& [name, digest] : linked.digests) names.push_back(name);
    refuse(path.string() + " has no function " + std::string(function) +
           did_you_mean(function, names));
  }
  const std::string config = (directory / config_name(function)).string();
  const Function parsed = Function::parse(read_file(config, kIrBytesMax), config);
  if (!parsed.is_linked() || parsed.name() != function || parsed.digest() != found->second) {
    refuse(config + " is not the file that " + path.string() +
           " was written with; write both by `unum link` again");
  }
  const auto place = std::find_if(functions.begin(), functions.end(), [&](const IrObject& entry) {
    return entry.field().path == "Functions." + std::string(function);
  });
  FunctionSettings settings = parse_function(*place);
  settings.ir = parsed.ir();
  settings.start = parsed.is_entry();
  settings.code_dir = code_dir;
  if (settings.start != (linked.application.entry == function)) {
    refuse(path.string() + ": Entry is " + linked.application.entry + ", but " + config +
           (settings.start ? " is an entry, too" : " is no entry") + "; run `unum link` again");
  }
  linked.application.functions.push_back(std::move(settings));
  return linked;
}

}  // namespace unum
