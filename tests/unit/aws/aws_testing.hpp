// What the tests of src/aws share: an environment without any AWS settings, a service of the
// test's own, and the errors that it leads to.
#pragma once

#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../reactor/http_server.hpp"
#include "aws/service_client.hpp"
#include "support/fixtures.hpp"

extern char** environ;

namespace unum::test {

// Every test uses these, so that one look at an error tells whether it repeats a secret.
inline const std::string kSecret = "unum-test-secret/EXAMPLEKEY";
inline const std::string kToken = "session-token-that-nobody-may-see==";

/// The process without settings of AWS, and with a home directory of its own.
class CleanEnvironment : public EnvironmentGuard {
 public:
  CleanEnvironment() {
    std::vector<std::string> names;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view line(*entry);
      if (line.starts_with("AWS_")) names.emplace_back(line.substr(0, line.find('=')));
    }
    for (const std::string& name : names) unset(name);
    unset("UNUM_HEDGE_MS");
    std::filesystem::create_directories(home / ".aws");
    set("HOME", home.path());
    // Not the machine's own, wherever the test runs.
    set("AWS_EC2_METADATA_DISABLED", "true");
  }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream file(home / name, std::ios::binary);
    file << text;
  }
  Scratch home;
};

/// What an awaitable threw, or nothing.
template <class T>
Task<std::optional<Error>> error_of(Task<T> task) {
  std::optional<Error> error;
  try {
    co_await std::move(task);
  } catch (const Error& thrown) {
    error = thrown;
  }
  co_return error;
}

/// Whether a text repeats one of the secrets.
inline bool repeats_a_secret(std::string_view text) {
  return text.find(kSecret) != std::string_view::npos ||
         text.find(kToken) != std::string_view::npos;
}

inline aws::Credentials test_credentials() { return {"unum-test", kSecret, kToken, {}, "test"}; }

/// A policy without pauses.
inline aws::RetryPolicy at_once() {
  aws::RetryPolicy policy;
  policy.random = [] { return 0.0; };
  return policy;
}

/// A service and its client, both in this process.
struct Service {
  Service(Reactor& reactor, Server::Script script, std::string name = "s3",
          aws::Protocol protocol = aws::Protocol::rest_xml, aws::RetryPolicy policy = at_once())
      : server(reactor, std::move(script)),
        http(reactor),
        credentials(aws::fixed_credentials(test_credentials())),
        client(reactor, http, *credentials, endpoint(name), protocol, std::move(policy)) {}

  aws::Endpoint endpoint(const std::string& name) const {
    aws::Endpoint endpoint;
    endpoint.service = name;
    endpoint.region = "us-east-1";
    endpoint.origin = server.origin();
    endpoint.custom = true;
    return endpoint;
  }

  Server server;
  http::Client http;
  std::unique_ptr<aws::CredentialsSource> credentials;
  aws::ServiceClient client;
};

/// Answers requests with these, one after another, whatever is asked; the last one again and again.
/// Each is "STATUS REASON\nheaders\n\nbody".
struct Answers {
  std::vector<std::string> answers;
  std::vector<std::string>* seen = nullptr;
  std::size_t next = 0;

  Task<void> operator()(Peer& peer) {
    while (const auto request = co_await peer.read_request()) {
      if (seen != nullptr) seen->push_back(*request);
      const std::string& answer = answers[std::min(next++, answers.size() - 1)];
      const std::size_t line = answer.find('\n');
      const std::size_t blank = answer.find("\n\n");
      std::string headers;
      if (blank > line) {
        std::istringstream lines(answer.substr(line + 1, blank - line));
        for (std::string header; std::getline(lines, header);) headers += header + "\r\n";
      }
      co_await peer.answer(answer.substr(0, line), answer.substr(blank + 2), headers);
    }
  }
};

/// A script of it that all connections share.
inline Server::Script in_turn(std::vector<std::string> answers,
                              std::vector<std::string>* seen = nullptr) {
  auto state = std::make_shared<Answers>(Answers{std::move(answers), seen});
  return [state](Peer& peer) { return (*state)(peer); };
}

/// Runs the body, then closes and stops the service.
template <class Body>
void with_service(Reactor& reactor, Service& service, Body& body) {
  with_client(reactor, service.http, service.server, body);
}

inline aws::Call get_call(std::string_view what = "GetObject bucket/key") {
  aws::Call call;
  call.path = "/bucket/key";
  call.signing = aws::Signing::query;
  call.what = what;
  return call;
}

inline const std::string kOk = "200 OK\n\nvalue";
inline std::string xml_error(const std::string& status, const std::string& code,
                             const std::string& more = {}) {
  return status + "\n\n<Error><Code>" + code + "</Code><Message>said the service</Message>" + more +
         "<RequestId>R2</RequestId></Error>";
}

}  // namespace unum::test
