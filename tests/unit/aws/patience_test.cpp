// Calls of a service that is away for a while, or asks for a slower pace: they are waited out.
#include "aws_testing.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;

namespace {

aws::RetryPolicy patient(std::chrono::milliseconds patience, std::vector<std::string>* lines) {
  aws::RetryPolicy policy;
  policy.patience = patience;
  policy.store = "s3:bucket";
  policy.waiting = [lines](std::string_view line) { lines->emplace_back(line); };
  return policy;
}

const std::string kSlowDown = xml_error("503 Slow Down", "SlowDown");

/// Answers so many requests a second, and refuses the others.
struct Limited {
  double a_second;
  double tokens = 5;
  Clock::time_point last = Clock::now();
  int refused = 0;

  bool takes_one() {
    const Clock::time_point now = Clock::now();
    tokens += a_second * std::chrono::duration<double>(now - last).count();
    tokens = std::min(tokens, std::max(1.0, a_second / 4));
    last = now;
    if (tokens >= 1) {
      tokens -= 1;
      return true;
    }
    ++refused;
    return false;
  }
};

}  // namespace

TEST_CASE("a service that does 50 requests a second does 150 for a hundred calls (found 15)",
          "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> lines;
  Limited limited{50};
  Service service(
      reactor,
      [&](Peer& peer) -> Task<void> {
        while (const auto request = co_await peer.read_request()) {
          if (limited.takes_one()) {
            co_await peer.answer("200 OK", "value");
          } else {
            co_await peer.answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>");
          }
        }
      },
      "s3", aws::Protocol::rest_xml, patient(60s, &lines));
  std::size_t most_held_back = 0;
  const auto calls = [&](std::size_t) -> Task<void> {
    co_await service.client.send(get_call());
    most_held_back += service.client.is_held_back() ? 1 : 0;
  };
  const auto body = [&]() -> Task<void> {
    const Clock::time_point before = Clock::now();
    co_await for_each_bounded(150, 100, calls);
    const double seconds = std::chrono::duration<double>(Clock::now() - before).count();
    CAPTURE(seconds, limited.refused, service.client.counters().requests);
    CHECK(seconds < 20);
    CHECK(most_held_back > 0);
    REQUIRE(!lines.empty());
    CHECK(
        lines.front().starts_with("s3:bucket answers only some requests (SlowDown); slowing "
                                  "down to about "));
    CHECK(lines.size() < 6);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a service that is away for seconds is waited for by all calls (found 16)", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> lines;
  std::optional<Clock::time_point> back_at;
  Service service(
      reactor,
      [&](Peer& peer) -> Task<void> {
        while (const auto request = co_await peer.read_request()) {
          if (!back_at) back_at = Clock::now() + 2500ms;
          if (Clock::now() < *back_at) {
            peer.reset();
            co_return;
          }
          co_await peer.answer("200 OK", "value");
        }
      },
      "s3", aws::Protocol::rest_xml, patient(60s, &lines));
  const auto call = [&](std::size_t) -> Task<void> {
    const aws::ServiceAnswer answer = co_await service.client.send(get_call());
    CHECK(answer.response.body == "value");
  };
  const auto body = [&]() -> Task<void> {
    // Beyond what the quota of retries pays for.
    co_await for_each_bounded(100, 100, call);
    CHECK(!service.client.is_held_back());
    const Clock::duration late = Clock::now() - *back_at;
    CHECK(late < 10s);  // pauses are 2 s at most, without a patience 20 s
    REQUIRE(!lines.empty());
    CHECK(lines.front().starts_with("s3:bucket does not do what it is asked"));
    CHECK(lines.front().find("at most 60 s") != std::string::npos);
  };
  with_service(reactor, service, body);
}

TEST_CASE("when the patience is over a call fails with what it met last (found 16)", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> lines;
  const bool throttled = GENERATE(false, true);
  const std::string answer =
      throttled ? kSlowDown : xml_error("500 Internal Server Error", "InternalError");
  Service service(reactor, in_turn({answer}), "s3", aws::Protocol::rest_xml, patient(3s, &lines));
  const auto body = [&]() -> Task<void> {
    const Clock::time_point before = Clock::now();
    const auto error = co_await error_of(service.client.send(get_call()));
    REQUIRE(error);
    CHECK(Clock::now() - before > 2900ms);
    CHECK(Clock::now() - before < 20s);
    CHECK(error->code() == (throttled ? "SlowDown" : "InternalError"));
    CHECK(error->message().find(" attempts in 3 s: ") != std::string::npos);
    CHECK(service.client.counters().requests > 2);
    CHECK(!lines.empty());
  };
  with_service(reactor, service, body);
}

TEST_CASE("attempts that the user has counted end a call whatever its patience", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> lines;
  aws::RetryPolicy policy = patient(60s, &lines);
  policy.attempts_max = 2;
  policy.attempts_are_given = true;
  policy.random = [] { return 0.0; };
  Service service(reactor, in_turn({xml_error("500 Internal Server Error", "InternalError")}), "s3",
                  aws::Protocol::rest_xml, policy);
  const auto body = [&]() -> Task<void> {
    const auto error = co_await error_of(service.client.send(get_call()));
    REQUIRE(error);
    CHECK(service.client.counters().requests == 2);
    CHECK(error->message().find(", 2 attempts (AWS_MAX_ATTEMPTS): ") != std::string::npos);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a pause that the service asks for is told (found 18)", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> lines;
  Service service(reactor, in_turn({"503 Service Unavailable\nx-amz-retry-after: 1200\n\n", kOk}),
                  "s3", aws::Protocol::rest_xml, patient(60s, &lines));
  const auto body = [&]() -> Task<void> {
    const aws::ServiceAnswer answer = co_await service.client.send(get_call());
    CHECK(answer.response.body == "value");
    CHECK(lines == std::vector<std::string>{"s3:bucket asks to wait for 1 s (Retry-After); "
                                            "waiting"});
  };
  with_service(reactor, service, body);
}

TEST_CASE("while a store is opened, each request ends, though bytes come (found 19)", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> lines;
  aws::RetryPolicy policy = patient(100ms, &lines);
  policy.opening_request = 300ms;
  Service service(
      reactor,
      [&](Peer& peer) -> Task<void> {
        const auto request = co_await peer.read_request();
        if (!request) co_return;
        co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        for (bool there = true; there;) {
          const Deadline next = reactor.now() + 20ms;
          co_await reactor.sleep_until(next);
          there = co_await peer.send("x");
        }
      },
      "s3", aws::Protocol::rest_xml, policy);
  service.client.set_opening(true);
  const auto body = [&]() -> Task<void> {
    const Clock::time_point before = Clock::now();
    const auto error = co_await error_of(service.client.send(get_call()));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::timeout);
    CHECK(Clock::now() - before < 15s);  // all thousand bytes take 20 s
  };
  with_service(reactor, service, body);
}

TEST_CASE("while a store is opened, a host without an address is told at once", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> lines;
  aws::RetryPolicy policy = patient(60s, &lines);
  policy.random = [] { return 0.0; };
  Service service(reactor, in_turn({kOk}), "s3", aws::Protocol::rest_xml, policy);
  aws::Endpoint endpoint = service.endpoint("s3");
  endpoint.origin = "http://no-such-host.invalid:9";
  service.client.set_endpoint(endpoint);
  service.client.set_opening(true);
  const auto body = [&]() -> Task<void> {
    const auto error = co_await error_of(service.client.send(get_call()));
    REQUIRE(error);
    CHECK(error->code() == "CURLE_COULDNT_RESOLVE_HOST");
    CHECK(service.client.counters().requests == 3);
  };
  with_service(reactor, service, body);
}
