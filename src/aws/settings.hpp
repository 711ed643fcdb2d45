// What environment and profile say: the environment first, then the profile.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aws/profile_file.hpp"
#include "aws/service_client.hpp"

namespace unum::aws {

/// An environment variable that is set and not empty.
std::optional<std::string> environment(const char* name);

class Settings {
 public:
  /// Reads the two files, blocking, if they exist: at cold start only. Throws `invalid` for one
  /// that cannot be understood, and for one that a variable names and that cannot be read.
  static Settings load();

  const ProfileFiles& files() const noexcept { return files_; }
  /// AWS_PROFILE, else AWS_DEFAULT_PROFILE, else "default".
  const std::string& profile_name() const noexcept { return profile_name_; }
  /// The variable that names it: then it has to exist. Or empty.
  const std::string& profile_variable() const noexcept { return profile_variable_; }
  /// Null where there is no profile of that name.
  const Properties* profile(std::string_view name) const;
  const Properties* profile() const { return profile(profile_name_); }
  /// What one of the files alone says of it.
  const Properties* in_config_file(std::string_view name) const;
  const Properties* in_credentials_file(std::string_view name) const;
  /// Where the files are or would be, for messages; empty without a home directory.
  const std::string& config_path() const noexcept { return config_path_; }
  const std::string& credentials_path() const noexcept { return credentials_path_; }
  /// Behind a message that something is missing: "; reading PATH: ...", for files at their usual
  /// places that may not be read. Or empty.
  const std::string& unreadable() const noexcept { return unreadable_; }

  /// The environment's variable, else the profile's property, if they are not empty.
  std::optional<std::string> get(const char* variable, std::string_view property) const;
  /// The profile's property alone, if it is not empty; throws `invalid` where it has more than one
  /// line, without quoting it.
  std::optional<std::string> of_profile(std::string_view property) const;
  /// The same as `get` for "true" and "false"; throws `invalid` for anything else.
  bool is_true(const char* variable, std::string_view property) const;

  /// AWS_REGION, AWS_DEFAULT_REGION, the profile's.
  std::optional<std::string> region() const;
  /// AWS_MAX_ATTEMPTS and max_attempts, UNUM_HEDGE_MS, for a service.
  RetryPolicy retry_policy(std::string_view service) const;

 private:
  std::optional<std::string> read(const char* variable, const std::string& path);

  ProfileFiles files_;
  ProfileFiles::Sections config_file_;
  ProfileFiles::Sections credentials_file_;
  std::string profile_name_ = "default";
  std::string profile_variable_;
  std::string config_path_;
  std::string credentials_path_;
  std::string unreadable_;
};

}  // namespace unum::aws
