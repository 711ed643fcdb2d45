// Signatures and errors before real servers: what they accept is what counts.
#include <unistd.h>

#include <array>

#include "aws/checksum.hpp"
#include "aws/open_service.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace unum::test;
using aws::Call;
using aws::ServiceAnswer;

namespace {

void use_test_keys(EnvironmentGuard& environment) {
  environment.set("AWS_ACCESS_KEY_ID", "unum-test");
  environment.set("AWS_SECRET_ACCESS_KEY", "unum-test-secret");
  environment.set("AWS_REGION", "us-east-1");
}

/// Runs a body with an open service, which is closed in any case.
template <class Body>
void with_service(Reactor& reactor, std::string_view service, aws::Protocol protocol, Body body) {
  const auto all = [&]() -> Task<void> {
    aws::OpenService opened = co_await aws::open_service(reactor, service, protocol, 4);
    std::exception_ptr failed;
    try {
      co_await body(opened);
    } catch (...) {
      failed = std::current_exception();
    }
    co_await opened.close();
    if (failed) std::rethrow_exception(failed);
  };
  reactor.run(all());
}

Call s3_call(http::Method method, std::string_view path) {
  Call call;
  call.method = method;
  call.path = path;
  call.signing = aws::Signing::query;
  call.what = "the test";
  return call;
}

}  // namespace

TEST_CASE("a real S3 server accepts what is signed in the query and in headers", "[aws]") {
  const char* url = std::getenv("UNUM_TEST_S3");
  if (url == nullptr) UNUM_SKIP("UNUM_TEST_S3 is not set: no S3 server");
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  use_test_keys(environment);
  environment.set("AWS_ENDPOINT_URL_S3", url);
  const std::string bucket =
      "/aws-real-" + std::to_string(::getpid()) + (backend == Backend::uring ? "-u" : "-e");
  const std::string key = bucket + "/a%20b/c%2Bd%24%C3%A4";
  const auto body = [&](aws::OpenService& opened) -> Task<void> {
    aws::ServiceClient& s3 = *opened.service;
    co_await s3.send(s3_call(http::Method::put, bucket));
    const std::vector<std::string> headers{"if-none-match: *"};
    const std::string_view expected[] = {"PreconditionFailed", "NoSuchKey", "404"};
    Call put = s3_call(http::Method::put, key);
    put.headers = headers;
    put.body = "value";
    put.expected = expected;
    const ServiceAnswer first = co_await s3.send(put);
    CHECK(first.error_code.empty());
    const ServiceAnswer second = co_await s3.send(put);
    CHECK(second.error_code == "PreconditionFailed");
    for (const aws::Signing signing : {aws::Signing::query, aws::Signing::header}) {
      Call get = s3_call(http::Method::get, key);
      get.signing = signing;
      const ServiceAnswer value = co_await s3.send(get);
      CHECK(value.response.body == "value");
      Call list = s3_call(http::Method::get, bucket);
      list.signing = signing;
      list.query = "list-type=2&prefix=a%20b%2F";
      const ServiceAnswer listed = co_await s3.send(list);
      CHECK(listed.response.body.find("<KeyCount>1</KeyCount>") != std::string::npos);
    }
    const std::string missing = bucket + "/missing";
    Call head = s3_call(http::Method::head, missing);
    head.expected = expected;
    const ServiceAnswer absent = co_await s3.send(head);
    CHECK(absent.error_code == "404");
    const std::string nowhere = bucket + "-nowhere/key";
    const auto no_bucket = co_await error_of(s3.send(s3_call(http::Method::get, nowhere)));
    REQUIRE(no_bucket);
    CHECK(no_bucket->kind() == ErrorKind::not_found);
    CHECK(no_bucket->code() == "NoSuchBucket");
    CHECK(s3.counters().retries == 0);
  };
  with_service(reactor, "s3", aws::Protocol::rest_xml, body);
  environment.set("AWS_SECRET_ACCESS_KEY", kSecret);
  const auto refused = [&](aws::OpenService& opened) -> Task<void> {
    for (const aws::Signing signing : {aws::Signing::query, aws::Signing::header}) {
      Call get = s3_call(http::Method::get, key);
      get.signing = signing;
      const auto error = co_await error_of(opened.service->send(get));
      REQUIRE(error);
      CHECK(error->kind() == ErrorKind::denied);
      CHECK(!repeats_a_secret(error->message()));
    }
  };
  with_service(reactor, "s3", aws::Protocol::rest_xml, refused);
}

TEST_CASE("DynamoDB Local accepts what is signed in headers, and its errors are understood",
          "[aws]") {
  const char* url = std::getenv("UNUM_TEST_DYNAMODB");
  if (url == nullptr) UNUM_SKIP("UNUM_TEST_DYNAMODB is not set: no DynamoDB server");
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  use_test_keys(environment);
  environment.set("AWS_ACCESS_KEY_ID", "unumtest");  // it takes letters and digits only
  environment.set("AWS_ENDPOINT_URL_DYNAMODB", url);
  const auto body = [&](aws::OpenService& opened) -> Task<void> {
    const auto call = [](const std::vector<std::string>& headers, std::string_view text) {
      Call made;
      made.method = http::Method::post;
      made.path = "/";
      made.headers = headers;
      made.body = text;
      made.what = "the test";
      return made;
    };
    const std::vector<std::string> list{"content-type: application/x-amz-json-1.0",
                                        "x-amz-target: DynamoDB_20120810.ListTables"};
    const ServiceAnswer listed = co_await opened.service->send(call(list, "{}"));
    CHECK(listed.response.body.find("\"TableNames\"") != std::string::npos);
    const std::vector<std::string> describe{"content-type: application/x-amz-json-1.0",
                                            "x-amz-target: DynamoDB_20120810.DescribeTable"};
    const auto error = co_await error_of(
        opened.service->send(call(describe, "{\"TableName\":\"not-there-at-all\"}")));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::not_found);
    CHECK(error->code() == "ResourceNotFoundException");
    CHECK(error->message().find("request ") != std::string::npos);
  };
  with_service(reactor, "dynamodb", aws::Protocol::json_1_0, body);
}

TEST_CASE("a real DynamoDB sends a checksum along, and it is that of the body", "[aws]") {
  const char* url = std::getenv("UNUM_TEST_DYNAMODB");
  if (url == nullptr) UNUM_SKIP("UNUM_TEST_DYNAMODB is not set: no DynamoDB");
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  use_test_keys(environment);
  environment.set("AWS_ACCESS_KEY_ID", "unumtest");  // DynamoDB Local takes letters and digits only
  environment.set("AWS_ENDPOINT_URL_DYNAMODB", url);
  with_service(
      reactor, "dynamodb", aws::Protocol::json_1_0, [](aws::OpenService& opened) -> Task<void> {
        const std::array<std::string, 2> headers = {"content-type: application/x-amz-json-1.0",
                                                    "x-amz-target: DynamoDB_20120810.ListTables"};
        Call call;
        call.method = http::Method::post;
        call.path = "/";
        call.headers = headers;
        call.body = R"({"Limit":1})";
        call.what = "ListTables";
        ServiceAnswer answer = co_await opened.service->send(call);
        REQUIRE(!answer.response.header("x-amz-crc32").empty());
        CHECK(aws::matches_checksum(answer.response));
        answer.response.body.back() = '!';
        CHECK(!aws::matches_checksum(answer.response));
      });
}
