// Reads the shared files and looks settings up.
#include "stores/aws/settings.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "base/limits.hpp"
#include "reactor/descriptor.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

std::string in_home(std::string_view path) {
  const std::optional<std::string> home = environment("HOME");
  return home ? *home + std::string(path) : std::string();
}

std::string file_path(const char* variable, std::string_view usual) {
  const std::optional<std::string> named = environment(variable);
  if (!named) return in_home(usual);
  return named->starts_with("~/") ? in_home(named->substr(1)) : *named;
}

/// The file's bytes; nothing if there is no such file.
std::optional<std::string> read_now(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw system_error("aws", errno, "reading " + path);
  }
  std::string text;
  std::array<char, 16 * 1024> buffer{};
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error("aws", errno, "reading " + path);
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > kProfileFileBytesMax) {
      throw Error(ErrorKind::exhausted, "aws", "Unum.ProfileFileTooLong",
                  path + " is longer than " + std::to_string(kProfileFileBytesMax) + " bytes");
    }
  }
}

unsigned whole_number(const std::string& text, std::string_view what, unsigned least,
                      unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most) {
    return value;
  }
  throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
              std::string(what) + " is \"" + text + "\"; it must be a whole number from " +
                  std::to_string(least) + " to " + std::to_string(most));
}

}  // namespace

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Settings Settings::load() {
  Settings settings;
  settings.config_path_ = file_path("AWS_CONFIG_FILE", "/.aws/config");
  settings.credentials_path_ = file_path("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  if (const auto text = read_now(settings.config_path_)) {
    parse_profile_file(*text, ProfileFileKind::config, settings.config_path_, settings.files_);
  }
  if (const auto text = read_now(settings.credentials_path_)) {
    parse_profile_file(*text, ProfileFileKind::credentials, settings.credentials_path_,
                       settings.files_);
  }
  const std::optional<std::string> named = environment("AWS_PROFILE");
  settings.profile_was_named_ = named.has_value();
  settings.profile_name_ = named.value_or("default");
  return settings;
}

const Properties* Settings::profile(std::string_view name) const {
  const auto found = files_.profiles.find(name);
  return found == files_.profiles.end() ? nullptr : &found->second;
}

std::optional<std::string> Settings::get(const char* variable, std::string_view name) const {
  if (auto value = environment(variable)) return value;
  if (const Properties* section = profile()) {
    if (const auto value = property(*section, name); value && !value->empty()) {
      return std::string(*value);
    }
  }
  return std::nullopt;
}

bool Settings::is_true(const char* variable, std::string_view name) const {
  const std::optional<std::string> value = get(variable, name);
  if (!value) return false;
  std::string lower = *value;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  if (lower == "true") return true;
  if (lower == "false") return false;
  throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
              std::string(variable) + " (or " + std::string(name) + " of the profile) is \"" +
                  *value + "\"; it must be true or false");
}

std::optional<std::string> Settings::region() const {
  if (auto region = environment("AWS_REGION")) return region;
  return get("AWS_DEFAULT_REGION", "region");
}

RetryPolicy Settings::retry_policy(std::string_view service) const {
  RetryPolicy policy;
  // DynamoDB answers within milliseconds, and a further attempt brings its last pause near that of
  // the others: the SDKs' values.
  if (service == "dynamodb") {
    policy.attempts_max = 4;
    policy.backoff.transient_base = std::chrono::milliseconds(25);
  }
  if (const auto mode = get("AWS_RETRY_MODE", "retry_mode")) {
    // All three lead to the same: the standard mode, with the rate of the adaptive one for whoever
    // is throttled.
    if (*mode != "standard" && *mode != "adaptive" && *mode != "legacy") {
      throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
                  "AWS_RETRY_MODE (or retry_mode of the profile) is \"" + *mode +
                      "\"; it must be standard, adaptive or legacy");
    }
  }
  if (const auto attempts = get("AWS_MAX_ATTEMPTS", "max_attempts")) {
    policy.attempts_max = whole_number(*attempts, "AWS_MAX_ATTEMPTS", 1, kAttemptsMax);
    policy.attempts_are_given = true;
  }
  if (const auto hedge = environment("UNUM_HEDGE_MS")) {
    policy.hedge_after =
        std::chrono::milliseconds(whole_number(*hedge, "UNUM_HEDGE_MS", 0, 60'000));
  }
  return policy;
}

}  // namespace unum::aws
