// Error bodies of services, and of what stands between them and us.
#include "aws/service_error.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace std::chrono_literals;
using aws::Fault;
using aws::Protocol;

namespace {

http::Response answer(int status, std::string body, std::string headers = {}) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  response.header_block = std::move(headers);
  return response;
}

}  // namespace

TEST_CASE("errors are read from the bodies of S3, STS and DynamoDB", "[aws]") {
  const Fault s3 = aws::read_fault(
      answer(404,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchBucket</Code><Message>"
             "The specified bucket does not exist</Message><BucketName>b</BucketName>"
             "<RequestId>7</RequestId></Error>",
             "x-amz-request-id: 8\n"),
      Protocol::rest_xml);
  CHECK(s3.code == "NoSuchBucket");
  CHECK(s3.message == "The specified bucket does not exist");
  CHECK(s3.request_id == "8");

  const Fault sts = aws::read_fault(
      answer(
          403,
          "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender"
          "</Type><Code>AccessDenied</Code><Message>not authorized</Message></Error>"
          "<RequestId>9</RequestId></ErrorResponse>"),
      Protocol::query);
  CHECK(sts.code == "AccessDenied");
  CHECK(sts.message == "not authorized");
  CHECK(sts.request_id == "9");

  const Fault dynamodb = aws::read_fault(
      answer(400,
             R"({"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",)"
             R"("message":"The conditional\nrequest failed"})",
             "x-amzn-RequestId: A\n"),
      Protocol::json_1_0);
  CHECK(dynamodb.code == "ConditionalCheckFailedException");
  CHECK(dynamodb.message == "The conditional request failed");
  CHECK(dynamodb.request_id == "A");

  const Fault header = aws::read_fault(
      answer(400, R"({"Message":"m"})", "x-amzn-ErrorType: ValidationException:http://x/\n"),
      Protocol::json_1_0);
  CHECK(header.code == "ValidationException");
  CHECK(header.message == "m");
}

TEST_CASE("bodies that are none of a service leave the status", "[aws]") {
  const auto read = [](std::string body) {
    return aws::read_fault(answer(503, std::move(body)), Protocol::rest_xml);
  };
  CHECK(read("").code == "503");
  CHECK(read("").message.empty());
  CHECK(read("<html><head><title>503 Service\n Temporarily</title></head></html>").message ==
        "503 Service Temporarily");
  CHECK(read("<html><body>no title").message.empty());
  CHECK(read("upstream connect error").message == "upstream connect error");
  CHECK(read("<Error><Code>").code == "503");
  CHECK(read("<Error><Code>not a code</Code></Error>").code == "503");
  CHECK(read("<Error><Code>" + std::string(101, 'a') + "</Code></Error>").code == "503");
  CHECK(read("{\"__type\":").code == "503");
  CHECK(read("{\"__type\":7,\"message\":[]}").code == "503");
  CHECK(read("[1]").code == "503");
  CHECK(read(std::string("\0\xff\xfe", 3)).code == "503");
  const Fault long_one =
      read("<Error><Code>C</Code><Message>" + std::string(499, 'a') + "\xC3\xA4</Message></Error>");
  // GCC 14 takes what operator+ gives for out of bounds here.
  CHECK(long_one.message == std::string(499, 'a').append("..."));
}

TEST_CASE("kinds say what to do about an error", "[aws]") {
  const auto kind = [](const char* code, int status) {
    return aws::kind_of(Fault{code, {}, {}}, status);
  };
  CHECK(kind("AccessDenied", 403) == ErrorKind::denied);
  CHECK(kind("ExpiredTokenException", 400) == ErrorKind::denied);
  CHECK(kind("InvalidSignatureException", 400) == ErrorKind::denied);
  CHECK(kind("NoSuchBucket", 404) == ErrorKind::not_found);
  CHECK(kind("ResourceNotFoundException", 400) == ErrorKind::not_found);
  CHECK(kind("ConditionalCheckFailedException", 400) == ErrorKind::conflict);
  CHECK(kind("PreconditionFailed", 412) == ErrorKind::conflict);
  CHECK(kind("ProvisionedThroughputExceededException", 400) == ErrorKind::throttled);
  CHECK(kind("SlowDown", 503) == ErrorKind::throttled);
  CHECK(kind("ItemCollectionSizeLimitExceededException", 400) == ErrorKind::invalid);
  CHECK(kind("ValidationException", 400) == ErrorKind::invalid);
  CHECK(kind("PermanentRedirect", 301) == ErrorKind::invalid);
  CHECK(kind("InternalError", 500) == ErrorKind::disconnected);
  CHECK(kind("504", 504) == ErrorKind::timeout);
  CHECK(kind("413", 413) == ErrorKind::invalid);
  CHECK(kind("BadDigest", 400) == ErrorKind::corrupt);
}

TEST_CASE("failures are throttling, passing or final", "[aws]") {
  const auto failure = [](const char* code, int status) {
    return aws::failure_of(Fault{code, {}, {}}, status);
  };
  CHECK(failure("ThrottlingException", 400) == Failure::throttling);
  CHECK(failure("TransactionInProgressException", 400) == Failure::throttling);
  CHECK(failure("RequestLimitExceeded", 400) == Failure::throttling);
  CHECK(failure("429", 429) == Failure::throttling);
  CHECK(failure("InternalServerError", 500) == Failure::transient);
  CHECK(failure("503", 503) == Failure::transient);
  CHECK(failure("IDPCommunicationError", 400) == Failure::transient);
  CHECK(!failure("501", 501));
  CHECK(!failure("AccessDenied", 403));
  CHECK(!failure("NoSuchKey", 404));
}

TEST_CASE("dates and pauses of answers", "[aws]") {
  const auto date = aws::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT");
  REQUIRE(date);
  CHECK(*date == std::chrono::sys_days(std::chrono::year(2015) / 10 / 21) + 7h + 28min);
  for (const char* wrong : {"", "Wed, 21 Oct 2015 07:28:00 UTC", "Wed, 32 Oct 2015 07:28:00 GMT",
                            "Wed, 21 ctN 2015 07:28:00 GMT", "Wed, 21 Oct 2015 27:28:00 GMT",
                            "Wed, -1 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT"}) {
    CAPTURE(wrong);
    CHECK(!aws::parse_http_date(wrong));
  }
  const auto pause = [&](const char* header) {
    return aws::retry_after(answer(503, "", std::string(header) + "\n"), *date - 90s);
  };
  CHECK(pause("Retry-After: 7") == std::optional<Clock::duration>(7s));
  CHECK(pause("x-amz-retry-after: 1500") == std::optional<Clock::duration>(1500ms));
  CHECK(pause("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT") == std::optional<Clock::duration>(90s));
  CHECK(pause("Retry-After: Wed, 21 Oct 2015 07:20:00 GMT") == std::nullopt);
  CHECK(pause("Retry-After: soon") == std::nullopt);
  CHECK(pause("Retry-After: 99999999999999") == std::optional<Clock::duration>(24h));
  CHECK(pause("x: y") == std::nullopt);
}

TEST_CASE("dates of answers that are centuries away can be computed with (found 22)", "[aws]") {
  const auto first = aws::parse_http_date("Mon, 01 Jan 0001 00:00:00 GMT");
  const auto last = aws::parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT");
  REQUIRE((first && last));
  const auto now = std::chrono::system_clock::now();
  CHECK(*first < now - 24h * 365 * 50);
  CHECK(*last > now + 24h * 365 * 100);
  CHECK(*last - *first > 24h * 365 * 200);
  const auto answered = answer(503, "", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\n");
  CHECK(aws::retry_after(answered, now) == std::optional<Clock::duration>(24h));
}
