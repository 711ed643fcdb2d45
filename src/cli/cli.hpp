// The command line: what all commands share. One file a command.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hosts/traces.hpp"
#include "unum/application.hpp"
#include "unum/reactor.hpp"
#include "unum/run.hpp"
#include "unum/store.hpp"

namespace unum {
struct LinkedApplication;
struct StoreChoice;

struct StoreName;
}  // namespace unum

namespace unum::cli {

/// Exit codes, documented in docs/command-line.md; what they mean of `unum step`, in
/// docs/platforms.md.
enum ExitCode : int {
  kDone = 0,
  kWorkflowFailed = 1,
  kUsage =
      2,  ///< Also: an unknown session, another input, an application that `unum check` refuses.
  kMachine = 3,  ///< The store or the machine.
  kBounded = 4,  ///< Of `unum step`: deliver again, but not for ever.
  kInterrupted = 130,
};

/// `unum ...`; returns the exit code. Catches everything.
int main(int argc, char** argv);

/// How long a network store is waited for, unless --store-patience says otherwise.
inline constexpr double kStorePatienceSeconds = 60;
/// As StoreOptions have it.
std::chrono::milliseconds patience_of(double seconds);

struct RunArguments {
  std::string directory = ".";
  std::optional<std::string> input;  ///< JSON, @FILE or -.
  std::string session;
  std::string store;  ///< TYPE:NAME, or empty for the template's.
  unsigned workers = 0;
  double timeout_s = 0;
  double store_patience_s = kStorePatienceSeconds;
  bool json = false;
  bool quiet = false;
  bool durable = true;
  bool accept_changes = false;
  bool resume = false;
};
int run(const RunArguments& arguments);

struct CheckArguments {
  std::string directory = ".";
  bool migrate = false;
};
int check(const CheckArguments& arguments);

struct LinkArguments {
  std::string directory = ".";
  std::string out;  ///< Empty: to stdout.
};
/// Writes what a deployment of one function needs.
int link(const LinkArguments& arguments);

struct StepArguments {
  std::string directory = ".";
  std::string linked;  ///< What `unum link` wrote, instead of an application's directory.
  std::string code;    ///< With it: the function's code.
  std::string function;
  std::string session;  ///< Begins a session: stdin is the workflow's input.
  std::string store;
  double store_patience_s = kStorePatienceSeconds;
  int attempt = 1;
  std::optional<std::string> give_up;  ///< The error's name.
  std::string cause;
  std::uint64_t payload_bytes_max = UINT64_MAX;
  double delay_max_s = 0;
  bool accept_changes = false;
};
/// Runs one step of one function.
int step(const StepArguments& arguments);

struct WorkerArguments {
  std::string directory = ".";
  std::string queue;  ///< redis:NAME, or empty for the data store's server.
  std::string store;
  double store_patience_s = kStorePatienceSeconds;
  unsigned workers = 0;
  double grace_s = 30;
  double lease_s = 30;
  unsigned replicas = 0;
  bool accept_changes = false;
  bool quiet = false;
};
/// Runs steps from the application's queue until it is told to end.
int worker(const WorkerArguments& arguments);

struct WorkersArguments {
  std::string directory = ".";
  std::string queue;
  double store_patience_s = kStorePatienceSeconds;
  bool json = false;
};
/// Shows the application's queue and who works on it.
int workers(const WorkersArguments& arguments);
/// Out of a store's name, which a deployment gets: it finds the password another way, as all that
/// shows a store's name does. Says so.
void drop_password(StoreName& store);

struct BuildArguments {
  std::string directory = ".";
  std::string platform;
  std::string out;  ///< Empty: `.unum/aws` in the application's directory.
  std::string stack;
  std::string architecture = "x86_64";
  std::string command;  ///< What the layer has; empty: this one.
};
/// Writes what a platform's own tool deploys.
int build(const BuildArguments& arguments);

/// A function in AWS Lambda, as its environment says. `runtime` is the command of its own runtime,
/// which runs behind a proxy; empty: its code runs in workers.
int lambda(std::vector<std::string> runtime);

struct InvokeArguments {
  std::string where;  ///< SCHEME:..., a platform.
  std::string directory = ".";
  std::optional<std::string> input;
  std::string session;
  std::string store;
  bool wait = false;
  double timeout_s = 0;
  double store_patience_s = kStorePatienceSeconds;
};
/// Begins a session on a platform.
int invoke(const InvokeArguments& arguments);

struct ServeArguments {
  std::string directory = ".";
  std::string linked;  ///< As of `unum step`.
  std::string code;
  std::string function;  ///< Empty: all of them, each under its name.
  std::string host;      ///< Empty: by what the environment says.
  std::optional<int> port;
  std::string socket;
  std::string store;
  double store_patience_s = kStorePatienceSeconds;
  unsigned concurrency = 0;
  std::string invoke;      ///< TYPE:URL, see hosts/http/http_invoker.hpp; or
  std::string invoke_url;  ///< a URL with the function's name in it.
  double invoke_timeout_s = 30;
  double delay_max_s = 10;
  std::uint64_t payload_bytes_max = 512u * 1024;
  std::uint64_t body_bytes_max = 64u * 1024 * 1024;
  double grace_s = 8;
  bool accept_changes = false;
};
/// Serves functions over HTTP until it gets a signal.
int serve(const ServeArguments& arguments);

struct InspectArguments {
  std::string session;
  std::string directory = ".";
  std::string store;
  double store_patience_s = kStorePatienceSeconds;
  bool json = false;
};
int inspect(const InspectArguments& arguments);

struct StoreArguments {
  bool create = false;
  std::string store;
  double store_patience_s = kStorePatienceSeconds;
};
int store(const StoreArguments& arguments);

struct GcArguments {
  std::string directory = ".";
  std::string store;
  std::string older_than;  ///< "30d", "12h", "90m", "3600s".
  bool dry_run = false;
  double store_patience_s = kStorePatienceSeconds;
};
/// Removes whole sessions.
int gc(const GcArguments& arguments);

int doctor();
/// Has a running command write to its stderr what it waits for, and says where that is.
int ask_process(int pid);

/// Writes to stderr. That nobody reads it any more (a pager that was left) ends no run.
void say(std::string_view text) noexcept;
template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  say(std::string_view(fmt::format(format, std::forward<Arguments>(arguments)...)));
}

/// Says `unum: <message>` and returns the exit code that fits the error.
int report_error(const Error& error);
/// The same for whatever was thrown.
int report_exception(const std::exception_ptr& exception);

/// Everything up to the end. Throws `invalid` with the option that it is for if it cannot be read,
/// or is more than a value may have.
std::string read_all(int fd, std::string_view option, std::string_view what);

/// The text of `--input`: JSON, @FILE, or - for stdin. Throws `invalid` with what would be right.
std::string read_input_option(const std::string& option);
/// A line on stdout. Throws if it cannot be written.
void print_result(const std::string& result);
/// On stderr.
void print_failure(const RunFailure& failure);

/// What sends spans to a collector, if the environment names one; else null.
std::unique_ptr<TraceExporter> open_traces(Reactor& reactor, std::string_view application);

/// The application, loaded and checked; its errors on stderr, and its warnings unless `quiet`.
CheckedApplication load_checked(const std::string& directory, bool quiet);

/// The name of the server that "redis:NAME" says, or of a data store that is one. Throws `invalid`.
std::string queue_name(std::string_view option, const StoreChoice& store);

/// The application with its functions' digests, as if it had been linked; of its functions only
/// this one, unless the name is empty. Throws `invalid` if there is no such function.
LinkedApplication with_digests(const CheckedApplication& checked, const std::string& function);

/// Bytes for people: "999 B", "1.5 kB", "12 MB".
std::string readable_bytes(std::uint64_t bytes);
/// Seconds for people: "8.1 ms", "0.42 s", "3 min 5 s".
std::string readable_seconds(double seconds);

}  // namespace unum::cli
