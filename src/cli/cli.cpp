// Commands and options of the command line.
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <limits>
#include <sstream>
#include <system_error>

#include "base/build_config.hpp"
#include "base/secrets.hpp"
#include "base/utf8.hpp"
#include "cli/start.hpp"

namespace unum::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 the workflow failed; 2 usage, or the application is refused;\n"
    "3 the store or the machine; 130 interrupted.";

constexpr const char* kStepExitCodes =
    "Exit codes: 0 acknowledge the delivery; 1 it is refused: acknowledge, and tell somebody;\n"
    "4 deliver again, at last with --give-up; any other: do not acknowledge, deliver again.";

/// Not an unset variable of a shell, and text, since sessions stand in JSON.
const CLI::Validator kText(
    [](const std::string& text) -> std::string {
      if (text.empty()) return "it must not be empty";
      return is_utf8(text) ? "" : "it is not UTF-8";
    },
    "");

constexpr double kSecondsMax = 1e9;  // thirty years

const CLI::Validator kSeconds(
    [](const std::string& text) -> std::string {
      double seconds = 0;
      const bool is_number = CLI::detail::lexical_cast(text, seconds);
      return is_number && seconds > 0 && seconds <= kSecondsMax
                 ? ""
                 : fmt::format("\"{}\" is no number of seconds above 0 and up to {:g}", text,
                               kSecondsMax);
    },
    "");

CLI::Validator seconds_up_to(double most) {
  return CLI::Validator(
      [most](const std::string& text) -> std::string {
        double seconds = 0;
        const bool is_number = CLI::detail::lexical_cast(text, seconds);
        return is_number && seconds >= 0 && seconds <= most
                   ? ""
                   : fmt::format("\"{}\" is no number of seconds from 0 to {:g}", text, most);
      },
      "");
}

// A day; whoever wants to wait for longer runs `unum resume` again.
constexpr double kPatienceMax = 86'400;

void add_patience(CLI::App& command, double& seconds) {
  command
      .add_option("--store-patience", seconds,
                  "Seconds for which a network store that does not answer is waited for")
      ->check(seconds_up_to(kPatienceMax))
      ->capture_default_str();
}

void add_run_options(CLI::App& command, RunArguments& arguments) {
  command.add_option("--store", arguments.store, "Data store, TYPE:NAME (default: the template's)")
      ->check(kText);
  add_patience(command, arguments.store_patience_s);
  command
      .add_option("--workers", arguments.workers, "Functions that run at once (default: the cores)")
      ->check(CLI::Range(1, 4096));
  command.add_option("--timeout", arguments.timeout_s, "Seconds until the whole run is given up")
      ->check(kSeconds);
  command.add_flag("--json", arguments.json, "One JSON object on stdout, also on failure");
  command.add_flag("--quiet", arguments.quiet, "No progress and no warnings");
  command.add_flag_callback(
      "--no-durable", [&arguments] { arguments.durable = false; },
      "Do not wait for the disk: faster, and a power failure may lose results");
  command.add_flag("--accept-changes", arguments.accept_changes,
                   "Go on in a session that has results of functions whose IR was changed since");
}

CLI::App* add_run(CLI::App& app, RunArguments& arguments) {
  CLI::App* command = app.add_subcommand("run", "Run an application to its end");
  command->add_option("dir", arguments.directory, "The application's directory")->required();
  command->add_option("--input", arguments.input,
                      "Input of the entry function: JSON, @FILE, or - for stdin (default: {})");
  command
      ->add_option("--session", arguments.session,
                   "Session id; the same id again goes on from what is stored (default: a new one)")
      ->check(kText);
  add_run_options(*command, arguments);
  return command;
}

CLI::App* add_resume(CLI::App& app, RunArguments& arguments) {
  arguments.resume = true;
  CLI::App* command = app.add_subcommand("resume", "Go on with a session, with the input it has");
  command->add_option("session", arguments.session, "The session's id")->required()->check(kText);
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  add_run_options(*command, arguments);
  return command;
}

CLI::App* add_invoke(CLI::App& app, InvokeArguments& arguments) {
  CLI::App* command = app.add_subcommand(
      "invoke", "Begin a session on a platform where the application is deployed");
  command->add_option("platform", arguments.where, "The platform, SCHEME:...")
      ->required()
      ->check(kText);
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command->add_option("--input", arguments.input,
                      "Input of the entry function: JSON, @FILE, or - for stdin (default: {})");
  command->add_option("--session", arguments.session, "Session id (default: a new one)")
      ->check(kText);
  CLI::Option* wait = command->add_flag(
      "--wait", arguments.wait, "Wait for the end, by the data store, and print the result");
  command->add_option("--timeout", arguments.timeout_s, "With --wait: seconds until it gives up")
      ->check(kSeconds)
      ->needs(wait);
  command->add_option("--store", arguments.store, "Data store, TYPE:NAME (default: the template's)")
      ->check(kText);
  add_patience(*command, arguments.store_patience_s);
  return command;
}

CLI::App* add_check(CLI::App& app, CheckArguments& arguments) {
  CLI::App* command = app.add_subcommand("check", "Say what is wrong with an application");
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command->add_flag("--migrate", arguments.migrate,
                    "Rewrite configurations of older generations to today's form");
  return command;
}

CLI::App* add_inspect(CLI::App& app, InspectArguments& arguments) {
  CLI::App* command = app.add_subcommand("inspect", "Show the instances of a session");
  command->add_option("session", arguments.session, "The session's id")->required()->check(kText);
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command->add_option("--store", arguments.store, "Data store, TYPE:NAME")->check(kText);
  add_patience(*command, arguments.store_patience_s);
  command->add_flag("--json", arguments.json, "One JSON object on stdout");
  return command;
}

CLI::App* add_link(CLI::App& app, LinkArguments& arguments) {
  CLI::App* command = app.add_subcommand("link", "Write what to deploy for each function");
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command
      ->add_option("--out", arguments.out,
                   "Directory for the files, new or empty or of an earlier link (default: stdout)")
      ->check(kText);
  return command;
}

CLI::App* add_build(CLI::App& app, BuildArguments& arguments) {
  CLI::App* command = app.add_subcommand("build", "Write what is deployed to a platform");
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command->add_option("--platform", arguments.platform, "The platform: aws")
      ->required()
      ->check(CLI::IsMember({"aws"}));
  command
      ->add_option("--out", arguments.out,
                   "Directory, new or empty or of an earlier build (default: .unum/aws in DIR)")
      ->check(kText);
  command
      ->add_option("--stack", arguments.stack,
                   "Name of the stack, with which the functions' names begin (default: the "
                   "application's)")
      ->check(kText);
  command->add_option("--architecture", arguments.architecture, "Of the functions")
      ->check(CLI::IsMember({"x86_64", "arm64"}))
      ->capture_default_str();
  command
      ->add_option("--command", arguments.command,
                   "The static unum command for the layer (default: the running one)")
      ->check(CLI::ExistingFile);
  return command;
}

CLI::App* add_step(CLI::App& app, StepArguments& arguments) {
  CLI::App* command = app.add_subcommand(
      "step", "Run one function's step for the payload on stdin; print what to invoke next");
  command->footer(kStepExitCodes);
  CLI::Option* dir = command->add_option("dir", arguments.directory, "The application's directory")
                         ->capture_default_str();
  command
      ->add_option("--linked", arguments.linked,
                   "Instead: the directory that unum link has written")
      ->check(kText)
      ->excludes(dir);
  command
      ->add_option("--code", arguments.code, "With --linked: the directory of the function's code")
      ->check(CLI::ExistingDirectory);
  command->add_option("--function", arguments.function, "The function")->required()->check(kText);
  command
      ->add_option(
          "--session", arguments.session,
          "Begins this session: stdin is the input of the workflow, the function its entry")
      ->check(kText);
  command->add_option("--attempt", arguments.attempt, "Which delivery this is, from 1")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()))
      ->capture_default_str();
  CLI::Option* give_up =
      command
          ->add_option("--give-up", arguments.give_up,
                       "Run nothing: end the step, whose deliveries were lost, with this error")
          ->check(kText);
  command->add_option("--cause", arguments.cause, "With --give-up: what happened, for people")
      ->check(kText)
      ->needs(give_up);
  command
      ->add_option("--payload-bytes-max", arguments.payload_bytes_max,
                   "The largest payload that the platform takes (default: any)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62));
  command
      ->add_option("--delay-max", arguments.delay_max_s,
                   "Seconds for which the platform can keep an invocation back")
      ->check(seconds_up_to(kSecondsMax))
      ->capture_default_str();
  command->add_option("--store", arguments.store, "Data store, TYPE:NAME (default: the template's)")
      ->check(kText);
  add_patience(*command, arguments.store_patience_s);
  command->add_flag("--accept-changes", arguments.accept_changes,
                    "Go on in a session that has results of functions whose IR was changed since");
  return command;
}

CLI::App* add_worker(CLI::App& app, WorkerArguments& arguments) {
  CLI::App* command =
      app.add_subcommand("worker", "Run steps from an application's queue, beside other workers");
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command
      ->add_option("--queue", arguments.queue,
                   "The queue's server, redis:NAME (default: that of the data store)")
      ->check(kText);
  command->add_option("--store", arguments.store, "Data store, TYPE:NAME (default: the template's)")
      ->check(kText);
  add_patience(*command, arguments.store_patience_s);
  command
      ->add_option("--workers", arguments.workers,
                   "Functions that run at once (default: the cores)")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--grace", arguments.grace_s,
                   "Seconds for which functions that run may go on after SIGTERM")
      ->check(seconds_up_to(kPatienceMax))
      ->capture_default_str();
  command
      ->add_option("--lease", arguments.lease_s,
                   "Seconds of silence after which another worker takes over what this one has")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  command
      ->add_option("--replicas", arguments.replicas,
                   "With a redis data store: how many replicas must have a result before anything "
                   "follows from it")
      ->check(CLI::Range(0, 16));
  command->add_flag("--accept-changes", arguments.accept_changes,
                    "Go on in sessions that have results of functions whose IR was changed since");
  command->add_flag("--quiet", arguments.quiet, "Only errors");
  return command;
}

CLI::App* add_workers(CLI::App& app, WorkersArguments& arguments) {
  CLI::App* command =
      app.add_subcommand("workers", "Show an application's queue and who works on it");
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command
      ->add_option("--queue", arguments.queue,
                   "The queue's server, redis:NAME (default: that of the data store)")
      ->check(kText);
  add_patience(*command, arguments.store_patience_s);
  command->add_flag("--json", arguments.json, "One JSON object on stdout");
  return command;
}

CLI::App* add_serve(CLI::App& app, ServeArguments& arguments) {
  CLI::App* command = app.add_subcommand("serve", "Serve functions over HTTP, behind a platform");
  CLI::Option* dir = command->add_option("dir", arguments.directory, "The application's directory")
                         ->capture_default_str();
  command
      ->add_option("--linked", arguments.linked,
                   "Instead: the directory that unum link has written")
      ->check(kText)
      ->excludes(dir);
  command
      ->add_option("--code", arguments.code, "With --linked: the directory of the function's code")
      ->check(CLI::ExistingDirectory);
  command
      ->add_option("--function", arguments.function,
                   "Serve this one, at / (default: all, each at /NAME)")
      ->check(kText);
  command->add_option("--host", arguments.host,
                      "Address to listen on (default: 0.0.0.0 where PORT is set, else 127.0.0.1)");
  CLI::Option* port =
      command->add_option("--port", arguments.port, "Port (default: PORT, else 8080); 0: any")
          ->check(CLI::Range(0, 65535));
  command->add_option("--socket", arguments.socket, "Unix socket to listen on instead")
      ->check(kText)
      ->excludes(port);
  command
      ->add_option("--concurrency", arguments.concurrency,
                   "Deliveries at once; what is beyond is answered with 429 (default: the cores)")
      ->check(CLI::Range(1, 4096));
  CLI::Option* invoke =
      command->add_option("--invoke", arguments.invoke,
                          "Where next functions are invoked: openfaas:URL or knative:URL");
  command
      ->add_option("--invoke-url", arguments.invoke_url,
                   "Where next functions are invoked: a URL with {function} or {name} in it")
      ->excludes(invoke);
  command
      ->add_option("--invoke-timeout", arguments.invoke_timeout_s,
                   "Seconds until an invocation must have been accepted")
      ->check(kSeconds)
      ->capture_default_str();
  command
      ->add_option("--payload-bytes-max", arguments.payload_bytes_max,
                   "The largest payload that is sent; a larger one is passed as a pointer")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62))
      ->capture_default_str();
  command
      ->add_option("--body-bytes-max", arguments.body_bytes_max,
                   "The largest request that is taken")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 30))
      ->capture_default_str();
  command
      ->add_option("--delay-max", arguments.delay_max_s,
                   "Seconds for which a delivery may be held for an attempt of Retry")
      ->check(seconds_up_to(kSecondsMax))
      ->capture_default_str();
  command
      ->add_option("--grace", arguments.grace_s,
                   "Seconds that deliveries have to end after SIGTERM")
      ->check(seconds_up_to(kSecondsMax))
      ->capture_default_str();
  command->add_option("--store", arguments.store, "Data store, TYPE:NAME (default: the template's)")
      ->check(kText);
  add_patience(*command, arguments.store_patience_s);
  command->add_flag("--accept-changes", arguments.accept_changes,
                    "Go on in a session that has results of functions whose IR was changed since");
  return command;
}

CLI::App* add_store(CLI::App& app, StoreArguments& arguments) {
  CLI::App* command = app.add_subcommand("store", "Make or examine a data store");
  command->require_subcommand(1);
  CLI::App* create = command->add_subcommand("create", "Make a data store");
  create->add_option("store", arguments.store, "TYPE:NAME, for example fs:/srv/unum")->required();
  create->callback([&arguments] { arguments.create = true; });
  CLI::App* examine =
      command->add_subcommand("check", "Say whether a data store exists and can be written");
  examine->add_option("store", arguments.store, "TYPE:NAME")->required();
  add_patience(*examine, arguments.store_patience_s);
  return command;
}

CLI::App* add_gc(CLI::App& app, GcArguments& arguments) {
  CLI::App* command = app.add_subcommand("gc", "Remove sessions that nobody has used for a while");
  command->add_option("dir", arguments.directory, "The application's directory")
      ->capture_default_str();
  command
      ->add_option("--older-than", arguments.older_than,
                   "Sessions whose newest item is older, for example 30d, 12h, 90m or 3600s")
      ->required()
      ->check(kText);
  command->add_flag("--dry-run", arguments.dry_run, "Say which, and remove nothing");
  command->add_option("--store", arguments.store, "Data store, TYPE:NAME")->check(kText);
  add_patience(*command, arguments.store_patience_s);
  return command;
}

int parse_and_run(CLI::App& app, int argc, char** argv) {
  RunArguments run_arguments;
  RunArguments resume_arguments;
  CheckArguments check_arguments;
  InspectArguments inspect_arguments;
  StoreArguments store_arguments;
  GcArguments gc_arguments;
  LinkArguments link_arguments;
  StepArguments step_arguments;
  BuildArguments build_arguments;
  InvokeArguments invoke_arguments;
  ServeArguments serve_arguments;
  const CLI::App* run_command = add_run(app, run_arguments);
  const CLI::App* resume_command = add_resume(app, resume_arguments);
  const CLI::App* check_command = add_check(app, check_arguments);
  const CLI::App* inspect_command = add_inspect(app, inspect_arguments);
  const CLI::App* store_command = add_store(app, store_arguments);
  const CLI::App* gc_command = add_gc(app, gc_arguments);
  const CLI::App* link_command = add_link(app, link_arguments);
  const CLI::App* step_command = add_step(app, step_arguments);
  WorkerArguments worker_arguments;
  WorkersArguments workers_arguments;
  const CLI::App* worker_command = add_worker(app, worker_arguments);
  const CLI::App* workers_command = add_workers(app, workers_arguments);
  const CLI::App* build_command = add_build(app, build_arguments);
  std::vector<std::string> lambda_runtime;
  CLI::App* lambda_command = app.add_subcommand(
      "lambda", "Serve a function in AWS Lambda, which starts this (also as `bootstrap`)");
  lambda_command->add_option("runtime", lambda_runtime,
                             "Behind --: the command of the function's own runtime, if it has one");
  const CLI::App* invoke_command = add_invoke(app, invoke_arguments);
  const CLI::App* serve_command = add_serve(app, serve_arguments);
  CLI::App* doctor_command =
      app.add_subcommand("doctor", "Say what this machine offers and what is used");
  int pid = 0;
  doctor_command
      ->add_option("--pid", pid,
                   "Have this `unum run` or `resume` say on its stderr what it waits for")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream messages;
    const int code = app.exit(error, out, messages);
    std::fputs(out.str().c_str(), stdout);
    say(hide_passwords(messages.str()));  // it repeats what it did not expect
    return code == 0 ? kDone : kUsage;
  }
  require_stdout();
  if (run_command->parsed()) return run(run_arguments);
  if (resume_command->parsed()) return run(resume_arguments);
  if (check_command->parsed()) return check(check_arguments);
  if (inspect_command->parsed()) return inspect(inspect_arguments);
  if (store_command->parsed()) return store(store_arguments);
  if (gc_command->parsed()) return gc(gc_arguments);
  if (link_command->parsed()) return link(link_arguments);
  if (step_command->parsed()) return step(step_arguments);
  if (worker_command->parsed()) return worker(worker_arguments);
  if (workers_command->parsed()) return workers(workers_arguments);
  if (build_command->parsed()) return build(build_arguments);
  if (lambda_command->parsed()) return lambda(lambda_runtime);
  if (invoke_command->parsed()) return invoke(invoke_arguments);
  if (serve_command->parsed()) return serve(serve_arguments);
  if (doctor_command->parsed()) return pid != 0 ? ask_process(pid) : doctor();
  std::fputs(app.help().c_str(), stderr);
  return kUsage;
}

/// What was printed must have arrived, or the command has failed.
int flushed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  return report_error(system_error("cli", errno, "cannot write to stdout"));
}

}  // namespace

int report_exception(const std::exception_ptr& exception) {
  constexpr std::string_view kCannotPrint = "cannot write to file";  // of fmt::print, to stdout
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return report_error(error);
  } catch (const std::bad_alloc&) {
    std::fputs("unum: out of memory\n", stderr);
  } catch (const std::system_error& error) {
    const bool printing = std::string_view(error.what()).starts_with(kCannotPrint);
    if (printing) {
      return report_error(system_error("cli", error.code().value(), "cannot write to stdout"));
    }
    std::fprintf(stderr, "unum: %s\n", error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unum: internal error: %s\n", error.what());
  }
  return kMachine;
}

int main(int argc, char** argv) {
  put_inherited_state_right();
  // What AWS Lambda starts has this name; arguments are the command of the function's own runtime.
  const std::string_view program = argc > 0 ? argv[0] : "";
  if (program.substr(program.rfind('/') + 1) == "bootstrap") {
    try {
      return lambda({argv + 1, argv + argc});
    } catch (...) {
      return report_exception(std::current_exception());
    }
  }
  CLI::App app{"unum: serverless workflows without an orchestrator", "unum"};
  app.set_version_flag("--version", std::string("unum ") + build::kVersion);
  app.footer(kExitCodes);
  app.require_subcommand(0, 1);
  try {
    return flushed(parse_and_run(app, argc, argv));
  } catch (...) {
    return report_exception(std::current_exception());
  }
}

}  // namespace unum::cli
