// The S3 store against a server that answers as a test wants: refusals, redirects, conflicts, and
// answers that are not to be trusted.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "conformance/stores_under_test.hpp"
#include "s3_server.hpp"
#include "support/fixtures.hpp"
#include "unit/reactor/http_server.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using unum::test::first_line;
using Status = WriteResult::Status;

namespace {

const ItemId kOutcomeF{"F", ItemKind::outcome};

struct Answer {
  std::string status = "200 OK";
  std::string body{};
  std::string headers{};
};

std::string error_body(const std::string& code, const std::string& more = {}) {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>told by the test" +
         "</Message>" + more + "</Error>";
}

const Answer kLost{"412 Precondition Failed", error_body("PreconditionFailed")};
const Answer kConflict{"409 Conflict", error_body("ConditionalRequestConflict")};
const Answer kNoSuchKey{"404 Not Found", error_body("NoSuchKey")};

/// A server that hands each request to a function, and remembers the requests.
struct FakeS3 {
  using Reply = std::function<Answer(const std::string& request)>;

  Reply reply;
  /// Which requests are never answered.
  std::function<bool(const std::string& request)> silent;
  bool keep_alive = true;
  std::vector<std::string> requests;
  test::Server server;

  FakeS3(Reactor& reactor, Reply answer_with)
      : reply(std::move(answer_with)),
        server(reactor, [this](test::Peer& peer) { return serve(peer); }) {
    test::use_s3_at(server.origin());
    // Errors are told at once: no repetition hides how often the store itself asked.
    ::setenv("AWS_MAX_ATTEMPTS", "1", 1);
  }
  ~FakeS3() { ::unsetenv("AWS_MAX_ATTEMPTS"); }

  Task<void> serve(test::Peer& peer) {
    while (true) {
      const std::optional<std::string> request = co_await peer.read_request();
      if (!request) co_return;
      requests.push_back(*request);
      if (silent && silent(*request)) {
        co_await peer.until_gone();
        co_return;
      }
      const Answer answer = reply(*request);
      std::string headers = answer.headers;
      if (!keep_alive) headers += "Connection: close\r\n";
      const bool head = request->starts_with("HEAD ");
      const std::string_view body = head ? std::string_view() : std::string_view(answer.body);
      const bool sent = co_await peer.answer(answer.status, body, headers);
      if (!sent || !keep_alive) co_return;
    }
  }

  /// How many requests begin with the method and hold the text in their first line.
  std::size_t count(const std::string& method, const std::string& text = {}) const {
    std::size_t found = 0;
    for (const std::string& request : requests) {
      const std::string line = first_line(request);
      if (line.starts_with(method + " ") && line.find(text) != std::string::npos) ++found;
    }
    return found;
  }
};

bool is(const std::string& request, const std::string& method, const std::string& text) {
  const std::string line = first_line(request);
  return line.starts_with(method + " ") && line.find(text) != std::string::npos;
}

/// Answers the probe as a bucket that writes on condition, the rest by `other`.
FakeS3::Reply supporting(FakeS3::Reply other) {
  return [other = std::move(other)](const std::string& request) {
    return is(request, "PUT", ".unum-probe") ? kLost : other(request);
  };
}

std::unique_ptr<Store> open_fake(Reactor& reactor) {
  return reactor.run(open_store(reactor, "s3", "bucket/prefix"));
}

bool has(const Error& error, std::string_view text) {
  return error.message().find(text) != std::string::npos;
}

/// Closes the store, if any, and the server.
void end(Reactor& reactor, FakeS3& fake, Store* store) {
  if (store != nullptr) reactor.run(store->close());
  reactor.run(fake.server.stop());
}

}  // namespace

TEST_CASE("a bucket that ignores the condition is refused when it is opened") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, [](const std::string&) { return Answer{}; });
  const Error error = test::error_of(reactor, open_store(reactor, "s3", "bucket"));
  CHECK(error.kind() == ErrorKind::invalid);
  CHECK(error.code() == "Unum.NoConditionalWrites");
  CHECK(has(error, "bucket"));
  CHECK(has(error, "overwr"));
  CHECK(has(error, "fan-in"));
  CHECK(fake.requests.size() == 2);
  for (const std::string& request : fake.requests) {
    CHECK(is(request, "PUT", "/bucket/.unum-probe "));
    CHECK(test::header_of(request, "if-none-match") == "*");
  }
  end(reactor, fake, nullptr);
}

TEST_CASE("a bucket that refuses the condition is refused, too") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, [](const std::string&) {
    return Answer{"501 Not Implemented", error_body("NotImplemented")};
  });
  const Error error = test::error_of(reactor, open_store(reactor, "s3", "bucket"));
  CHECK(error.code() == "Unum.NoConditionalWrites");
  CHECK(fake.requests.size() == 1);
  end(reactor, fake, nullptr);
}

TEST_CASE("a bucket of another region is followed there") {
  ON_EACH_PORT(reactor);
  const auto way = GENERATE(0, 1, 2);
  FakeS3 fake(reactor, [way](const std::string& request) {
    if (test::header_of(request, "authorization").find("/eu-west-1/s3/") != std::string::npos)
      return kLost;
    if (way == 0) {
      return Answer{"301 Moved Permanently", error_body("PermanentRedirect"),
                    "x-amz-bucket-region: eu-west-1\r\n"};
    }
    if (way == 1) {
      return Answer{"307 Temporary Redirect", error_body("TemporaryRedirect"),
                    "x-amz-bucket-region: eu-west-1\r\n"};
    }
    return Answer{"400 Bad Request",
                  error_body("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")};
  });
  const std::unique_ptr<Store> store = open_fake(reactor);
  CHECK(fake.requests.size() == 2);
  end(reactor, fake, store.get());
}

TEST_CASE("a bucket is made unless it is known to be there") {
  ON_EACH_PORT(reactor);
  struct Case {
    const char* head;
    const char* header;
    bool made;
  };
  const Case given =
      GENERATE(Case{"404 Not Found", "", true}, Case{"400 Bad Request", "", true},
               Case{"301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n", false},
               Case{"200 OK", "", false});
  CAPTURE(given.head);
  FakeS3 fake(reactor, [&](const std::string& request) {
    if (request.starts_with("HEAD ")) return Answer{given.head, "", given.header};
    return Answer{"200 OK", ""};
  });
  CHECK(reactor.run(create_store(reactor, "s3", "bucket")) == given.made);
  CHECK(fake.requests.size() == (given.made ? 2 : 1));
  end(reactor, fake, nullptr);
}

TEST_CASE("a redirect that leads nowhere is explained") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, [n = 0](const std::string&) mutable {
    const std::string region = n++ % 2 == 0 ? "eu-west-1" : "us-east-1";
    return Answer{"301 Moved Permanently", error_body("PermanentRedirect"),
                  "x-amz-bucket-region: " + region + "\r\n"};
  });
  const Error error = test::error_of(reactor, open_store(reactor, "s3", "bucket"));
  CHECK(error.kind() == ErrorKind::invalid);
  CHECK(error.code() == "PermanentRedirect");
  CHECK(has(error, "AWS_REGION"));
  CHECK(fake.requests.size() == 3);
  end(reactor, fake, nullptr);
}

TEST_CASE("a bucket that may not be written is denied, with the permission that is missing") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, [](const std::string&) {
    return Answer{"403 Forbidden", error_body("AccessDenied"), "x-amz-request-id: R-17\r\n"};
  });
  const Error error = test::error_of(reactor, open_store(reactor, "s3", "bucket/p"));
  CHECK(error.kind() == ErrorKind::denied);
  CHECK(has(error, "s3:bucket/p"));
  CHECK(has(error, "s3:PutObject"));
  CHECK(has(error, "R-17"));
  end(reactor, fake, nullptr);
}

TEST_CASE("a read that is denied says what S3 answers for absent objects") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, supporting([](const std::string&) {
                return Answer{"403 Forbidden", error_body("AccessDenied")};
              }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s");
  const Error read = test::error_of(reactor, store->get(context, kOutcomeF));
  CHECK(read.kind() == ErrorKind::denied);
  CHECK(has(read, "s3:ListBucket"));
  const Error check =
      test::error_of(reactor, check_value_exist(*store, context, pointer(context, "F")));
  CHECK(check.kind() == ErrorKind::denied);
  CHECK(has(check, "s3:ListBucket"));
  end(reactor, fake, store.get());
}

TEST_CASE("a write in conflict with another is tried again, and adopts what is there") {
  ON_EACH_PORT(reactor);
  const auto found = GENERATE(false, true);
  std::size_t writes = 0;
  FakeS3 fake(reactor, supporting([&](const std::string& request) {
                if (is(request, "PUT", "F-output.json")) return ++writes < 3 ? kConflict : Answer{};
                return found && writes == 2 ? Answer{"200 OK", "\"theirs\""} : kNoSuchKey;
              }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s").bound_to("F");
  const WriteResult result = reactor.run(write_return_value(*store, context, "\"mine\""));
  CHECK(result.status == (found ? Status::already_there : Status::written));
  CHECK(result.stored == (found ? "\"theirs\"" : ""));
  CHECK(writes == (found ? 2 : 3));
  end(reactor, fake, store.get());
}

TEST_CASE("a lost write is known by its status, whatever the code or without a body (found 17)") {
  ON_EACH_PORT(reactor);
  const Answer lost = GENERATE(Answer{"409 Conflict", error_body("OperationAborted")},
                               Answer{"409 Conflict"}, Answer{"412 Precondition Failed"},
                               Answer{"412 Precondition Failed", error_body("ObjectAlreadyExists")},
                               kLost, kConflict);
  const Answer absent =
      GENERATE(Answer{"404 Not Found"}, Answer{"404 Not Found", error_body("NoSuchObject")});
  CAPTURE(lost.status, lost.body, absent.body);
  std::size_t writes = 0;
  FakeS3 fake(reactor, [&](const std::string& request) {
    if (is(request, "PUT", ".unum-probe")) return lost;
    if (is(request, "PUT", "F-output.json")) return ++writes < 3 ? lost : Answer{};
    return writes == 2 && is(request, "GET", "") ? Answer{"200 OK", "\"theirs\""} : absent;
  });
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s").bound_to("F");
  const ItemId other{"G", ItemKind::outcome};
  CHECK(!reactor.run(store->get(context, other)));
  const WriteResult result = reactor.run(write_return_value(*store, context, "\"mine\""));
  CHECK(result.status == Status::already_there);
  CHECK(result.stored == "\"theirs\"");
  CHECK(writes == 2);
  end(reactor, fake, store.get());
}

TEST_CASE("the completion of an upload in parts is lost by the same answers (found 17)") {
  ON_EACH_PORT(reactor);
  const Answer lost =
      GENERATE(Answer{"409 Conflict", error_body("OperationAborted")}, Answer{"409 Conflict"},
               Answer{"412 Precondition Failed"}, Answer{"404 Not Found"});
  CAPTURE(lost.status, lost.body);
  bool written = false;
  FakeS3 fake(reactor, [&](const std::string& request) -> Answer {
    if (is(request, "POST", "uploads")) {
      return Answer{"200 OK",
                    "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                    "</InitiateMultipartUploadResult>"};
    }
    if (is(request, "PUT", "partNumber")) return Answer{"200 OK", "", "ETag: \"e\"\r\n"};
    if (is(request, "PUT", ".unum-probe")) return kLost;
    if (is(request, "POST", "uploadId")) {
      written = written || is(request, "POST", "F-output");
      return lost;
    }
    if (is(request, "DELETE", "")) return Answer{"204 No Content"};
    return written && is(request, "GET", "") ? Answer{"200 OK", "\"theirs\""} : kNoSuchKey;
  });
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s").bound_to("F");
  const std::string large(17u * 1024 * 1024, '1');
  const WriteResult result = reactor.run(write_return_value(*store, context, large));
  CHECK(result.status == Status::already_there);
  CHECK(result.stored == "\"theirs\"");
  end(reactor, fake, store.get());
}

TEST_CASE("a bucket or a page that is not there is no absent object (found 17)") {
  ON_EACH_PORT(reactor);
  const Answer answer =
      GENERATE(Answer{"404 Not Found", error_body("NoSuchBucket")},
               Answer{"404 Not Found", "<html><title>Nothing here</title></html>"});
  FakeS3 fake(reactor, supporting([&](const std::string&) { return answer; }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s");
  const Error error = test::error_of(reactor, store->get(context, kOutcomeF));
  CHECK(error.kind() == ErrorKind::not_found);
  end(reactor, fake, store.get());
}

TEST_CASE("a write that always conflicts with none ends in an error, not in a loop") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, supporting([&](const std::string& request) {
                return is(request, "PUT", "F-output.json") ? kConflict : kNoSuchKey;
              }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s").bound_to("F");
  Wait wait;
  wait.deadline = reactor.now() + std::chrono::milliseconds(150);
  const Error late = test::error_of(reactor, write_return_value(*store, context, "1", wait));
  CHECK(late.kind() == ErrorKind::timeout);
  end(reactor, fake, store.get());
}

TEST_CASE("that a value is not listed is not believed without a check") {
  ON_EACH_PORT(reactor);
  const auto there = GENERATE(true, false);
  FakeS3 fake(reactor, supporting([there](const std::string& request) {
                if (is(request, "GET", "list-type=2")) {
                  return Answer{
                      "200 OK",
                      "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"};
                }
                return there ? Answer{} : Answer{"404 Not Found"};
              }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s");
  std::vector<Pointer> pointers;
  for (int i = 0; i < 20; ++i) pointers.push_back(pointer(context, "F" + std::to_string(i)));
  CHECK(reactor.run(check_values_exist(*store, context, pointers)) == there);
  CHECK(fake.count("GET") == 1);
  CHECK(fake.count("HEAD") == (there ? 21 : 1));
  end(reactor, fake, store.get());
}

TEST_CASE("case 24: keys that could not be removed are tried again, or told") {
  ON_EACH_PORT(reactor);
  const auto denied = GENERATE(false, true);
  FakeS3 fake(reactor, supporting([denied, n = 0](const std::string& request) mutable {
                REQUIRE(is(request, "POST", "delete="));
                CHECK(test::header_of(request, "x-amz-checksum-crc32c").size() == 8);
                if (n++ > 0) return Answer{"200 OK", "<DeleteResult/>"};
                return Answer{"200 OK",
                              "<DeleteResult><Error><Key>prefix/s/G-output.json</Key><Code>" +
                                  std::string(denied ? "AccessDenied" : "InternalError") +
                                  "</Code><Message>m</Message></Error></DeleteResult>"};
              }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s");
  const std::vector<ItemId> items{kOutcomeF, {"G", ItemKind::outcome}};
  if (denied) {
    const Error error = test::error_of(reactor, store->remove(context, items));
    CHECK(error.kind() == ErrorKind::denied);
    CHECK(has(error, "prefix/s/G-output.json"));
  } else {
    reactor.run(store->remove(context, items));
    CHECK(test::body_of(fake.requests.back()).find("G-output") != std::string::npos);
    CHECK(test::body_of(fake.requests.back()).find("F-output") == std::string::npos);
  }
  end(reactor, fake, store.get());
}

TEST_CASE("a server that overwrites by uploads in parts is found out before the first one") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, supporting([](const std::string& request) {
                if (is(request, "POST", "uploads=")) {
                  return Answer{"200 OK",
                                "<InitiateMultipartUploadResult><UploadId>U</UploadId>"
                                "</InitiateMultipartUploadResult>"};
                }
                if (is(request, "POST", "uploadId=U")) {
                  CHECK(test::header_of(request, "if-none-match") == "*");
                  return Answer{"200 OK", "<CompleteMultipartUploadResult/>"};
                }
                return Answer{"200 OK", {}, "ETag: \"e\"\r\n"};
              }));
  // The parts' PUTs name the probe as well.
  fake.reply = [other = fake.reply](const std::string& request) {
    return is(request, "PUT", "partNumber=") ? Answer{"200 OK", {}, "ETag: \"e\"\r\n"}
                                             : other(request);
  };
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s").bound_to("F");
  const std::string value(16u * 1024 * 1024, 'v');
  const Error error = test::error_of(reactor, write_return_value(*store, context, value));
  CHECK(error.code() == "Unum.NoConditionalWrites");
  CHECK(has(error, "in parts"));
  CHECK(fake.count("PUT", "F-output.json") == 0);
  end(reactor, fake, store.get());
}

TEST_CASE("a large value that is not what S3 keeps the checksum of is corrupt") {
  ON_EACH_PORT(reactor);
  const auto kept = GENERATE(std::string("AAAAAA=="), std::string("AAAAAA==-2"), std::string());
  const std::string value(16u * 1024 * 1024, 'v');
  FakeS3 fake(
      reactor, supporting([&](const std::string& request) {
        if (is(request, "GET", "F-output.json")) return Answer{"200 OK", value, "ETag: \"e\"\r\n"};
        CHECK(test::header_of(request, "x-amz-checksum-mode") == "ENABLED");
        return Answer{"200 OK", {}, "ETag: \"e\"\r\nx-amz-checksum-crc32c: " + kept + "\r\n"};
      }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s");
  if (kept == "AAAAAA==") {
    const Error error = test::error_of(reactor, store->get(context, kOutcomeF));
    CHECK(error.kind() == ErrorKind::corrupt);
    CHECK(has(error, kept));
  } else {
    // A checksum of the parts' checksums, or none: nothing to compare with.
    const std::optional<std::string> read = reactor.run(store->get(context, kOutcomeF));
    CHECK((read == value));
  }
  end(reactor, fake, store.get());
}

TEST_CASE("a server that closes each connection is served, one connection a request") {
  ON_EACH_PORT(reactor);
  FakeS3 fake(reactor, supporting([](const std::string&) { return Answer{"200 OK", "\"v\""}; }));
  fake.keep_alive = false;
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("s");
  const std::vector<Pointer> pointers(200, pointer(context, "F"));
  const std::vector<std::string> values = reactor.run(read_input(*store, context, pointers));
  CHECK(values == std::vector<std::string>(200, "\"v\""));
  CHECK(fake.server.accepted() == 201);
  end(reactor, fake, store.get());
}

TEST_CASE("UNUM_HEDGE_MS: a slow read of any kind is asked for a second time, a write never") {
  ON_EACH_PORT(reactor);
  test::EnvironmentGuard environment;
  environment.set("UNUM_HEDGE_MS", "20");
  FakeS3 fake(reactor, supporting([](const std::string& request) {
                if (!is(request, "GET", "list-type=2")) return Answer{"200 OK", "\"value\""};
                return Answer{"200 OK", "<ListBucketResult></ListBucketResult>"};
              }));
  const std::unique_ptr<Store> store = open_fake(reactor);
  const SessionContext context = session_context("session");
  // Each request that was never seen before hangs.
  std::set<std::string> seen;
  fake.silent = [&](const std::string& request) {
    return seen.insert(first_line(request).substr(0, first_line(request).find_first_of("?&")))
        .second;
  };
  const auto body = [&]() -> Task<void> {
    const std::optional<std::string> value = co_await store->get(context, kOutcomeF);
    CHECK(value == "\"value\"");
    CHECK(fake.count("GET", "F-output") == 2);
    const Pointer pointer = unum::pointer(context, "F");
    const bool exists = co_await check_value_exist(*store, context, pointer);
    CHECK(exists);
    CHECK(fake.count("HEAD", "F-output") == 2);
    const std::vector<ListedItem> items = co_await store->list(context);
    CHECK(items.empty());
    CHECK(fake.count("GET", "list-type=2") == 2);
  };
  reactor.run(body());
  const SessionContext bound = context.bound_to("G");
  const Wait wait{reactor.now() + std::chrono::milliseconds(200)};
  const Error error = test::error_of(reactor, write_return_value(*store, bound, "1", wait));
  CHECK(error.kind() == ErrorKind::timeout);
  CHECK(fake.count("PUT", "G-output") == 1);
  end(reactor, fake, store.get());
}
