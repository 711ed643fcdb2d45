// Profiles: keys, programs, roles, and roles on top of other profiles.
#include <algorithm>
#include <utility>
#include <vector>

#include "stores/aws/providers.hpp"
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
      if (settings_.profile_was_named()) fail("AWS_PROFILE: " + nowhere);
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
    return settings_.config_path() + " or " + settings_.credentials_path();
  }

  std::string text(std::string_view profile, std::string_view name) const {
    const Properties* section = settings_.profile(profile);
    return section == nullptr ? std::string() : std::string(property(*section, name).value_or(""));
  }

  /// Nothing if the profile says nothing of credentials.
  Task<std::optional<Credentials>> of_profile(std::string name, Wait wait) {
    if (settings_.profile(name) == nullptr) {
      fail("profile \"" + visited_.back() + "\" has source_profile \"" + name +
           "\", which is not in " + files());
    }
    const bool repeated = std::find(visited_.begin(), visited_.end(), name) != visited_.end();
    // A role may stand beside the keys that assume it: it then names itself.
    const bool names_itself = repeated && visited_.back() == name;
    if (repeated && !(names_itself && !text(name, "aws_access_key_id").empty())) {
      std::string circle;
      for (const std::string& profile : visited_) circle += profile + " -> ";
      fail("the profiles' source_profile go in a circle: " + circle + name);
    }
    visited_.push_back(name);
    const std::string here = "profile " + name;
    if (!repeated && !text(name, "role_arn").empty()) {
      co_return co_await of_role(name, here, wait);
    }
    if (!text(name, "aws_access_key_id").empty() || !text(name, "aws_secret_access_key").empty()) {
      co_return keys(name, here);
    }
    if (!text(name, "sso_session").empty() || !text(name, "sso_start_url").empty()) {
      fail(here +
           " uses IAM Identity Center, which unum does not speak; give its credentials by "
           "credential_process = aws configure export-credentials --profile " +
           name + " in a profile of another name");
    }
    if (const std::string command = text(name, "credential_process"); !command.empty()) {
      co_return co_await process_credentials(reactor_, command, here, wait);
    }
    co_return std::nullopt;
  }

  std::optional<Credentials> keys(const std::string& name, const std::string& here) const {
    Credentials credentials{text(name, "aws_access_key_id"),
                            text(name, "aws_secret_access_key"),
                            text(name, "aws_session_token"),
                            {},
                            here};
    if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
      fail(here + " has only one of aws_access_key_id and aws_secret_access_key");
    }
    return credentials;
  }

  Task<std::optional<Credentials>> of_role(std::string name, std::string here, Wait wait) {
    Role role;
    role.arn = text(name, "role_arn");
    role.session_name = text(name, "role_session_name");
    role.external_id = text(name, "external_id");
    role.duration_seconds = text(name, "duration_seconds");
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
