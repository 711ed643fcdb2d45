// What environment and profile say: the environment first, then the profile.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "stores/aws/profile_file.hpp"
#include "stores/aws/service_client.hpp"

namespace unum::aws {

/// An environment variable that is set and not empty.
std::optional<std::string> environment(const char* name);

class Settings {
 public:
  /// Reads the two files, blocking, if they exist: at cold start only. Throws `invalid` for one
  /// that cannot be understood, `denied` for one that cannot be read.
  static Settings load();

  const ProfileFiles& files() const noexcept { return files_; }
  /// AWS_PROFILE, or "default".
  const std::string& profile_name() const noexcept { return profile_name_; }
  /// AWS_PROFILE names it: then it has to exist.
  bool profile_was_named() const noexcept { return profile_was_named_; }
  /// Null where there is no profile of that name.
  const Properties* profile(std::string_view name) const;
  const Properties* profile() const { return profile(profile_name_); }
  /// Where the files are or would be, for messages; empty without a home directory.
  const std::string& config_path() const noexcept { return config_path_; }
  const std::string& credentials_path() const noexcept { return credentials_path_; }

  /// The environment's variable, else the profile's property, if they are not empty.
  std::optional<std::string> get(const char* variable, std::string_view property) const;
  /// The same for "true" and "false"; throws `invalid` for anything else.
  bool is_true(const char* variable, std::string_view property) const;

  /// AWS_REGION, AWS_DEFAULT_REGION, the profile's.
  std::optional<std::string> region() const;
  /// AWS_MAX_ATTEMPTS and max_attempts, UNUM_HEDGE_MS, for a service.
  RetryPolicy retry_policy(std::string_view service) const;

 private:
  ProfileFiles files_;
  std::string profile_name_;
  bool profile_was_named_ = false;
  std::string config_path_;
  std::string credentials_path_;
};

}  // namespace unum::aws
