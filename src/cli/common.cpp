// What the commands share: errors, applications, stores, numbers for people.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "application/link_files.hpp"
#include "aws/settings.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/secrets.hpp"
#include "base/store_types.hpp"
#include "base/suggest.hpp"
#include "cli/cli.hpp"
#include "hosts/store_choice.hpp"
#include "reactor/descriptor.hpp"
#include "workflow/frames.hpp"

namespace unum::cli {

void say(std::string_view text) noexcept { std::fwrite(text.data(), 1, text.size(), stderr); }

int report_error(const Error& error) {
  say("unum: {}\n", hide_passwords(error.message()));
  // A place that cannot be a store is the machine's or the service's; a name that none can have
  // ("stores") and a setting ("aws") are the user's.
  const bool place = find_store_type(error.origin()) != nullptr;
  return error.kind() == ErrorKind::invalid && !place ? kUsage : kMachine;
}

std::unique_ptr<TraceExporter> open_traces(Reactor& reactor, std::string_view application) {
  std::optional<TraceSettings> settings = trace_settings(&aws::environment, application);
  if (!settings) return nullptr;
  return std::make_unique<TraceExporter>(reactor, std::move(*settings));
}

CheckedApplication load_checked(const std::string& directory, bool quiet) {
  return CheckedApplication::load(directory, [quiet](const Finding& finding) {
    if (finding.severity != Severity::error && (quiet || finding.severity == Severity::info))
      return;
    say("{}: {}\n", to_string(finding.severity), finding.text());
  });
}

LinkedApplication with_digests(const CheckedApplication& checked, const std::string& function) {
  LinkedApplication loaded{details_of(checked), {}};
  std::vector<FunctionSettings>& functions = loaded.application.functions;
  std::vector<std::string_view> names;
  for (const FunctionSettings& settings : functions) {
    names.push_back(settings.name());
    loaded.digests.emplace(settings.name(), Function(settings.ir).digest());
  }
  if (function.empty()) return loaded;
  const FunctionSettings* const found = loaded.application.find(function);
  if (found == nullptr) {
    throw Error(ErrorKind::invalid, "cli", "function",
                fmt::format("{} has no function {}{}", loaded.application.directory.string(),
                            function, did_you_mean(function, names)));
  }
  FunctionSettings settings = *found;
  functions.assign(1, std::move(settings));
  return loaded;
}

std::string read_all(int fd, std::string_view option, std::string_view what) {
  constexpr std::size_t kPieceBytes = 64 * 1024;
  std::string text;
  while (true) {
    const std::size_t filled = text.size();
    text.resize(filled + kPieceBytes);
    const ssize_t count = ::read(fd, text.data() + filled, kPieceBytes);
    text.resize(filled + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return text;
    if (text.size() > kValueBytesMax) {
      throw Error(ErrorKind::invalid, "cli", "input",
                  fmt::format("{}: {} is larger than {} bytes, the most that a value may have",
                              option, what, kValueBytesMax));
    }
    if (count < 0 && errno != EINTR) {
      throw Error(ErrorKind::invalid, "cli", "input",
                  fmt::format("{}: cannot read {}: {}", option, what, std::strerror(errno)));
    }
  }
}

std::string read_input_option(const std::string& option) {
  std::string text;
  std::string what = "--input";
  if (option == "-") {
    what = "the input on stdin";
    text = read_all(STDIN_FILENO, "--input", what);
  } else if (option.starts_with('@')) {
    what = option.substr(1);
    if (what.empty()) {
      throw Error(ErrorKind::invalid, "cli", "input", "--input @ needs the name of a file");
    }
    const Descriptor file(::open(what.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      throw Error(ErrorKind::invalid, "cli", "input",
                  fmt::format("--input: cannot open {}: {}", what, std::strerror(errno)));
    }
    text = read_all(file.get(), "--input", what);
  } else {
    text = option;
  }
  try {
    json::validate(text, what);
  } catch (const Error& error) {
    throw Error(ErrorKind::invalid, "cli", "input", error.message());  // one too deep, too
  }
  return text;
}

void print_result(const std::string& result) {
  std::fwrite(result.data(), 1, result.size(), stdout);
  std::fputc('\n', stdout);
  if (std::fflush(stdout) != 0) {
    throw system_error("cli", errno, "cannot write the result to stdout");
  }
}

void print_failure(const RunFailure& failure) {
  std::string who = "the run";
  if (!failure.instance.empty()) {
    const auto name = parse_instance_name(failure.instance);
    who = fmt::format("{} (function {}, attempt {})", failure.instance,
                      name ? name->function : failure.instance, failure.attempt);
  }
  say("unum: {} failed: {}\n{}{}", who, failure.error, failure.cause,
      failure.cause.ends_with('\n') ? "" : "\n");
}

std::string queue_name(std::string_view option, const StoreChoice& store) {
  const StoreChoice choice = option.empty() ? store : parse_store(option);
  if (choice.type == "redis") return choice.name;
  throw Error(
      ErrorKind::invalid, "cli", "queue",
      option.empty()
          ? fmt::format("the data store is {}, which keeps no queue; name a Redis server with "
                        "--queue redis:HOST:PORT",
                        shown_store(choice.type, choice.name))
          : fmt::format("--queue {} is no Redis server; write redis:HOST:PORT",
                        shown_store(choice.type, choice.name)));
}

std::chrono::milliseconds patience_of(double seconds) {
  return std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

std::string readable_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  const char* unit = "kB";
  for (const char* larger : {"MB", "GB", "TB"}) {
    if (value < 1000) break;
    value /= 1000;
    unit = larger;
  }
  return value < 10 ? fmt::format("{:.1f} {}", value, unit) : fmt::format("{:.0f} {}", value, unit);
}

std::string readable_seconds(double seconds) {
  if (seconds < 0.1) return fmt::format("{:.1f} ms", seconds * 1000);
  if (seconds < 100) return fmt::format("{:.2f} s", seconds);
  const auto whole = static_cast<long>(seconds);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

}  // namespace unum::cli
