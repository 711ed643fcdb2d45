// Commands and options of the command line.
#include "cli/cli.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>

#include "base/build_config.hpp"

namespace unum::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 the workflow failed; 2 usage, or the application is refused; 3 the "
    "store or\n"
    "the machine; 130 interrupted.";

void add_run_options(CLI::App& command, RunArguments& arguments) {
  command.add_option("--store", arguments.store, "Data store, TYPE:NAME (default: the template's)");
  command
      .add_option("--workers", arguments.workers, "Functions that run at once (default: the cores)")
      ->check(CLI::Range(1, 4096));
  command.add_option("--timeout", arguments.timeout_s, "Seconds until the whole run is given up")
      ->check(CLI::PositiveNumber);
  command.add_flag("--json", arguments.json, "One JSON object on stdout, also on failure");
  command.add_flag("--quiet", arguments.quiet, "No progress and no warnings");
  command.add_flag_callback(
      "--no-durable", [&arguments] { arguments.durable = false; },
      "Do not wait for the disk: faster, and a power failure may lose results");
}

int parse_and_run(CLI::App& app, int argc, char** argv) {
  RunArguments run_arguments;
  CLI::App* run_command = app.add_subcommand("run", "Run an application to its end");
  run_command->add_option("dir", run_arguments.directory, "The application's directory")
      ->required();
  run_command->add_option("--input", run_arguments.input,
                          "Input of the entry function: JSON, @FILE, or - for stdin (default: {})");
  run_command->add_option(
      "--session", run_arguments.session,
      "Session id; the same id again goes on from what is stored (default: a new one)");
  add_run_options(*run_command, run_arguments);

  RunArguments resume_arguments;
  resume_arguments.resume = true;
  CLI::App* resume_command =
      app.add_subcommand("resume", "Go on with a session, with the input it has");
  resume_command->add_option("session", resume_arguments.session, "The session's id")->required();
  resume_command->add_option("dir", resume_arguments.directory, "The application's directory")
      ->capture_default_str();
  add_run_options(*resume_command, resume_arguments);

  CheckArguments check_arguments;
  CLI::App* check_command = app.add_subcommand("check", "Say what is wrong with an application");
  check_command->add_option("dir", check_arguments.directory, "The application's directory")
      ->capture_default_str();
  check_command->add_flag("--migrate", check_arguments.migrate,
                          "Rewrite configurations of older generations to today's form");

  InspectArguments inspect_arguments;
  CLI::App* inspect_command = app.add_subcommand("inspect", "Show the instances of a session");
  inspect_command->add_option("session", inspect_arguments.session, "The session's id")->required();
  inspect_command->add_option("dir", inspect_arguments.directory, "The application's directory")
      ->capture_default_str();
  inspect_command->add_option("--store", inspect_arguments.store, "Data store, TYPE:NAME");
  inspect_command->add_flag("--json", inspect_arguments.json, "One JSON object on stdout");

  StoreArguments store_arguments;
  CLI::App* store_command = app.add_subcommand("store", "Make or examine a data store");
  store_command->require_subcommand(1);
  CLI::App* create_command = store_command->add_subcommand("create", "Make a data store");
  create_command->add_option("store", store_arguments.store, "TYPE:NAME, for example fs:/srv/unum")
      ->required();
  CLI::App* examine_command =
      store_command->add_subcommand("check", "Say whether a data store exists and can be written");
  examine_command->add_option("store", store_arguments.store, "TYPE:NAME")->required();

  CLI::App* doctor_command =
      app.add_subcommand("doctor", "Say what this machine offers and what is used");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  if (run_command->parsed()) return run(run_arguments);
  if (resume_command->parsed()) return run(resume_arguments);
  if (check_command->parsed()) return check(check_arguments);
  if (inspect_command->parsed()) return inspect(inspect_arguments);
  if (store_command->parsed()) {
    store_arguments.create = create_command->parsed();
    return store(store_arguments);
  }
  if (doctor_command->parsed()) return doctor();
  std::fputs(app.help().c_str(), stderr);
  return kUsage;
}

/// A descriptor 0, 1 or 2 that came closed would become the next file's, and messages would go into
/// it.
void hold_standard_descriptors() {
  for (int fd = ::open("/dev/null", O_RDWR); fd >= 0 && fd <= STDERR_FILENO;) {
    fd = ::open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO) ::close(fd);
  }
}

/// What was printed must have arrived, or the command has failed.
int flushed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  return report_error(system_error("cli", errno, "cannot write to stdout"));
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_descriptors();
  CLI::App app{"unum: serverless workflows without an orchestrator", "unum"};
  app.set_version_flag("--version", std::string("unum ") + build::kVersion);
  app.footer(kExitCodes);
  app.require_subcommand(0, 1);
  try {
    return flushed(parse_and_run(app, argc, argv));
  } catch (const Error& error) {
    return report_error(error);
  } catch (const std::bad_alloc&) {
    std::fputs("unum: out of memory\n", stderr);
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "unum: %s\n", error.what());  // stdout closed by its reader, usually
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unum: internal error: %s\n", error.what());
  }
  return kMachine;
}

}  // namespace unum::cli
