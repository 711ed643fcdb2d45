// Invocations over HTTP: what counts as accepted, what is sent again, what a broker is told.
#include "hosts/http/http_invoker.hpp"

#include <deque>

#include "unit/reactor/http_server.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;
using http_host::HttpInvoker;
using http_host::HttpInvokerOptions;

namespace {

Invocation invocation_of(std::string_view function) {
  Invocation invocation;
  invocation.function = function;
  invocation.instance = "Next-unumIndex-0";
  invocation.origin = "First";
  invocation.payload = json::Text::trusted("{\"Data\":1}");
  return invocation;
}

/// Answers with these statuses, one a request; "" ends the connection without an answer.
struct Statuses {
  std::deque<std::string> statuses;
  std::vector<std::string> requests{};

  Server::Script script() {
    return [this](Peer& peer) -> Task<void> {
      while (true) {
        const std::optional<std::string> request = co_await peer.read_request();
        if (!request) co_return;
        requests.push_back(*request);
        const std::string status = statuses.front();
        if (statuses.size() > 1) statuses.pop_front();
        if (status.empty()) co_return;
        const bool sent = co_await peer.answer(status, "");
        if (!sent) co_return;
      }
    };
  }
};

/// The error that one invocation ends in, or nothing.
std::optional<Error> outcome_of(Reactor& reactor, Statuses& statuses, HttpInvokerOptions options,
                                const std::string& path = "/f/{function}") {
  Server server(reactor, statuses.script());
  http::Client client(reactor);
  http_host::Metrics metrics;
  if (!options.target.is_event) {
    options.target = http_host::parse_invoke_url(server.origin() + path);
  } else {
    options.target.url = server.origin() + path;
  }
  HttpInvoker invoker(reactor, client, metrics, std::move(options));
  std::optional<Error> failure;
  auto body = [&]() -> Task<void> {
    try {
      Invocation invocation = invocation_of("Next_One");
      co_await invoker.invoke(std::move(invocation), Wait{});
    } catch (const Error& error) {
      failure = error;
    }
  };
  with_client(reactor, client, server, body);
  return failure;
}

}  // namespace

TEST_CASE("an invocation is accepted with any status of 2xx") {
  ON_EACH_PORT(reactor);
  Statuses statuses{{"202 Accepted"}};
  CHECK_FALSE(outcome_of(reactor, statuses, {}));
  REQUIRE(statuses.requests.size() == 1);
  CHECK(first_line(statuses.requests[0]) == "POST /f/Next_One HTTP/1.1");
  CHECK(header_of(statuses.requests[0], "content-type") == "application/json");
  CHECK(body_of(statuses.requests[0]) == "{\"Data\":1}");
}

TEST_CASE("what may not have been accepted is sent again") {
  ON_EACH_PORT(reactor);
  Statuses statuses{{"503 Busy", "", "429 Full", "500 Broken", "408 Slow", "200 OK"}};
  CHECK_FALSE(outcome_of(reactor, statuses, {}));
  CHECK(statuses.requests.size() == 6);
}

TEST_CASE("a status that will not change is an error at once, by its kind") {
  ON_EACH_PORT(reactor);
  const auto kind_for = [&](const std::string& status) {
    Statuses statuses{{status}};
    const std::optional<Error> error = outcome_of(reactor, statuses, {});
    REQUIRE(error);
    CHECK(statuses.requests.size() == 1);
    CHECK(error->message().find("Next_One") != std::string::npos);
    CHECK(error->delivery() == Delivery::again);
    return error->kind();
  };
  CHECK(kind_for("404 None") == ErrorKind::not_found);
  CHECK(kind_for("403 No") == ErrorKind::denied);
  CHECK(kind_for("413 Long") == ErrorKind::exhausted);
  CHECK(kind_for("302 Elsewhere") == ErrorKind::invalid);
}

TEST_CASE("when the time for an invocation is over its last error is thrown") {
  ON_EACH_PORT(reactor);
  Statuses statuses{{"503 Busy"}};
  HttpInvokerOptions options;
  options.timeout = 100ms;
  const std::optional<Error> error = outcome_of(reactor, statuses, std::move(options));
  REQUIRE(error);
  CHECK(error->code() == "503");
  CHECK(error->kind() == ErrorKind::throttled);
}

TEST_CASE(
    "a broker gets an event with the function's name, and the same id when it is sent again") {
  ON_EACH_PORT(reactor);
  Statuses statuses{{"", "202 Accepted"}};
  HttpInvokerOptions options;
  options.target.is_event = true;
  options.application = "app";
  CHECK_FALSE(outcome_of(reactor, statuses, std::move(options), "/ns/default"));
  REQUIRE(statuses.requests.size() == 2);
  for (const std::string& request : statuses.requests) {
    CHECK(first_line(request) == "POST /ns/default HTTP/1.1");
    CHECK(header_of(request, "ce-specversion") == "1.0");
    CHECK(header_of(request, "ce-type") == "unum.invocation");
    CHECK(header_of(request, "ce-source") == "/unum/app");
    CHECK(header_of(request, "ce-unumfunction") == "Next_One");
    CHECK(header_of(request, "ce-id").size() == 32);
  }
  CHECK(header_of(statuses.requests[0], "ce-id") == header_of(statuses.requests[1], "ce-id"));
}

TEST_CASE("functions whose names are one DNS label are not told apart, and refused") {
  const http_host::InvokeTarget target = http_host::parse_invoke("openfaas:http://gateway:8080/");
  CHECK(target.url == "http://gateway:8080/async-function/{name}");
  const std::vector<std::string> apart{"Split", "Join"};
  CHECK_NOTHROW(http_host::check_names(target, apart));
  const std::vector<std::string> twins{"a_b", "A-b"};
  CHECK_THROWS_AS(http_host::check_names(target, twins), Error);
}
