// Where credentials are looked for, in the order of the SDKs.
#include <utility>

#include "stores/aws/providers.hpp"

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
    if (!secret) co_return Finding{{}, "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not"};
    if (!id) co_return Finding{{}, "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not"};
    Credentials credentials{
        *id, *secret, environment("AWS_SESSION_TOKEN").value_or(""), {}, name()};
    co_return Finding{std::move(credentials), {}};
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
