// Where credentials are looked for, in the order of the SDKs.
#include <utility>

#include "aws/credentials_text.hpp"
#include "aws/providers.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

class EnvironmentProvider final : public CredentialsProvider {
 public:
  std::string name() const override { return "environment"; }
  Task<Finding> fetch(Wait) override {
    const auto id = environment("AWS_ACCESS_KEY_ID");
    const auto secret = environment("AWS_SECRET_ACCESS_KEY");
    if (!id && !secret) {
      co_return Finding{{}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"};
    }
    if (!id) co_return Finding{{}, "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not"};
    if (!secret) fail("AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
    Credentials credentials{clean("AWS_ACCESS_KEY_ID"),
                            clean("AWS_SECRET_ACCESS_KEY"),
                            clean("AWS_SESSION_TOKEN"),
                            {},
                            name()};
    if (credentials.session_token.empty()) {
      credentials.session_token = clean("AWS_SECURITY_TOKEN");  // its old name
    }
    co_return Finding{std::move(credentials), {}};
  }

 private:
  [[noreturn]] static void fail(std::string message) {
    throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting", std::move(message));
  }

  static std::string clean(const char* variable) {
    std::string value = environment(variable).value_or("");
    if (const std::string_view flaw = flaw_of_key(value); !flaw.empty()) {
      fail(std::string(variable) + " " + std::string(flaw));
    }
    return value;
  }
};

}  // namespace

ProviderPtr environment_provider() { return std::make_unique<EnvironmentProvider>(); }

std::unique_ptr<CredentialsSource> default_credentials(Reactor& reactor, http::Client& http) {
  std::vector<ProviderPtr> places;
  places.push_back(environment_provider());
  places.push_back(web_identity_provider(reactor, http));
  places.push_back(profile_provider(reactor, http));
  places.push_back(container_provider(reactor, http));
  places.push_back(instance_provider(reactor, http));
  return cached_credentials(reactor, std::move(places));
}

}  // namespace unum::aws
