// Calls of a service: what is sent, what is repeated, what is thrown.
#include "aws/service_client.hpp"

#include "aws/sigv4.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;
using aws::Call;
using aws::ServiceAnswer;

namespace {

const std::string kSlowDown =
    "503 Slow Down\nx-amz-request-id: R1\n\n<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code>"
    "<Message>Please reduce your request rate.</Message></Error>";

}  // namespace

TEST_CASE("a GET carries its signature in the query, and nothing in headers", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> seen;
  Service service(reactor, in_turn({kOk}, &seen));
  const auto body = [&]() -> Task<void> {
    Call call = get_call();
    call.query = "list-type=2";
    const ServiceAnswer answer = co_await service.client.send(call);
    CHECK(answer.error_code.empty());
    CHECK(answer.response.body == "value");
    REQUIRE(seen.size() == 1);
    CHECK(first_line(seen[0]).starts_with("GET /bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&"));
    CHECK(first_line(seen[0]).find("&X-Amz-SignedHeaders=host&list-type=2&X-Amz-Signature=") !=
          std::string::npos);
    CHECK(header_of(seen[0], "authorization").empty());
    CHECK(header_of(seen[0], "x-amz-date").empty());
    CHECK(service.client.counters().requests == 1);
    CHECK(service.client.counters().retries == 0);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a body that is not protected by TLS is hashed, and its signature stands in headers",
          "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> seen;
  Service service(reactor, in_turn({kOk}, &seen));
  const auto body = [&]() -> Task<void> {
    const std::vector<std::string> headers{"if-none-match: *", "content-type: text/plain"};
    Call call = get_call();
    call.method = http::Method::put;
    call.headers = headers;
    call.body = "value";
    call.unsigned_payload = true;
    co_await service.client.send(call);
    REQUIRE(seen.size() == 1);
    CHECK(first_line(seen[0]) == "PUT /bucket/key HTTP/1.1");
    CHECK(header_of(seen[0], "x-amz-content-sha256") == aws::sha256_hex("value"));
    CHECK(header_of(seen[0], "x-amz-security-token") == kToken);
    CHECK(header_of(seen[0], "if-none-match") == "*");
    CHECK(header_of(seen[0], "authorization")
              .find("SignedHeaders=content-type;host;if-none-match;x-amz-content-sha256;x-amz-date;"
                    "x-amz-security-token, ") != std::string::npos);
    CHECK(body_of(seen[0]) == "value");
  };
  with_service(reactor, service, body);
}

TEST_CASE("the path of a custom endpoint stands before the call's, signed with it", "[aws]") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> seen;
  Service service(reactor, in_turn({kOk}, &seen));
  aws::Endpoint endpoint = service.endpoint("dynamodb");
  endpoint.base_path = "/gateway";
  service.client.set_endpoint(endpoint);
  const auto body = [&]() -> Task<void> {
    Call call;
    call.method = http::Method::post;
    call.path = "/";
    call.query = "a=b";
    call.body = "{}";
    call.what = "GetItem table";
    co_await service.client.send(call);
    REQUIRE(seen.size() == 1);
    CHECK(first_line(seen[0]) == "POST /gateway/?a=b HTTP/1.1");
    CHECK(header_of(seen[0], "authorization").find("/us-east-1/dynamodb/aws4_request") !=
          std::string::npos);
    CHECK(header_of(seen[0], "x-amz-content-sha256").empty());
  };
  with_service(reactor, service, body);
}

TEST_CASE("expected errors are returned, others are thrown with all there is to say", "[aws]") {
  ON_EACH_PORT(reactor);
  Service service(reactor, in_turn({xml_error("404 Not Found", "NoSuchKey"), "404 Not Found\n\n",
                                    xml_error("403 Forbidden", "AccessDenied"),
                                    "404 Not Found\nx-amz-request-id: R9\n\n"}));
  const auto body = [&]() -> Task<void> {
    const std::string_view expected[] = {"NoSuchKey", "404"};
    Call call = get_call();
    call.expected = expected;
    const ServiceAnswer missing = co_await service.client.send(call);
    CHECK(missing.error_code == "NoSuchKey");
    CHECK(missing.response.status == 404);
    const ServiceAnswer bare = co_await service.client.send(call);
    CHECK(bare.error_code == "404");
    const auto denied = co_await error_of(service.client.send(call));
    REQUIRE(denied);
    CHECK(denied->kind() == ErrorKind::denied);
    CHECK(denied->origin() == "s3");
    CHECK(denied->code() == "AccessDenied");
    CHECK(denied->message() ==
          "GetObject bucket/key: AccessDenied: said the service (HTTP 403, "
          "request R2, s3 in us-east-1 at " +
              service.server.origin() + "); credentials used: test");
    call.expected = {};
    const auto not_found = co_await error_of(service.client.send(call));
    REQUIRE(not_found);
    CHECK(not_found->kind() == ErrorKind::not_found);
    CHECK(not_found->message() ==
          "GetObject bucket/key: HTTP 404 (request R9, s3 in us-east-1 at " +
              service.server.origin() + ")");
    CHECK(service.client.counters().requests == 4);
  };
  with_service(reactor, service, body);
}

TEST_CASE("what a pause mends is repeated, three attempts in all", "[aws]") {
  ON_EACH_PORT(reactor);
  struct Case {
    std::string fault;
    ErrorKind kind;
  };
  const std::vector<Case> cases = {
      {kSlowDown, ErrorKind::throttled},
      {xml_error("500 Internal Server Error", "InternalError"), ErrorKind::disconnected},
      {"502 Bad Gateway\n\n", ErrorKind::disconnected},
      {"504 Gateway Timeout\n\n<html><title>504 Gateway Time-out</title></html>",
       ErrorKind::timeout},
      {"429 Too Many Requests\n\n", ErrorKind::throttled},
      {xml_error("409 Conflict", "ConditionalRequestConflict"), ErrorKind::conflict},
      {xml_error("400 Bad Request", "RequestTimeout"), ErrorKind::timeout}};
  const auto index = GENERATE(range<std::size_t>(0, 7));
  const std::string& fault = cases[index].fault;
  CAPTURE(fault);
  Service service(reactor, in_turn({fault, fault, kOk, fault}));
  const auto body = [&]() -> Task<void> {
    const std::string_view retried[] = {"ConditionalRequestConflict"};
    Call call = get_call();
    call.retried = retried;
    const ServiceAnswer answer = co_await service.client.send(call);
    CHECK(answer.response.body == "value");
    CHECK(service.client.counters().retries == 2);
    const auto error = co_await error_of(service.client.send(call));
    REQUIRE(error);
    CHECK(service.client.counters().requests == 6);
    CHECK(error->message().find(", 3 attempts: ") != std::string::npos);
    CHECK(error->kind() == cases[index].kind);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a lost connection is repeated, and named when it stays lost", "[aws]") {
  ON_EACH_PORT(reactor);
  int cuts = 2;
  Service service(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      if (cuts > 0) {
        --cuts;
        co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        peer.close();
        co_return;
      }
      co_await peer.answer("200 OK", "value");
    }
  });
  const auto body = [&]() -> Task<void> {
    const Call call = get_call();
    const ServiceAnswer answer = co_await service.client.send(call);
    CHECK(answer.response.body == "value");
    cuts = 1000;
    const auto error = co_await error_of(service.client.send(call));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::disconnected);
    CHECK(error->origin() == "s3");
    CHECK(error->message().find("GetObject bucket/key, 3 attempts: ") == 0);
    CHECK(error->message().find("X-Amz-") == std::string::npos);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a damaged answer of DynamoDB is asked for again, and named when it stays damaged",
          "[aws]") {
  ON_EACH_PORT(reactor);
  // The CRC-32 of "123456789", the check value of its definition, is 0xCBF43926 = 3421780262.
  const std::string sound = "200 OK\nx-amz-crc32: 3421780262\n\n123456789";
  const std::string damaged =
      "200 OK\nX-Amz-Crc32: 3421780262\nx-amzn-RequestId: R-17\n\n123456780";
  Call call;
  call.method = http::Method::post;
  call.path = "/";
  call.body = "{}";
  call.what = "BatchGetItem orders, 100 keys";
  const auto ask = [&](std::vector<std::string> answers, aws::Protocol protocol, auto check) {
    std::vector<std::string> seen;
    Service service(reactor, in_turn(std::move(answers), &seen), "dynamodb", protocol);
    const auto body = [&]() -> Task<void> {
      std::optional<ServiceAnswer> answer;
      std::optional<Error> error;
      try {
        answer = co_await service.client.send(call);
      } catch (const Error& thrown) {
        error = thrown;
      }
      check(answer, error, seen.size());
    };
    with_service(reactor, service, body);
  };
  const auto is_sound = [](std::size_t requests) {
    return [requests](const auto& answer, const auto& error, std::size_t asked) {
      CHECK(!error);
      REQUIRE(answer);
      CHECK(answer->response.body == "123456789");
      CHECK(asked == requests);
    };
  };
  ask({sound}, aws::Protocol::json_1_0, is_sound(1));
  ask({damaged, sound}, aws::Protocol::json_1_0, is_sound(2));
  ask({"200 OK\nx-amz-crc32: 3421780262x\n\n123456789", sound}, aws::Protocol::json_1_0,
      is_sound(2));
  ask({"200 OK\nx-amz-crc32: 99993421780262\n\n123456789", sound}, aws::Protocol::json_1_0,
      is_sound(2));
  ask({"200 OK\n\n123456789"}, aws::Protocol::json_1_0, is_sound(1));
  ask({damaged}, aws::Protocol::json_1_0,
      [](const auto& answer, const auto& error, std::size_t asked) {
        CHECK(!answer);
        REQUIRE(error);
        CHECK(asked == 3);
        CHECK(error->kind() == ErrorKind::corrupt);
        CHECK(error->origin() == "dynamodb");
        CHECK(error->code() == "Unum.BadChecksum");
        for (const char* named : {"BatchGetItem orders, 100 keys", "3 attempts", "9 bytes",
                                  "checksum", "request R-17", "dynamodb in us-east-1"}) {
          INFO(error->message() << " should name " << named);
          CHECK(error->message().find(named) != std::string::npos);
        }
      });
}

TEST_CASE("a sink that got something is not begun again", "[aws]") {
  ON_EACH_PORT(reactor);
  Service service(reactor, [&](Peer& peer) -> Task<void> {
    co_await peer.read_request();
    co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    peer.close();
  });
  const auto body = [&]() -> Task<void> {
    std::string got;
    Call call = get_call();
    call.sink = [&](std::span<const std::byte> bytes) {
      got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return true;
    };
    const auto error = co_await error_of(service.client.send(call));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::disconnected);
    CHECK(got == "half");
    CHECK(service.client.counters().requests == 1);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a storm of throttling ends before the deadline, as throttling", "[aws]") {
  ON_EACH_PORT(reactor);
  aws::RetryPolicy policy;
  policy.attempts_max = 100;
  policy.random = [] { return 1.0; };  // a second, two, four, ...
  Service service(reactor, in_turn({kSlowDown}), "s3", aws::Protocol::rest_xml, policy);
  const auto body = [&]() -> Task<void> {
    const Call call = get_call();
    const Deadline deadline = Clock::now() + 400ms;
    const auto error = co_await error_of(service.client.send(call, Wait{deadline}));
    CHECK(Clock::now() < deadline);
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::throttled);
    CHECK(error->code() == "SlowDown");
    CHECK(service.client.counters().requests == 1);
  };
  with_service(reactor, service, body);
}

TEST_CASE("the pause that a service asks for is kept, or not waited for at all", "[aws]") {
  ON_EACH_PORT(reactor);
  Service service(reactor, in_turn({"503 Service Unavailable\nRetry-After: 3600\n\n",
                                    "503 Service Unavailable\nx-amz-retry-after: 60\n\n", kOk}));
  const auto body = [&]() -> Task<void> {
    const Call call = get_call();
    const auto error = co_await error_of(service.client.send(call, Wait{soon(60'000)}));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::throttled);
    CHECK(service.client.counters().requests == 1);
    const auto before = Clock::now();
    const ServiceAnswer answer = co_await service.client.send(call, Wait{soon(60'000)});
    CHECK(answer.response.body == "value");
    CHECK(Clock::now() - before >= 60ms);
  };
  with_service(reactor, service, body);
}

TEST_CASE("calls share a quota of retries: an outage is told at once", "[aws]") {
  ON_EACH_PORT(reactor);
  Service service(reactor, in_turn({xml_error("500 Internal Server Error", "InternalError")}));
  const auto body = [&]() -> Task<void> {
    for (int i = 0; i < 100; ++i) co_await error_of(service.client.send(get_call()));
    // 500 tokens pay for 35 retries at 14 each.
    CHECK(service.client.counters().requests == 135);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a stop ends the pause between attempts", "[aws]") {
  ON_EACH_PORT(reactor);
  aws::RetryPolicy policy;
  policy.random = [] { return 1.0; };
  StopSource stop;
  Service service(
      reactor,
      [&](Peer& peer) -> Task<void> {
        co_await peer.read_request();
        co_await peer.answer("503 Slow Down", "");
        // The answer is on its way; the stop comes while or before the client pauses.
        stop.request("enough");
        co_await peer.until_gone();
      },
      "s3", aws::Protocol::rest_xml, policy);
  const auto body = [&]() -> Task<void> {
    const auto error =
        co_await error_of(service.client.send(get_call(), Wait{far_away(), stop.token()}));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::cancelled);
    CHECK(error->message().starts_with("GetObject bucket/key"));
  };
  with_service(reactor, service, body);
}

TEST_CASE("an error in an answer of success counts as an error", "[aws]") {
  ON_EACH_PORT(reactor);
  Service service(reactor,
                  in_turn({"200 OK\n\n<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError"
                           "</Code><Message>again</Message></Error>",
                           "200 OK\n\n<CompleteMultipartUploadResult/>"}));
  const auto body = [&]() -> Task<void> {
    Call call = get_call("CompleteMultipartUpload bucket/key");
    call.method = http::Method::post;
    call.query = "uploadId=1";
    call.signing = aws::Signing::header;
    const ServiceAnswer answer = co_await service.client.send(call);
    CHECK(answer.response.body == "<CompleteMultipartUploadResult/>");
    CHECK(service.client.counters().requests == 2);
  };
  with_service(reactor, service, body);
}

TEST_CASE("a slow read is asked for a second time, and the first answer counts", "[aws]") {
  ON_EACH_PORT(reactor);
  aws::RetryPolicy policy = at_once();
  policy.hedge_after = 20ms;
  std::size_t requests = 0;
  Service service(
      reactor,
      [&](Peer& peer) -> Task<void> {
        while (const auto request = co_await peer.read_request()) {
          if (++requests == 1) {
            co_await peer.until_gone();  // never answered
            co_return;
          }
          co_await peer.answer("200 OK", "value");
        }
      },
      "s3", aws::Protocol::rest_xml, policy);
  const auto body = [&]() -> Task<void> {
    Call call = get_call();
    call.may_hedge = true;
    const ServiceAnswer answer = co_await service.client.send(call, Wait{far_away()});
    CHECK(answer.response.body == "value");
    CHECK(service.client.counters().hedges == 1);
    CHECK(requests == 2);
    // What is answered in time is asked for once.
    co_await service.client.send(call, Wait{far_away()});
    CHECK(requests == 3);
    // And what must not be hedged is not.
    CHECK(service.client.counters().hedges == 1);
  };
  with_service(reactor, service, body);
}

TEST_CASE("requests under way go on when the endpoint changes", "[aws]") {
  ON_EACH_PORT(reactor);
  std::optional<aws::ServiceClient*> client;
  Service service(reactor, [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      aws::Endpoint other = (*client)->endpoint();
      other.region = "eu-central-1";
      (*client)->set_endpoint(other);
      co_await peer.answer("200 OK", first_line(*request));
    }
  });
  client = &service.client;
  const auto body = [&]() -> Task<void> {
    const ServiceAnswer first = co_await service.client.send(get_call());
    CHECK(first.response.body.find("%2Fus-east-1%2Fs3") != std::string::npos);
    const ServiceAnswer second = co_await service.client.send(get_call());
    CHECK(second.response.body.find("%2Feu-central-1%2Fs3") != std::string::npos);
  };
  with_service(reactor, service, body);
}

TEST_CASE("no error repeats a secret, whatever the service echoes", "[aws]") {
  ON_EACH_PORT(reactor);
  const std::string secrets = kSecret + " " + kToken;
  const std::vector<std::string> faults = {
      "403 Forbidden\n\n<Error><Code>SignatureDoesNotMatch</Code><Message>" + secrets +
          "</Message><StringToSign>" + secrets + "</StringToSign></Error>",
      "403 Forbidden\n\n<Error><Code>AccessDenied</Code><Message>" + secrets + "</Message></Error>",
      "400 Bad Request\n\n{\"__type\":\"x#InvalidSignatureException\",\"message\":\"The Canonical "
      "String for this request should have been\\n'" +
          secrets + "'\"}",
      "400 Bad Request\n\n{\"__type\":\"x#ValidationException\",\"message\":\"" + secrets + "\"}",
      "500 Internal Server Error\n\n<html><title>" + secrets + "</title></html>",
      "400 Bad Request\nx-amz-request-id: " + secrets + "\n\n" + secrets,
      "301 Moved\nx-amz-bucket-region: " + secrets + "\n\n"};
  const std::string& fault = faults[GENERATE(range<std::size_t>(0, 7))];
  CAPTURE(fault);
  Service service(reactor, in_turn({fault}));
  const auto body = [&]() -> Task<void> {
    for (const aws::Signing signing : {aws::Signing::query, aws::Signing::header}) {
      Call call = get_call();
      call.signing = signing;
      const auto error = co_await error_of(service.client.send(call));
      REQUIRE(error);
      INFO(error->message());
      CHECK(!repeats_a_secret(error->message()));
      CHECK(!repeats_a_secret(error->code()));
      CHECK(error->message().find("GetObject bucket/key") == 0);
    }
  };
  with_service(reactor, service, body);
}
