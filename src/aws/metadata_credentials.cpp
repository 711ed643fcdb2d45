// Credentials that the machine gives: containers (ECS, EKS Pod Identity) and EC2 instances.
#include <fcntl.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <utility>

#include "aws/credentials_text.hpp"
#include "aws/providers.hpp"
#include "aws/retry.hpp"
#include "reactor/files.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

// Documents of a few hundred bytes; more is no metadata.
constexpr std::size_t kAnswerBytesMax = 64u * 1024;
constexpr std::string_view kContainerHost = "http://169.254.170.2";

/// Short requests to a service next door, repeated a few times.
struct Asker {
  Reactor& reactor;
  http::Client& http;
  std::chrono::milliseconds patience;
  unsigned attempts;

  /// An answer of any status below 500, or the last error.
  Task<http::Response> ask(http::Method method, std::string origin, std::string target,
                           std::vector<std::string> headers, Wait wait) {
    const RetryBackoff backoff;
    const Random random = [this] { return reactor.random_fraction(); };
    RetryQuota quota;
    Retry retry(backoff, attempts, quota, random, wait.deadline);
    for (;;) {
      http::Request request;
      request.method = method;
      request.origin = origin;
      request.target = target;
      request.headers = headers;
      request.body_bytes_max = kAnswerBytesMax;
      std::optional<Error> failed;
      try {
        Wait once = wait;
        once.deadline = std::min(wait.deadline, reactor.now() + patience);
        http::Response response = co_await http.send(request, once);
        if (response.status < 500 && response.status != 429) co_return response;
        failed.emplace(ErrorKind::disconnected, "aws", std::to_string(response.status),
                       origin + " answers HTTP " + std::to_string(response.status));
      } catch (const Error& error) {
        failed = error;
      }
      const bool ended = failed->kind() == ErrorKind::cancelled;
      const auto next =
          ended ? std::nullopt : retry.failed(unum::Failure::transient, reactor.now());
      if (!next || !co_await reactor.sleep_until(*next, wait.stop)) throw Error(*failed);
    }
  }
};

/// Runs `ask` with a client that goes past the proxies, like the SDKs: these services are next
/// door, and behind a proxy another machine's would answer, with another machine's role.
template <class Ask>
Task<Finding> ask_past_proxies(Reactor& reactor, const http::Client& like, Ask ask) {
  http::ClientOptions options = like.options();
  options.proxies = false;
  http::Client http(reactor, options);
  Finding finding;
  std::exception_ptr failed;
  try {
    finding = co_await ask(http);
  } catch (...) {
    failed = std::current_exception();
  }
  co_await http.close();
  if (failed) std::rethrow_exception(failed);
  co_return finding;
}

std::string host_of(std::string_view origin) {
  std::string_view host = origin.substr(origin.find("://") + 3);
  if (host.starts_with('[')) return std::string(host.substr(0, host.find(']') + 1));
  return std::string(host.substr(0, host.find(':')));
}

/// Whether plain HTTP may go there: this machine, and the addresses of ECS and EKS.
bool may_be_plain(std::string_view origin) {
  const std::string host = host_of(origin);
  if (host == "localhost" || host == "[::1]") return true;
  if (host == "169.254.170.2" || host == "169.254.170.23" || host == "[fd00:ec2::23]") return true;
  // 127.0.0.0/8, and not a name that begins like it.
  return host.starts_with("127.") && std::all_of(host.begin(), host.end(), [](char c) {
           return c == '.' || (c >= '0' && c <= '9');
         });
}

class ContainerProvider final : public CredentialsProvider {
 public:
  ContainerProvider(Reactor& reactor, http::Client& http) : reactor_(reactor), http_(http) {}
  std::string name() const override { return "container endpoint"; }

  Task<Finding> fetch(Wait wait) override {
    const auto relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const auto full = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (!relative && !full) {
      co_return Finding{{},
                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and "
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI are not set"};
    }
    std::string origin(kContainerHost);
    std::string target = relative.value_or("");
    if (!relative) split(*full, origin, target);
    if (!target.starts_with('/')) target.insert(0, "/");
    std::vector<std::string> headers;
    if (const std::string token = co_await authorization(wait); !token.empty()) {
      headers.push_back("Authorization: " + token);
    }
    const auto ask = [&](http::Client& http) {
      return ask_at(http, origin, target, headers, wait);
    };
    co_return co_await ask_past_proxies(reactor_, http_, ask);
  }

 private:
  Task<Finding> ask_at(http::Client& http, const std::string& origin, const std::string& target,
                       const std::vector<std::string>& headers, Wait wait) {
    Asker asker{reactor_, http, std::chrono::seconds(2), 3};
    const http::Response response =
        co_await asker.ask(http::Method::get, origin, target, headers, wait);
    if (response.status != 200) {
      throw Error(ErrorKind::denied, "aws", std::to_string(response.status),
                  name() + " at " + origin + " answers HTTP " + std::to_string(response.status));
    }
    co_return Finding{parse_credentials_json(response.body, CredentialsJson::container, name()),
                      {}};
  }

  static void split(const std::string& url, std::string& origin, std::string& target) {
    const bool tls = url.starts_with("https://");
    if (!tls && !url.starts_with("http://")) {
      throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
                  "AWS_CONTAINER_CREDENTIALS_FULL_URI must begin with http:// or https://");
    }
    const std::size_t slash = std::min(url.find_first_of("/?", url.find("://") + 3), url.size());
    origin = url.substr(0, slash);
    target = url.substr(slash);
    if (origin.find('@') != std::string::npos || (!tls && !may_be_plain(origin))) {
      throw Error(ErrorKind::denied, "aws", "Unum.InvalidSetting",
                  "AWS_CONTAINER_CREDENTIALS_FULL_URI names " + host_of(origin) +
                      "; by plain http it may name this machine, 169.254.170.2, 169.254.170.23 "
                      "and [fd00:ec2::23] only");
    }
  }

  Task<std::string> authorization(Wait wait) {
    std::string token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
    if (const auto file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
      token = co_await read_file(reactor_, AT_FDCWD, file->c_str(), kAnswerBytesMax, wait);
    }
    while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
    if (token.find_first_of("\r\n") != std::string::npos) {
      throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
                  "the container's authorization token has more than one line");
    }
    co_return token;
  }

  Reactor& reactor_;
  http::Client& http_;
};

unsigned setting(const char* variable, unsigned usual, unsigned most) {
  const auto text = environment(variable);
  unsigned value = 0;
  if (!text) return usual;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value == 0 || value > most) {
    throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
                std::string(variable) + " is \"" + *text +
                    "\"; it must be a whole number from 1 to " + std::to_string(most));
  }
  return value;
}

class InstanceProvider final : public CredentialsProvider {
 public:
  InstanceProvider(Reactor& reactor, http::Client& http) : reactor_(reactor), http_(http) {}
  std::string name() const override { return "EC2 instance metadata"; }
  bool outlives_expiration() const noexcept override { return true; }

  Task<Finding> fetch(Wait wait) override {
    const std::string disabled = environment("AWS_EC2_METADATA_DISABLED").value_or("");
    if (::strcasecmp(disabled.c_str(), "true") == 0) {
      co_return Finding{{}, "AWS_EC2_METADATA_DISABLED is true"};
    }
    const auto ask_it = [&](http::Client& http) { return ask(http, wait); };
    std::optional<Error> failed;
    try {
      co_return co_await ask_past_proxies(reactor_, http_, ask_it);
    } catch (const Error& error) {
      // Only one of many places to run: that nothing answers is not an error.
      const bool unreachable =
          error.kind() == ErrorKind::timeout || error.kind() == ErrorKind::disconnected;
      if (!unreachable || wait.deadline <= reactor_.now() || found_before_) throw;
      failed = error;
    }
    co_return Finding{{}, failed->message()};
  }

 private:
  static std::string endpoint() {
    if (auto given = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT")) {
      while (given->ends_with('/')) given->pop_back();
      return *given;
    }
    std::string mode = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").value_or("IPv4");
    std::transform(mode.begin(), mode.end(), mode.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (mode != "ipv4" && mode != "ipv6") {
      throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
                  "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6");
    }
    return mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  }

  Task<Finding> ask(http::Client& http, Wait wait) {
    static constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
    Asker asker{reactor_, http,
                std::chrono::seconds(setting("AWS_METADATA_SERVICE_TIMEOUT", 1, 60)),
                setting("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1, 10)};
    const std::string origin = endpoint();
    std::vector<std::string> for_token{"X-aws-ec2-metadata-token-ttl-seconds: 21600"};
    const http::Response token = co_await asker.ask(http::Method::put, origin, "/latest/api/token",
                                                    std::move(for_token), wait);
    if (token.status != 200) co_return nothing(origin, "its token", token.status);
    if (token.body.empty() || token.body.find_first_of("\r\n") != std::string::npos) {
      co_return Finding{{}, "what answers at " + origin + " is no metadata service"};
    }
    const std::vector<std::string> headers{"X-aws-ec2-metadata-token: " + token.body};
    const http::Response roles =
        co_await asker.ask(http::Method::get, origin, std::string(kRoles), headers, wait);
    if (roles.status != 200)
      co_return nothing(origin, "a role (has the instance one?)", roles.status);
    std::string role = roles.body.substr(0, roles.body.find_first_of("\r\n"));
    const bool is_name =
        !role.empty() && std::all_of(role.begin(), role.end(), [](unsigned char c) {
          return c > ' ' && c < 0x7f && c != '/' && c != '?' && c != '#' && c != '%';
        });
    if (!is_name) co_return Finding{{}, "the instance at " + origin + " has no role"};
    const http::Response answer =
        co_await asker.ask(http::Method::get, origin, std::string(kRoles) + role, headers, wait);
    if (answer.status != 200) co_return nothing(origin, "role " + role, answer.status);
    Credentials credentials =
        parse_credentials_json(answer.body, CredentialsJson::metadata, name() + ", role " + role);
    found_before_ = true;
    co_return Finding{std::move(credentials), {}};
  }

  static Finding nothing(const std::string& origin, const std::string& what, int status) {
    return Finding{{}, origin + " answers HTTP " + std::to_string(status) + " for " + what};
  }

  Reactor& reactor_;
  http::Client& http_;
  bool found_before_ = false;
};

}  // namespace

ProviderPtr container_provider(Reactor& reactor, http::Client& http) {
  return std::make_unique<ContainerProvider>(reactor, http);
}

ProviderPtr instance_provider(Reactor& reactor, http::Client& http) {
  return std::make_unique<InstanceProvider>(reactor, http);
}

}  // namespace unum::aws
