// What a service client corrects by itself: a clock that is wrong, a token that has expired.
#include "aws/service_client.hpp"
#include "aws/sigv4.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;
using aws::Call;
using aws::ServiceAnswer;

namespace {

std::string http_date(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  char text[40];
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return text;
}

}  // namespace

TEST_CASE("a clock that is wrong is corrected by the service's, for later calls, too", "[aws]") {
  ON_EACH_PORT(reactor);
  const auto now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1) + 12h);
  const std::string code =
      GENERATE(as<std::string>(), "RequestTimeTooSkewed", "AccessDenied", "bare");
  CAPTURE(code);
  const std::string refusal = code == "bare"
                                  ? "403 Forbidden\nDate: " + http_date(now + 1h) + "\n\n"
                                  : xml_error("403 Forbidden\nDate: " + http_date(now + 1h), code);
  aws::RetryPolicy policy = at_once();
  policy.wall_clock = [&] { return now; };
  std::vector<std::string> seen;
  Service service(reactor, in_turn({refusal, kOk, kOk, refusal, refusal}, &seen), "s3",
                  aws::Protocol::rest_xml, policy);
  const auto body = [&]() -> Task<void> {
    co_await service.client.send(get_call());
    co_await service.client.send(get_call());
    REQUIRE(seen.size() == 3);
    CHECK(first_line(seen[0]).find("X-Amz-Date=20260101T120000Z") != std::string::npos);
    CHECK(first_line(seen[1]).find("X-Amz-Date=20260101T130000Z") != std::string::npos);
    CHECK(first_line(seen[2]).find("X-Amz-Date=20260101T130000Z") != std::string::npos);
    // The clocks agree now: the same refusal means something else, or no
    // correction helps.
    const auto error = co_await error_of(service.client.send(get_call()));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::denied);
    CHECK(seen.size() == (code == "RequestTimeTooSkewed" ? 5 : 4));
  };
  with_service(reactor, service, body);
}

TEST_CASE("a wrong clock is corrected for all requests that were under way", "[aws]") {
  ON_EACH_PORT(reactor);
  const auto now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1) + 12h);
  const std::string date = "Date: " + http_date(now + 1h) + "\r\n";
  aws::RetryPolicy policy = at_once();
  policy.wall_clock = [&] { return now; };
  int early = 0;
  Service service(
      reactor,
      [&](Peer& peer) -> Task<void> {
        while (const auto request = co_await peer.read_request()) {
          const bool is_early = request->find("X-Amz-Date=20260101T12") != std::string::npos;
          early += is_early ? 1 : 0;
          // None is answered before all have been signed by the wrong clock.
          while (early < 4) co_await reactor.sleep_until(Clock::now() + 1ms);
          if (is_early) {
            co_await peer.answer("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", date);
          } else {
            co_await peer.answer("200 OK", "value");
          }
        }
      },
      "s3", aws::Protocol::rest_xml, policy);
  const auto one = [&](std::size_t) -> Task<void> {
    const ServiceAnswer answer = co_await service.client.send(get_call());
    CHECK(answer.response.body == "value");
  };
  const auto body = [&]() -> Task<void> { co_await for_each_bounded(4, 4, one); };
  with_service(reactor, service, body);
  CHECK(early == 4);
}

TEST_CASE("an answer that a cache kept does not set the clock", "[aws]") {
  ON_EACH_PORT(reactor);
  const auto now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
  aws::RetryPolicy policy = at_once();
  policy.wall_clock = [&] { return now; };
  Service service(reactor,
                  in_turn({xml_error("403 Forbidden\nAge: 7200\nDate: " + http_date(now - 2h),
                                     "RequestTimeTooSkewed")}),
                  "s3", aws::Protocol::rest_xml, policy);
  const auto body = [&]() -> Task<void> {
    const auto error = co_await error_of(service.client.send(get_call()));
    REQUIRE(error);
    CHECK(service.client.counters().requests == 1);
  };
  with_service(reactor, service, body);
}

namespace {

/// Other keys after each invalidation.
class Renewed final : public aws::CredentialsSource {
 public:
  Task<const aws::Credentials*> get(Wait) override {
    if (!fresh_) credentials_.access_key_id = "key-" + std::to_string(++generation);
    fresh_ = true;
    co_return &credentials_;
  }
  const aws::Credentials* peek() noexcept override { return fresh_ ? &credentials_ : nullptr; }
  void invalidate() noexcept override { fresh_ = false; }
  void use_clock(std::chrono::seconds ahead) noexcept override { clock_ahead = ahead; }
  int generation = 0;
  std::chrono::seconds clock_ahead{0};

 private:
  bool fresh_ = false;
  aws::Credentials credentials_ = test_credentials();
};

}  // namespace

TEST_CASE("an expired token is renewed once a call", "[aws]") {
  ON_EACH_PORT(reactor);
  const std::string expired =
      xml_error("400 Bad Request", "ExpiredToken", "<Token-0>" + kToken + "</Token-0>");
  std::vector<std::string> seen;
  Service service(reactor, in_turn({expired, kOk, expired, expired}, &seen));
  Renewed credentials;
  aws::ServiceClient client(reactor, service.http, credentials, service.endpoint("s3"),
                            aws::Protocol::rest_xml, at_once());
  const auto body = [&]() -> Task<void> {
    const ServiceAnswer answer = co_await client.send(get_call());
    CHECK(answer.response.body == "value");
    CHECK(credentials.generation == 2);
    CHECK(first_line(seen[1]).find("X-Amz-Credential=key-2%2F") != std::string::npos);
    const auto error = co_await error_of(client.send(get_call()));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::denied);
    CHECK(error->code() == "ExpiredToken");
    CHECK(!repeats_a_secret(error->message()));
    CHECK(credentials.generation == 3);
    CHECK(seen.size() == 4);
  };
  with_service(reactor, service, body);
}

TEST_CASE("of many requests with one expired token one renews it", "[aws]") {
  ON_EACH_PORT(reactor);
  int refused = 0;
  Service service(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      const bool is_expired = request->find("X-Amz-Credential=key-1%2F") != std::string::npos;
      const int place = is_expired ? refused++ : 0;
      // All are under way before the first is refused, and each is refused after the one before.
      while (refused < 4) co_await reactor.sleep_until(Clock::now() + 1ms);
      co_await reactor.sleep_until(Clock::now() + place * 5ms);
      if (is_expired) {
        co_await peer.answer("400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>");
      } else {
        co_await peer.answer("200 OK", "value");
      }
    }
  });
  Renewed credentials;
  aws::ServiceClient client(reactor, service.http, credentials, service.endpoint("s3"),
                            aws::Protocol::rest_xml, at_once());
  const auto one = [&](std::size_t) -> Task<void> {
    const ServiceAnswer answer = co_await client.send(get_call());
    CHECK(answer.response.body == "value");
  };
  const auto body = [&]() -> Task<void> { co_await for_each_bounded(4, 4, one); };
  with_service(reactor, service, body);
  CHECK(refused == 4);
  CHECK(credentials.generation == 2);
}

TEST_CASE("a HEAD that is refused without a reason gets a new token once", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> seen;
  Service service(
      reactor,
      in_turn({"400 Bad Request\n\n", kOk, "400 Bad Request\n\n", "400 Bad Request\n\n"}, &seen));
  Renewed credentials;
  aws::ServiceClient client(reactor, service.http, credentials, service.endpoint("s3"),
                            aws::Protocol::rest_xml, at_once());
  const auto body = [&]() -> Task<void> {
    Call call = get_call("HeadObject bucket/key");
    call.method = http::Method::head;
    co_await client.send(call);
    CHECK(credentials.generation == 2);
    const auto error = co_await error_of(client.send(call));
    REQUIRE(error);
    CHECK(error->message().find("credentials that have expired") != std::string::npos);
    CHECK(credentials.generation == 3);
    CHECK(seen.size() == 4);
  };
  with_service(reactor, service, body);
}

TEST_CASE("what ends when is told by the clock of a service that corrected ours (found 20)",
          "[aws]") {
  ON_EACH_PORT(reactor);
  const auto now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1) + 12h);
  const std::string date = "403 Forbidden\nDate: " + http_date(now - 2h);
  Server server(reactor, in_turn({xml_error(date, "RequestTimeTooSkewed"), kOk}));
  http::Client http(reactor);
  Renewed credentials;
  aws::RetryPolicy policy = at_once();
  policy.wall_clock = [&] { return now; };
  aws::Endpoint endpoint;
  endpoint.service = "s3";
  endpoint.region = "us-east-1";
  endpoint.origin = server.origin();
  endpoint.custom = true;
  aws::ServiceClient client(reactor, http, credentials, endpoint, aws::Protocol::rest_xml, policy);
  const auto body = [&]() -> Task<void> {
    co_await client.send(get_call());
    CHECK(credentials.clock_ahead == -2h);
  };
  with_client(reactor, http, server, body);
}
