// Where credentials are looked for, in the order of the SDKs.
#include "stores/aws/credentials_provider.hpp"
#include "stores/aws/settings.hpp"

namespace unum::aws {
namespace {

class EnvironmentProvider final : public CredentialsProvider {
 public:
  std::string name() const override { return "environment"; }
  Task<Finding> fetch(Wait) override {
    const auto id = environment("AWS_ACCESS_KEY_ID");
    const auto secret = environment("AWS_SECRET_ACCESS_KEY");
    if (!id || !secret) {
      co_return Finding{{},
                        !id && !secret ? "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"
                        : id           ? "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not"
                                       : "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not"};
    }
    Credentials credentials{
        *id, *secret, environment("AWS_SESSION_TOKEN").value_or(""), {}, name()};
    co_return Finding{std::move(credentials), {}};
  }
};

}  // namespace

std::unique_ptr<CredentialsSource> default_credentials(Reactor& reactor, http::Client&) {
  std::vector<std::unique_ptr<CredentialsProvider>> places;
  places.push_back(std::make_unique<EnvironmentProvider>());
  return cached_credentials(reactor, std::move(places));
}

}  // namespace unum::aws
