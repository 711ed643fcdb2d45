// Roles: credentials that STS gives for other credentials, or for a token of an identity provider.
#include <fcntl.h>

#include <array>
#include <charconv>
#include <utility>

#include "aws/credentials_text.hpp"
#include "aws/providers.hpp"
#include "aws/service_client.hpp"
#include "aws/sigv4.hpp"
#include "base/limits.hpp"
#include "reactor/files.hpp"

namespace unum::aws {
namespace {

// STS answers with some 2 KB; tokens of identity providers have up to 20,000 bytes (its API
// reference).
constexpr std::size_t kAnswerBytesMax = 256u * 1024;
constexpr std::size_t kTokenBytesMax = 64u * 1024;

void add(std::string& body, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  ((body += '&') += name) += '=';
  append_uri_encoded(body, value);
}

std::string form(std::string_view action, const Role& role, WallTime now) {
  std::string body = "Action=" + std::string(action) + "&Version=2011-06-15";
  add(body, "RoleArn", role.arn);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  add(body, "RoleSessionName",
      role.session_name.empty() ? "unum-" + std::to_string(since.count()) : role.session_name);
  add(body, "DurationSeconds", role.duration_seconds);
  return body;
}

Task<Credentials> ask_sts(Reactor& reactor, http::Client& http, const Settings& settings,
                          Credentials caller, Signing signing, std::string body, std::string name,
                          Wait wait) {
  const std::unique_ptr<CredentialsSource> source = fixed_credentials(std::move(caller));
  ServiceClient sts(reactor, http, *source, resolve_endpoint("sts", settings), Protocol::query,
                    settings.retry_policy("sts"));
  // The provider of an identity may need a moment (IDPCommunicationError is repeated anyway).
  const std::array<std::string, 1> headers = {"content-type: application/x-www-form-urlencoded"};
  Call call;
  call.method = http::Method::post;
  call.path = "/";
  call.headers = headers;
  call.body = body;
  call.signing = signing;
  call.body_bytes_max = kAnswerBytesMax;
  call.what = name;
  const ServiceAnswer answer = co_await sts.send(call, wait);
  co_return parse_sts_answer(answer.response.body, name);
}

class WebIdentityProvider final : public CredentialsProvider {
 public:
  WebIdentityProvider(Reactor& reactor, http::Client& http) : reactor_(reactor), http_(http) {}
  std::string name() const override { return "web identity"; }
  Task<Finding> fetch(Wait wait) override {
    const auto file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
    const auto arn = environment("AWS_ROLE_ARN");
    if (!file) co_return Finding{{}, "AWS_WEB_IDENTITY_TOKEN_FILE is not set"};
    if (!arn) {
      co_return Finding{{}, "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not"};
    }
    const Settings settings = Settings::load();
    Role role;
    role.arn = *arn;
    role.session_name = environment("AWS_ROLE_SESSION_NAME").value_or("");
    const std::string what = name() + " for " + *arn;
    Finding finding;
    finding.credentials =
        co_await assume_role_with_web_identity(reactor_, http_, settings, *file, role, what, wait);
    co_return finding;
  }

 private:
  Reactor& reactor_;
  http::Client& http_;
};

}  // namespace

Task<Credentials> assume_role(Reactor& reactor, http::Client& http, const Settings& settings,
                              Credentials caller, Role role, std::string name, Wait wait) {
  std::string body = form("AssumeRole", role, reactor.wall_time());
  add(body, "ExternalId", role.external_id);
  co_return co_await ask_sts(reactor, http, settings, std::move(caller), Signing::header,
                             std::move(body), std::move(name), wait);
}

Task<Credentials> assume_role_with_web_identity(Reactor& reactor, http::Client& http,
                                                const Settings& settings, std::string token_file,
                                                Role role, std::string name, Wait wait) {
  std::string token =
      co_await read_file(reactor, AT_FDCWD, token_file.c_str(), kTokenBytesMax, wait);
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.pop_back();
  if (token.empty()) {
    throw Error(ErrorKind::invalid, "aws", "Unum.InvalidCredentials",
                name + ": there is no token in " + token_file);
  }
  std::string body = form("AssumeRoleWithWebIdentity", role, reactor.wall_time());
  add(body, "WebIdentityToken", token);
  // The token goes where the secrets are, so that no message repeats it.
  Credentials caller;
  caller.session_token = token;
  co_return co_await ask_sts(reactor, http, settings, std::move(caller), Signing::none,
                             std::move(body), std::move(name), wait);
}

ProviderPtr web_identity_provider(Reactor& reactor, http::Client& http) {
  return std::make_unique<WebIdentityProvider>(reactor, http);
}

}  // namespace unum::aws
