// The places, one maker each. What they are given must outlive them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "aws/credentials_provider.hpp"
#include "aws/settings.hpp"
#include "reactor/http/client.hpp"

namespace unum::aws {

using ProviderPtr = std::unique_ptr<CredentialsProvider>;

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
ProviderPtr environment_provider();
/// AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME.
ProviderPtr web_identity_provider(Reactor& reactor, http::Client& http);
/// The profile that AWS_PROFILE names, or "default"; read anew at each fetch.
ProviderPtr profile_provider(Reactor& reactor, http::Client& http);
/// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI: ECS, EKS Pod
/// Identity, Greengrass.
ProviderPtr container_provider(Reactor& reactor, http::Client& http);
/// The metadata service of an EC2 instance, version 2.
ProviderPtr instance_provider(Reactor& reactor, http::Client& http);

/// What a role is assumed with.
struct Role {
  std::string arn;
  std::string session_name;      ///< Empty: one that says "unum" and the time.
  std::string external_id;       ///< Or empty.
  std::string duration_seconds;  ///< Empty: what STS takes for usual, an hour.
};

/// AssumeRole, signed with the caller's credentials. `name` names the place in messages.
Task<Credentials> assume_role(Reactor& reactor, http::Client& http, const Settings& settings,
                              Credentials caller, Role role, std::string name, Wait wait);
/// AssumeRoleWithWebIdentity, with the token that stands in the file.
Task<Credentials> assume_role_with_web_identity(Reactor& reactor, http::Client& http,
                                                const Settings& settings, std::string token_file,
                                                Role role, std::string name, Wait wait);
/// Runs a program that prints credentials.
Task<Credentials> process_credentials(Reactor& reactor, std::string command, std::string name,
                                      Wait wait);

}  // namespace unum::aws
