// What the commands share: errors, applications, stores, numbers for people.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "application/check.hpp"
#include "base/secrets.hpp"
#include "base/store_types.hpp"
#include "cli/cli.hpp"

namespace unum::cli {

void say(std::string_view text) noexcept { std::fwrite(text.data(), 1, text.size(), stderr); }

int report_error(const Error& error) {
  say("unum: {}\n", hide_passwords(error.message()));
  // A place that cannot be a store is the machine's or the service's; a name that none can have
  // ("stores") and a setting ("aws") are the user's.
  const bool place = find_store_type(error.origin()) != nullptr;
  return error.kind() == ErrorKind::invalid && !place ? kUsage : kMachine;
}

std::optional<Application> load_checked(const std::string& directory, bool quiet) {
  Application application = load_application(directory);
  const std::vector<Finding> findings = check_application(application);
  const bool refused = has_errors(findings);
  for (const Finding& finding : findings) {
    if (finding.severity != Severity::error && (quiet || finding.severity == Severity::info))
      continue;
    say("{}: {}\n", to_string(finding.severity), finding.text());
  }
  if (!refused) return application;
  say("unum: {} is refused; nothing was run\n", hide_passwords(directory));
  return std::nullopt;
}

/// What stands before an @ may be a password, in a name whose type was forgotten.
static std::string hidden_identity(const std::string& text) {
  const std::size_t at = text.rfind('@');
  return at == std::string::npos ? text : "***" + text.substr(at);
}

StoreChoice parse_store(std::string_view text) {
  const std::size_t colon = text.find(':');
  StoreChoice choice{std::string(text.substr(0, colon)), colon == std::string_view::npos
                                                             ? std::string()
                                                             : std::string(text.substr(colon + 1))};
  // A URL alone says its type by its scheme.
  const bool is_url = choice.name.starts_with("//") && choice.type.starts_with("redis");
  if (is_url && choice.type != "redis") choice = {"redis", std::string(text)};
  const bool needs_name = choice.type != "memory";
  if (choice.type.empty() || (needs_name && choice.name.empty())) {
    throw Error(
        ErrorKind::invalid, "cli", "store",
        fmt::format("\"{}\" is no data store; write TYPE:NAME, for example fs:/srv/unum",
                    colon == std::string_view::npos ? hidden_identity(choice.type)
                                                    : shown_store(choice.type, choice.name)));
  }
  // Values in memory live and die with this process: there is nothing that could exist before.
  if (!needs_name) {
    choice.named = false;
    if (choice.name.empty()) choice.name = "run";
  }
  return choice;
}

StoreChoice choose_store(const Application& application, const std::string& option) {
  if (!option.empty()) return parse_store(option);
  StoreChoice choice{std::string(to_string(application.store.type)), application.store.name,
                     application.store.named};
  if (choice.type == "memory") {
    choice.named = false;
    if (choice.name.empty()) choice.name = "run";
  }
  if (choice.type == "fs" && std::filesystem::path(choice.name).is_relative()) {
    choice.name = (application.directory / choice.name).lexically_normal().string();
  }
  return choice;
}

Task<std::unique_ptr<DataStore>> open_for_session(Reactor& reactor, const StoreChoice& choice,
                                                  std::string_view session,
                                                  const StoreOptions& options, Wait wait) {
  try {
    co_return co_await open_store(reactor, choice.type, choice.name, options, wait);
  } catch (const Error& error) {
    if (choice.named || error.kind() != ErrorKind::not_found) throw;
  }
  throw Error(ErrorKind::invalid, "cli", "session",
              fmt::format("there is no session {}: nothing was ever run in {}", session,
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
