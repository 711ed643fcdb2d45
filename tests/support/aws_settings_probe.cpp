// What this library makes of environment and shared files: a program that apps/aws_settings_test.py
// asks the same questions as botocore.
//
// Each line of the standard input is a JSON object of strings, the variables of an environment. For
// each it prints a line: an object with `credentials`, `region`, `s3`, `dynamodb`, `attempts`, each
// {"value": ...} or {"error": "..."}.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "aws/credentials.hpp"
#include "aws/endpoint.hpp"
#include "aws/settings.hpp"
#include "base/json.hpp"
#include "reactor/http/client.hpp"

extern char** environ;

namespace unum {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

void set_environment(json::View variables) {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    if (line.starts_with("AWS_") || line.starts_with("HOME=")) {
      names.emplace_back(line.substr(0, line.find('=')));
    }
  }
  for (const std::string& name : names) ::unsetenv(name.c_str());
  for (const json::Member& variable : json::members(variables)) {
    ::setenv(variable.key.c_str(), json::string_value(variable.value).c_str(), 1);
  }
}

/// {"value": ...} with what `ask` returns, or {"error": "..."}.
template <class Ask>
void answer(std::string& out, std::string_view name, Ask ask) {
  (out += out.empty() ? "{\"" : ",\"") += name;
  out += "\":{";
  std::string value;
  try {
    value = "\"value\":" + ask();
  } catch (const Error& error) {
    value = "\"error\":";
    json::append_string(value, error.message());
  }
  (out += value) += '}';
}

std::string quoted(std::string_view text) {
  std::string result;
  json::append_string(result, text);
  return result;
}

std::string credentials(Reactor& reactor, http::Client& http) {
  (void)aws::Settings::load();  // as whoever opens a session does first
  const auto source = aws::default_credentials(reactor, http);
  const auto get = [&]() -> Task<aws::Credentials> {
    const Wait wait{reactor.now() + seconds(30)};
    const aws::Credentials* found = co_await source->get(wait);
    co_return *found;
  };
  const aws::Credentials found = reactor.run(get());
  std::string result = "[" + quoted(found.access_key_id) + "," + quoted(found.secret_access_key) +
                       "," + quoted(found.session_token) + ",";
  result +=
      !found.expiration
          ? "null"
          : std::to_string(duration_cast<seconds>(found.expiration->time_since_epoch()).count());
  return result + "]";
}

/// An endpoint that somebody gave; null for the service's own.
std::string endpoint(const char* service) {
  const aws::Endpoint endpoint = aws::resolve_endpoint(service);
  return endpoint.custom ? quoted(endpoint.origin + endpoint.base_path) : "null";
}

void run() {
  Reactor reactor;
  http::Client http(reactor);
  for (std::string line; std::getline(std::cin, line);) {
    set_environment(json::validate(line, "a case"));
    std::string out;
    answer(out, "credentials", [&] { return credentials(reactor, http); });
    answer(out, "region", [] { return quoted(aws::Settings::load().region().value_or("")); });
    // Botocore, too, looks for an endpoint before it misses a region.
    ::setenv("AWS_REGION", "us-east-1", 0);
    answer(out, "s3", [] { return endpoint("s3"); });
    answer(out, "dynamodb", [] { return endpoint("dynamodb"); });
    answer(out, "attempts",
           [] { return std::to_string(aws::Settings::load().retry_policy("s3").attempts_max); });
    out += "}\n";
    std::fwrite(out.data(), 1, out.size(), stdout);
  }
  const auto close = [&]() -> Task<void> { co_await http.close(); };
  reactor.run(close());
}

}  // namespace
}  // namespace unum

int main() {
  try {
    unum::run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "aws-settings-probe: %s\n", error.what());
    return 1;
  }
}
