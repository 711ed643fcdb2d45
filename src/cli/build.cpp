// `unum build`: folders that are ready to be deployed.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "application/application.hpp"
#include "application/link_files.hpp"
#include "application/replace_file.hpp"
#include "cli/cli.hpp"
#include "hosts/lambda/deployment.hpp"
#include "hosts/lambda/settings.hpp"
#include "workers/function_code.hpp"
#include "workers/worker_files.hpp"

namespace unum::cli {
namespace {

namespace fs = std::filesystem;

// What AWS Lambda starts in place of a managed runtime's own program, whose command line it is
// given. Interpreters of managed runtimes are below /var/lang.
constexpr std::string_view kWrapper = R"(#!/bin/sh
if [ -n "${UNUM_LAMBDA_WORKERS:-}" ]; then
  export UNUM_PYTHON="${UNUM_PYTHON:-/var/lang/bin/python3}"
  export UNUM_NODE="${UNUM_NODE:-/var/lang/bin/node}"
  exec /opt/bootstrap
fi
exec /opt/bootstrap "$@"
)";

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorKind::invalid, "cli", "build", std::move(message));
}

/// New, empty, or written by an earlier build.
void prepare(const fs::path& out) {
  fs::create_directories(out);
  const fs::path mark = out / "template.yaml";
  if (fs::exists(mark)) {
    std::string line;
    std::ifstream file(mark);
    std::getline(file, line);
    if (line != lambda::kTemplateMark) {
      refuse(fmt::format("{} was not written by unum build; choose another --out", mark.string()));
    }
  } else if (!fs::is_empty(out)) {
    refuse(fmt::format("{} is not empty and was not written by unum build; choose another --out",
                       out.string()));
  }
  fs::remove_all(out / "functions");
  fs::remove_all(out / "layer");
}

/// A function's code, without what other builds and runs have left in it.
void copy_code(const fs::path& from, const fs::path& to, const fs::path& out) {
  fs::create_directories(to);
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (name == ".unum" || name == "__pycache__" || name == ".git") continue;
    if (fs::weakly_canonical(entry.path()) == out) continue;
    if (entry.is_directory()) {
      copy_code(entry.path(), to / name, out);
    } else {
      fs::copy_file(entry.path(), to / name);  // what a link points to, too
    }
  }
}

void write_file(const fs::path& path, std::string_view text) { replace_file(path.string(), text); }

void write_layer(const fs::path& layer, const BuildArguments& arguments, bool native) {
  fs::create_directories(layer);
  const fs::path command = arguments.command.empty() ? "/proc/self/exe" : arguments.command.c_str();
  fs::copy_file(fs::canonical(command), layer / "bootstrap");
  const auto executable = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                          fs::perms::others_read | fs::perms::others_exec;
  fs::permissions(layer / "bootstrap", executable);
  write_file(layer / "unum-wrapper", kWrapper);
  fs::permissions(layer / "unum-wrapper", executable);
  if (!native) return;
  constexpr std::string_view kWorker = "unum-native-worker";
  const auto worker = find_worker(kWorker);
  if (!worker) {
    refuse(
        fmt::format("functions with Runtime native need {}, which was not found (UNUM_WORKERS "
                    "names its directory)",
                    kWorker));
  }
  fs::copy_file(*worker, layer / kWorker);
}

void write_function(const fs::path& folder, const Application& application,
                    const FunctionSettings& settings, const std::vector<LinkedFile>& linked,
                    const fs::path& out) {
  const bool managed = lambda::runs_on_managed_runtime(settings);
  copy_code(settings.code_dir, managed ? folder : folder / "code", out);
  std::vector<LinkedFile> own;
  for (const LinkedFile& file : linked) {
    const bool is_own = file.name == settings.name() + "/unum_config.json";
    if (is_own || file.name == kLinkedApplicationFile) own.push_back(file);
  }
  const fs::path target = folder / lambda::kLinkedDirectory;
  for (const LinkedFile& file : own) {
    fs::create_directories((target / file.name).parent_path());
    write_file(target / file.name, file.text);
  }
  const fs::path names = application.directory / lambda::kFunctionArnFile;
  if (fs::exists(names)) fs::copy_file(names, target / lambda::kFunctionArnFile);
}

/// A shared build needs libraries that the environment of a function does not have.
bool needs_libraries(const fs::path& program) {
  std::ifstream file(program, std::ios::binary);
  std::string head(4096, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  return head.find("/lib64/ld-linux") != std::string::npos ||
         head.find("/lib/ld-linux") != std::string::npos;
}

int build_for_aws(const BuildArguments& arguments) {
  const CheckedApplication checked = load_checked(arguments.directory, false);
  Application application = details_of(checked);
  drop_password(application.store);
  lambda::DeploymentOptions options;
  options.stack =
      arguments.stack.empty() ? lambda::stack_name_of(application.name) : arguments.stack;
  options.architecture = arguments.architecture;
  lambda::check_deployment(application, options);
  const fs::path out =
      fs::weakly_canonical(arguments.out.empty() ? fs::path(arguments.directory) / ".unum" / "aws"
                                                 : fs::path(arguments.out));
  prepare(out);
  const std::vector<LinkedFile> linked = linked_files(application);
  bool native = false;
  for (const FunctionSettings& settings : application.functions) {
    native = native || code_kind(settings.runtime) == CodeKind::native;
    write_function(out / "functions" / settings.name(), application, settings, linked, out);
  }
  write_layer(out / "layer", arguments, native);
  write_file(out / "samconfig.toml", lambda::sam_configuration(options));
  write_file(out / "template.yaml", lambda::sam_template(application, options));
  if (needs_libraries(out / "layer" / "bootstrap")) {
    say("unum: warning: the layer's command needs shared libraries that functions do not have; "
        "build the command as one static file (docs/building.md) and name it with --command\n");
  }
  fmt::print("written: {}\n", out.string());
  fmt::print("deploy:  cd {} && sam deploy --guided\n", out.string());
  return kDone;
}

}  // namespace

int build(const BuildArguments& arguments) {
  try {
    return build_for_aws(arguments);
  } catch (const fs::filesystem_error& error) {
    return report_error(system_error("cli", error.code().value(), error.what()));
  }
}

}  // namespace unum::cli
