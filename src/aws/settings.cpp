// Reads the shared files and looks settings up.
#include "aws/settings.hpp"

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

/// `$NAME` and `${NAME}` replaced; left as they are where no such variable is set.
std::string with_variables(std::string_view path) {
  std::string result;
  for (std::size_t at = 0; at < path.size();) {
    const bool braces = path.substr(at).starts_with("${");
    const std::size_t begin = at + (braces ? 2 : 1);
    std::size_t end = begin;
    const auto is_of_name = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (path[at] == '$' && end < path.size() && is_of_name(path[end])) ++end;
    const bool whole = end > begin && (!braces || path.substr(end).starts_with('}'));
    const std::string name(whole ? path.substr(begin, end - begin) : std::string_view());
    const char* const value = whole ? std::getenv(name.c_str()) : nullptr;
    if (value == nullptr) {
      result += path[at++];
    } else {
      result += value;
      at = end + (braces ? 1 : 0);
    }
  }
  return result;
}

std::string file_path(const char* variable, std::string_view usual) {
  const std::optional<std::string> named = environment(variable);
  if (!named) return in_home(usual);
  const std::string path = with_variables(*named);
  return path.starts_with("~/") ? in_home(path.substr(1)) : path;
}

/// Whether a file is one that this process may not read, as opposed to a machine in trouble.
bool is_refusal(int error) noexcept {
  return error == EACCES || error == EPERM || error == EISDIR || error == ELOOP ||
         error == ENAMETOOLONG;
}

/// A file's bytes, or nothing and an `errno`; neither if there is no such file.
struct ReadNow {
  std::optional<std::string> text;
  int error = 0;
};

ReadNow read_now(const std::string& path) {
  if (path.empty()) return {};
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return {{}, errno};
  }
  std::string text;
  std::array<char, 16 * 1024> buffer{};
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {{}, errno};
    if (n == 0) return {std::move(text), 0};
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

const Properties* section_of(const ProfileFiles::Sections& sections, std::string_view name) {
  const auto found = sections.find(name);
  return found == sections.end() ? nullptr : &found->second;
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
  if (const auto text = settings.read("AWS_CONFIG_FILE", settings.config_path_)) {
    parse_profile_file(*text, ProfileFileKind::config, settings.config_path_, settings.files_);
  }
  settings.config_file_ = settings.files_.profiles;
  if (const auto text = settings.read("AWS_SHARED_CREDENTIALS_FILE", settings.credentials_path_)) {
    ProfileFiles alone;
    for (ProfileFiles* into : {&settings.files_, &alone}) {
      parse_profile_file(*text, ProfileFileKind::credentials, settings.credentials_path_, *into);
    }
    settings.credentials_file_ = std::move(alone.profiles);
  }
  for (const char* variable : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
    if (const std::optional<std::string> named = environment(variable)) {
      settings.profile_variable_ = variable;
      settings.profile_name_ = *named;
      break;
    }
  }
  return settings;
}

std::optional<std::string> Settings::read(const char* variable, const std::string& path) {
  ReadNow now = read_now(path);
  if (now.error == 0) return std::move(now.text);
  const std::string why = system_error("aws", now.error, "reading " + path).message();
  if (environment(variable) || !is_refusal(now.error)) {
    throw Error(system_error("aws", now.error, path).kind(), "aws", "Unum.InvalidSetting",
                std::string(variable) + ": " + why);
  }
  // Nobody named it, and a container's user often has no right to its HOME (/root): that is no
  // reason to fail while nothing is asked of it.
  (unreadable_ += "; ") += why;
  return std::nullopt;
}

const Properties* Settings::in_config_file(std::string_view name) const {
  return section_of(config_file_, name);
}

const Properties* Settings::in_credentials_file(std::string_view name) const {
  return section_of(credentials_file_, name);
}

const Properties* Settings::profile(std::string_view name) const {
  return section_of(files_.profiles, name);
}

std::optional<std::string> Settings::get(const char* variable, std::string_view name) const {
  if (auto value = environment(variable)) return value;
  return of_profile(name);
}

std::optional<std::string> Settings::of_profile(std::string_view name) const {
  const Properties* const section = profile();
  const auto value =
      section == nullptr ? std::optional<std::string_view>() : property(*section, name);
  if (!value || value->empty()) return std::nullopt;
  // Not quoted: what is indented by mistake may be keys.
  if (value->find('\n') != std::string_view::npos) {
    throw Error(ErrorKind::invalid, "aws", "Unum.InvalidProfile",
                "profile " + profile_name_ + ": " + std::string(name) +
                    " goes on in an indented line behind it, and must have one line");
  }
  return std::string(*value);
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
    policy.backoff.transient.first = std::chrono::milliseconds(25);
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
