// Profiles: keys, programs, roles, and roles on top of other profiles.
#include <algorithm>
#include <utility>
#include <vector>

#include "aws/credentials_text.hpp"
#include "aws/providers.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

[[noreturn]] void fail(std::string message) {
  throw Error(ErrorKind::invalid, "aws", "Unum.InvalidProfile", std::move(message));
}

/// One reading of the files, and the profiles that it came through.
class ProfileReader {
 public:
  ProfileReader(Reactor& reactor, http::Client& http)
      : reactor_(reactor), http_(http), settings_(Settings::load()) {}

  Task<Finding> read(Wait wait) {
    const std::string& name = settings_.profile_name();
    if (settings_.profile() == nullptr) {
      const std::string nowhere = "there is no profile \"" + name + "\" in " + files();
      if (!settings_.profile_variable().empty()) {
        const bool has_blanks = name.find(' ') != std::string::npos;
        fail(settings_.profile_variable() + ": " + nowhere +
             (has_blanks ? "; in the config file a name with blanks stands in quotes: [profile \"" +
                               name + "\"]"
                         : ""));
      }
      co_return Finding{{}, nowhere};
    }
    auto credentials = co_await of_profile(name, wait);
    if (!credentials) {
      co_return Finding{
          {}, "profile \"" + name + "\" of " + files() + " has no keys, no role and no program"};
    }
    co_return Finding{std::move(credentials), {}};
  }

 private:
  std::string files() const {
    if (settings_.config_path().empty()) return "~/.aws (HOME is not set)";
    return settings_.config_path() + " or " + settings_.credentials_path() + settings_.unreadable();
  }

  static std::string value_in(const Properties* section, std::string_view name,
                              const std::string& profile) {
    const auto value =
        section == nullptr ? std::optional<std::string_view>() : property(*section, name);
    // A command may go on in further lines; nothing else can.
    if (value && value->find('\n') != std::string_view::npos && name != "credential_process") {
      fail("profile " + profile + ": " + std::string(name) +
           " goes on in an indented line behind it, and must have one line");
    }
    return std::string(value.value_or(""));
  }
  std::string text(const std::string& profile, std::string_view name) const {
    return value_in(settings_.profile(profile), name, profile);
  }

  /// Nothing if the profile says nothing of credentials. The order is that of AWS' own command.
  Task<std::optional<Credentials>> of_profile(std::string name, Wait wait) {
    if (settings_.profile(name) == nullptr) {
      fail("profile \"" + visited_.back() + "\" has source_profile \"" + name +
           "\", which is not in " + files());
    }
    const bool has_keys =
        !text(name, "aws_access_key_id").empty() || !text(name, "aws_secret_access_key").empty();
    const bool names_itself = !visited_.empty() && visited_.back() == name;
    const bool repeated = std::find(visited_.begin(), visited_.end(), name) != visited_.end();
    if (repeated && !(names_itself && has_keys)) {
      std::string circle;
      for (const std::string& profile : visited_) circle += profile + " -> ";
      fail("the profiles' source_profile go in a circle: " + circle + name);
    }
    const bool is_first = visited_.empty();
    visited_.push_back(name);
    const std::string here = "profile " + name;
    // Below another profile's role keys come first: they may stand beside the role that they are to
    // assume, in the same profile.
    const bool has_role = !text(name, "role_arn").empty();
    const bool has_token_file = !text(name, "web_identity_token_file").empty();
    if (has_token_file && !has_role) {
      fail(here + " has web_identity_token_file; beside it must stand role_arn");
    }
    if (has_role && !repeated && (is_first || !has_keys || has_token_file)) {
      co_return co_await of_role(name, here, wait);
    }
    refuse_sign_on(name, here);
    if (const Properties* section = settings_.in_credentials_file(name)) {
      if (!value_in(section, "aws_access_key_id", name).empty()) co_return keys(name, here);
    }
    if (!text(name, "login_session").empty()) {
      fail(here + " has a session of aws login (login_session), which unum does not speak" +
           by_command(name));
    }
    if (const std::string command = text(name, "credential_process"); !command.empty()) {
      co_return co_await process_credentials(reactor_, command, here, wait);
    }
    if (has_keys) co_return keys(name, here);
    co_return std::nullopt;
  }

  void refuse_sign_on(const std::string& name, const std::string& here) const {
    for (const char* setting :
         {"sso_session", "sso_start_url", "sso_account_id", "sso_role_name"}) {
      if (text(name, setting).empty()) continue;
      fail(here + " uses IAM Identity Center (" + setting + "), which unum does not speak" +
           by_command(name));
    }
  }

  static std::string by_command(const std::string& name) {
    return "; give its credentials by credential_process = aws configure export-credentials "
           "--profile " +
           name + " in a profile of another name";
  }

  static std::string token_in(const Properties* section, const std::string& profile) {
    std::string token = value_in(section, "aws_session_token", profile);
    return token.empty() ? value_in(section, "aws_security_token", profile)
                         : token;  // its old name
  }

  /// What stands together belongs together: no key of one file with the token of the other's. But
  /// where each file has one half of the keys, they are one.
  std::optional<Credentials> keys(const std::string& name, const std::string& here) const {
    const Properties* section = settings_.in_credentials_file(name);
    const Properties* other = settings_.in_config_file(name);
    if (value_in(section, "aws_access_key_id", name).empty()) std::swap(section, other);
    Credentials credentials{value_in(section, "aws_access_key_id", name),
                            value_in(section, "aws_secret_access_key", name),
                            token_in(section, name),
                            {},
                            here};
    if (credentials.secret_access_key.empty() &&
        value_in(other, "aws_access_key_id", name).empty()) {
      credentials.secret_access_key = value_in(other, "aws_secret_access_key", name);
      credentials.session_token = token_in(settings_.profile(name), name);
    }
    if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
      fail(here + " has only one of aws_access_key_id and aws_secret_access_key");
    }
    for (const auto& [value, property] :
         {std::pair(&credentials.access_key_id, "aws_access_key_id"),
          std::pair(&credentials.secret_access_key, "aws_secret_access_key"),
          std::pair(&credentials.session_token, "aws_session_token")}) {
      if (const std::string_view flaw = flaw_of_key(*value); !flaw.empty()) {
        fail(here + ": " + property + " " + std::string(flaw));
      }
    }
    return credentials;
  }

  Task<std::optional<Credentials>> of_role(std::string name, std::string here, Wait wait) {
    Role role;
    role.arn = text(name, "role_arn");
    role.session_name = text(name, "role_session_name");
    role.external_id = text(name, "external_id");
    role.duration_seconds = text(name, "duration_seconds");
    if (role.duration_seconds.find_first_not_of("0123456789") != std::string::npos) {
      fail(here + ": duration_seconds is \"" + role.duration_seconds +
           "\"; it must be a whole number of seconds");
    }
    const std::string source_profile = text(name, "source_profile");
    const std::string source = text(name, "credential_source");
    const std::string token_file = text(name, "web_identity_token_file");
    const std::string what = here + ", role " + role.arn;
    if (!token_file.empty()) {
      co_return co_await assume_role_with_web_identity(reactor_, http_, settings_, token_file, role,
                                                       what, wait);
    }
    if (!text(name, "mfa_serial").empty()) {
      fail(here + " wants a code of a device (mfa_serial), which nobody can enter here");
    }
    if (source_profile.empty() == source.empty()) {
      fail(here +
           " has role_arn; beside it must stand one of source_profile, credential_source and "
           "web_identity_token_file");
    }
    std::optional<Credentials> caller;
    if (!source_profile.empty()) {
      caller = co_await of_profile(source_profile, wait);
      if (!caller)
        fail(here + ": its source_profile \"" + source_profile + "\" has no credentials");
    } else {
      const ProviderPtr provider = of_source(source, here);
      Finding finding = co_await provider->fetch(wait);
      if (!finding.credentials) {
        fail(here + ": its credential_source " + source + " has none: " + finding.nothing);
      }
      caller = std::move(finding.credentials);
    }
    co_return co_await assume_role(reactor_, http_, settings_, std::move(*caller), role, what,
                                   wait);
  }

  ProviderPtr of_source(const std::string& source, const std::string& here) {
    if (source == "Environment") return environment_provider();
    if (source == "EcsContainer") return container_provider(reactor_, http_);
    if (source == "Ec2InstanceMetadata") return instance_provider(reactor_, http_);
    fail(here + ": credential_source is \"" + source +
         "\"; it must be Environment, EcsContainer or Ec2InstanceMetadata");
  }

  Reactor& reactor_;
  http::Client& http_;
  const Settings settings_;
  std::vector<std::string> visited_;
};

class ProfileProvider final : public CredentialsProvider {
 public:
  ProfileProvider(Reactor& reactor, http::Client& http) : reactor_(reactor), http_(http) {}
  std::string name() const override { return "profile"; }
  Task<Finding> fetch(Wait wait) override {
    ProfileReader reader(reactor_, http_);
    co_return co_await reader.read(wait);
  }

 private:
  Reactor& reactor_;
  http::Client& http_;
};

}  // namespace

ProviderPtr profile_provider(Reactor& reactor, http::Client& http) {
  return std::make_unique<ProfileProvider>(reactor, http);
}

}  // namespace unum::aws
