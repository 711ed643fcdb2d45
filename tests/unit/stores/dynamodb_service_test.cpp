// The DynamoDB store against a service of the tests' own, which leaves things undone, lags behind,
// throttles and refuses.
#include <array>
#include <map>
#include <set>

#include "base/json.hpp"
#include "catch.hpp"
#include "support/fixtures.hpp"
#include "unit/reactor/http_server.hpp"
#include "unit/stores/dynamodb_support.hpp"

using namespace unum;
using unum::test::Peer;
using unum::test::Server;

namespace {

constexpr const char* kFitting =
    R"({"Table":{"TableStatus":"ACTIVE","KeySchema":[{"AttributeName":"Name","KeyType":"HASH"}],)"
    R"("AttributeDefinitions":[{"AttributeName":"Name","AttributeType":"S"}]}})";
constexpr const char* kFailed =
    R"({"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",)"
    R"("message":"The conditional request failed"})";

struct Answer {
  std::string status = "200 OK";
  std::string body = "{}";
};

std::string error_body(const std::string& type) {
  return R"({"__type":"com.amazonaws.dynamodb.v20120810#)" + type + R"(","message":"no"})";
}

/// A service whose answers a test gives; opening goes well unless the test says otherwise.
class Service {
 public:
  using Handler = std::function<Answer(const std::string& operation, const std::string& body)>;

  Service(Reactor& reactor, Handler handler)
      : reactor_(reactor),
        handler_(std::move(handler)),
        server_(reactor, [this](Peer& peer) { return serve(peer); }) {
    test::use_dynamodb(server_.origin());
  }

  std::map<std::string, int> asked;
  /// Operations whose next request is never answered.
  std::set<std::string> silent;

  /// Opens a store, runs the body, closes the store.
  template <class Body>
  void with_store(const StoreOptions& options, const Body& body) {
    std::unique_ptr<Store> store = open(options);
    reactor_.run(body(*store));
    reactor_.run(store->close());
    stop();
  }
  std::unique_ptr<Store> open(const StoreOptions& options = {}, dynamodb::Tuning tuning = {}) {
    return checked(reactor_.run(dynamodb::open_dynamodb_store(reactor_, "table", options, tuning)));
  }
  void stop() { reactor_.run(server_.stop()); }

 private:
  Task<void> serve(Peer& peer) {
    while (const std::optional<std::string> request = co_await peer.read_request()) {
      const std::string target = test::header_of(*request, "x-amz-target");
      const std::string operation = target.substr(target.find('.') + 1);
      ++asked[operation];
      if (silent.erase(operation) != 0) {
        co_await peer.until_gone();
        co_return;
      }
      const std::string body = test::body_of(*request);
      Answer answer = handler_(operation, body);
      if (answer.body == "{}" && operation == "DescribeTable") answer.body = kFitting;
      const bool sent = co_await peer.answer(answer.status, answer.body,
                                             "Content-Type: application/x-amz-json-1.0\r\n");
      if (!sent) co_return;
    }
  }

  Reactor& reactor_;
  Handler handler_;
  Server server_;
};

/// The keys that a BatchGetItem asks for.
std::vector<std::string> keys_in(const std::string& body) {
  std::vector<std::string> keys;
  const auto items = json::member(json::validate(body, "a request"), "RequestItems");
  const auto table = json::member(*items, "table");
  for (const json::View key : json::elements(*json::member(*table, "Keys"))) {
    keys.push_back(json::string_value(*json::member(*json::member(key, "Name"), "S")));
  }
  return keys;
}

std::string batch_reply(const std::vector<std::string>& found,
                        const std::vector<std::string>& left) {
  std::string response = R"({"Responses":{"table":[)";
  for (const std::string& key : found) {
    if (&key != found.data()) response += ',';
    response += R"({"User":{"S":"value of )" + key + R"("},"Name":{"S":")" + key + R"("}})";
  }
  response += R"(]},"UnprocessedKeys":{)";
  if (!left.empty()) response += R"("table":{"Keys":[)";
  for (const std::string& key : left) {
    if (&key != left.data()) response += ',';
    response += R"({"Name":{"S":")" + key + R"("}})";
  }
  return response + (left.empty() ? "}}" : "]}}}");
}

bool is_consistent(const std::string& body) {
  return body.find(R"("ConsistentRead":true)") != std::string::npos;
}

std::vector<Pointer> pointers_of(const SessionContext& context, std::size_t count) {
  std::vector<Pointer> pointers;
  for (std::size_t i = 0; i < count; ++i) {
    pointers.push_back(pointer(context, "F" + std::to_string(i)));
  }
  return pointers;
}

}  // namespace

TEST_CASE("case 24: keys that are left undone are asked for again, each value comes once",
          "[dynamodb]") {
  ON_EACH_PORT(reactor);
  std::map<std::string, int> answered;
  std::size_t largest = 0;
  Service service(reactor, [&](const std::string& operation, const std::string& body) -> Answer {
    if (operation != "BatchGetItem") return {};
    std::vector<std::string> keys = keys_in(body);
    CHECK(std::set<std::string>(keys.begin(), keys.end()).size() == keys.size());
    CHECK(is_consistent(body));
    largest = std::max(largest, keys.size());
    const std::size_t now = std::min<std::size_t>(keys.size(), 40);
    const std::vector<std::string> left(keys.begin() + static_cast<std::ptrdiff_t>(now),
                                        keys.end());
    keys.resize(now);
    for (const std::string& key : keys) ++answered[key];
    return {"200 OK", batch_reply(keys, left)};
  });
  service.with_store({}, [&](Store& store) -> Task<void> {
    const SessionContext context = session_context("s");
    std::vector<Pointer> pointers = pointers_of(context, 250);
    pointers.insert(pointers.end(), 30, pointers[7]);
    const std::vector<std::string> values = co_await read_input(store, context, pointers);
    REQUIRE(values.size() == 280);
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(values[i] == "value of s/F" + std::to_string(i < 250 ? i : 7) + "-output");
    }
  });
  CHECK(largest == 100);
  CHECK(answered.size() == 250);
  for (const auto& [key, times] : answered) CHECK(times == 1);
  CHECK(service.asked["BatchGetItem"] == 3 + 3 + 2);
}

TEST_CASE("case 24: when all keys are left undone for ever the deadline ends it", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  Service service(reactor, [&](const std::string& operation, const std::string& body) -> Answer {
    if (operation != "BatchGetItem") return {};
    return {"200 OK", batch_reply({}, keys_in(body))};
  });
  service.with_store({}, [&](Store& store) -> Task<void> {
    const SessionContext context = session_context("s");
    const std::vector<Pointer> pointers = pointers_of(context, 3);
    Wait wait;
    wait.deadline = test::soon(100);
    std::optional<ErrorKind> kind;
    try {
      co_await read_input(store, context, pointers, wait);
    } catch (const Error& error) {
      kind = error.kind();
    }
    CHECK(kind == ErrorKind::timeout);
  });
  CHECK(service.asked["BatchGetItem"] >= 2);
}

TEST_CASE("eventual reads lag: inputs are asked for again, existence checks stay strong",
          "[dynamodb]") {
  ON_EACH_PORT(reactor);
  std::map<std::string, int> hidden;
  int eventual = 0;
  int strong = 0;
  Service service(reactor, [&](const std::string& operation, const std::string& body) -> Answer {
    if (operation != "BatchGetItem") return {};
    std::vector<std::string> keys = keys_in(body);
    if (is_consistent(body)) {
      ++strong;
      return {"200 OK", batch_reply(keys, {})};
    }
    ++eventual;
    // Each value is to be seen only when it is asked for the third time.
    std::erase_if(keys, [&](const std::string& key) { return ++hidden[key] < 3; });
    return {"200 OK", batch_reply(keys, {})};
  });
  StoreOptions options;
  options.read_consistency = ReadConsistency::eventual;
  service.with_store(options, [&](Store& store) -> Task<void> {
    const SessionContext context = session_context("s");
    const std::vector<Pointer> pointers = pointers_of(context, 5);
    // What a stale read shows: nothing. An existence check is never one.
    const bool exist = co_await check_values_exist(store, context, pointers);
    CHECK(exist);
    CHECK(strong == 1);
    CHECK(eventual == 0);
    const std::vector<std::string> values = co_await read_input(store, context, pointers);
    CHECK(values.size() == 5);
    CHECK(eventual == 3);
    CHECK(strong == 1);
  });
}

TEST_CASE("an input that eventual reads never show is settled by a strong one", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  bool there = true;
  Service service(reactor, [&](const std::string& operation, const std::string& body) -> Answer {
    if (operation != "BatchGetItem") return {};
    const bool show = there && is_consistent(body);
    return {"200 OK", batch_reply(show ? keys_in(body) : std::vector<std::string>(), {})};
  });
  StoreOptions options;
  options.read_consistency = ReadConsistency::eventual;
  service.with_store(options, [&](Store& store) -> Task<void> {
    const SessionContext context = session_context("s");
    const std::vector<Pointer> pointers = pointers_of(context, 1);
    const std::vector<std::string> values = co_await read_input(store, context, pointers);
    CHECK(values.at(0) == "value of s/F0-output");
    there = false;
    std::string code;
    try {
      co_await read_input(store, context, pointers);
    } catch (const Error& error) {
      code = error.code();
    }
    CHECK(code == "Unum.MissingInput");
  });
}

TEST_CASE("a server that does not send the old item along is asked for it", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  Service service(reactor, [&](const std::string& operation, const std::string& body) -> Answer {
    const bool probe = body.find("##") != std::string::npos;
    if (operation == "PutItem" && !probe) return {"400 Bad Request", kFailed};
    if (operation == "GetItem") {
      CHECK(is_consistent(body));
      return {"200 OK", R"({"Item":{"Name":{"S":"s/F-output"},"User":{"S":"theirs"}}})"};
    }
    return {};
  });
  service.with_store({}, [&](Store& store) -> Task<void> {
    const SessionContext context = session_context("s").bound_to("F");
    const WriteResult result = co_await write_return_value(store, context, "mine");
    CHECK(result.status == WriteResult::Status::already_there);
    CHECK(result.stored == "theirs");
  });
  CHECK(service.asked["GetItem"] == 1);
}

TEST_CASE("throttled and broken answers are asked again", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  int gets = 0;
  Service service(reactor, [&](const std::string& operation, const std::string&) -> Answer {
    if (operation != "GetItem") return {};
    switch (gets++) {
      case 0: return {"400 Bad Request", error_body("ProvisionedThroughputExceededException")};
      case 1: return {"500 Internal Server Error", error_body("InternalServerError")};
      default: return {"200 OK", R"({"Item":{"Name":{"S":"s/F-output"},"User":{"S":"1"}}})"};
    }
  });
  service.with_store({}, [&](Store& store) -> Task<void> {
    const SessionContext context = session_context("s");
    const ItemId item{"F", ItemKind::outcome};
    const std::optional<std::string> value = co_await store.get(context, item);
    CHECK(value == "1");
    CHECK(store.counters().requests == 2 + 3);  // opening took two
  });
}

TEST_CASE("an answer that is no JSON is named by service, place and call (found 29)",
          "[dynamodb]") {
  ON_EACH_PORT(reactor);
  const std::string bad = GENERATE("<html>hello</html>", R"({"Item":{"Name":{"S":"x")", "[]");
  Service service(reactor, [&](const std::string& operation, const std::string&) -> Answer {
    return operation == "GetItem" ? Answer{"200 OK", bad} : Answer{};
  });
  service.with_store({}, [&](Store& store) -> Task<void> {
    const SessionContext context = session_context("s");
    const ItemId item{"F", ItemKind::outcome};
    std::string message;
    try {
      co_await store.get(context, item);
    } catch (const Error& error) {
      CHECK(error.code() == "Unum.BadReply");
      message = error.message();
    }
    CHECK(message.starts_with("GetItem table, "));
    CHECK(message.find("dynamodb in us-east-1 at http://127.0.0.1:") != std::string::npos);
  });
}

TEST_CASE("opening ends though a byte comes now and then (found 19)", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  Server server(reactor, [&](Peer& peer) -> Task<void> {
    const auto request = co_await peer.read_request();
    if (!request) co_return;
    co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (bool there = true; there;) {
      const Deadline next = reactor.now() + std::chrono::milliseconds(50);
      co_await reactor.sleep_until(next);
      there = co_await peer.send("x");
    }
  });
  test::use_dynamodb(server.origin());
  StoreOptions options;
  options.request_timeout = std::chrono::milliseconds(200);
  options.patience = std::chrono::milliseconds(100);
  const auto before = Clock::now();
  std::optional<Error> failed;
  try {
    reactor.run(open_store(reactor, "dynamodb", "table", options));
  } catch (const Error& error) {
    failed = error;
  }
  REQUIRE(failed);
  CHECK(failed->kind() == ErrorKind::timeout);
  CHECK(Clock::now() - before < std::chrono::seconds(5));
  reactor.run(server.stop());
}

TEST_CASE("a table that cannot be a store is refused at open, with the reason", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  struct Bad {
    const char* operation;
    Answer answer;
    ErrorKind kind;
    const char* told;
  };
  const std::string schema =
      R"("KeySchema":[{"AttributeName":"Id","KeyType":"HASH"},)"
      R"({"AttributeName":"Name","KeyType":"RANGE"}],)"
      R"("AttributeDefinitions":[{"AttributeName":"Id","AttributeType":"N"},)"
      R"({"AttributeName":"Name","AttributeType":"S"}]}})";
  const std::string bytes_key =
      R"("KeySchema":[{"AttributeName":"Name","KeyType":"HASH"}],)"
      R"("AttributeDefinitions":[{"AttributeName":"Name","AttributeType":"B"}]}})";
  const std::string active = R"({"Table":{"TableStatus":"ACTIVE",)";
  std::string deleting = kFitting;
  deleting.replace(deleting.find("ACTIVE"), 6, "DELETING");
  const std::vector<Bad> all = {
      {"DescribeTable",
       {"200 OK", active + schema},
       ErrorKind::invalid,
       "Id (hash, N), Name (range, S)"},
      {"DescribeTable", {"200 OK", active + bytes_key}, ErrorKind::invalid, "Name (hash, B)"},
      {"DescribeTable", {"200 OK", deleting}, ErrorKind::not_found, "DELETING"},
      {"DescribeTable",
       {"400 Bad Request", error_body("ResourceNotFoundException")},
       ErrorKind::not_found,
       "unum store create dynamodb:table"},
      {"DescribeTable",
       {"400 Bad Request", error_body("AccessDeniedException")},
       ErrorKind::denied,
       "DescribeTable table"},
      {"PutItem",
       {"400 Bad Request", error_body("AccessDeniedException")},
       ErrorKind::denied,
       "PutItem table"},
  };
  for (const Bad& bad : all) {
    INFO(bad.operation << " " << bad.answer.body);
    Service service(reactor, [&](const std::string& operation, const std::string&) -> Answer {
      return operation == bad.operation ? bad.answer : Answer{};
    });
    std::optional<Error> refused;
    try {
      service.open();
    } catch (const Error& error) {
      refused = error;
    }
    REQUIRE(refused.has_value());
    CHECK(refused->kind() == bad.kind);
    CHECK(refused->origin() == "dynamodb");
    INFO(refused->message());
    CHECK(refused->message().find(bad.told) != std::string::npos);
    service.stop();
  }
}

TEST_CASE("a table that is being created is waited for, but not for ever", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  std::string creating = kFitting;
  creating.replace(creating.find("ACTIVE"), 6, "CREATING");
  int described = 0;
  int ready_after = 3;
  Service service(reactor, [&](const std::string& operation, const std::string&) -> Answer {
    if (operation == "DescribeTable" && ++described < ready_after) return {"200 OK", creating};
    return {};
  });
  const std::unique_ptr<Store> store = service.open();
  CHECK(described == 3);
  reactor.run(store->close());

  ready_after = 1'000'000;
  dynamodb::Tuning tuning;
  tuning.creation_wait = std::chrono::seconds(0);
  std::optional<Error> refused;
  try {
    service.open({}, tuning);
  } catch (const Error& error) {
    refused = error;
  }
  REQUIRE(refused.has_value());
  CHECK(refused->kind() == ErrorKind::timeout);
  CHECK(refused->message().find("still being created") != std::string::npos);
  service.stop();
}

TEST_CASE("a table that was just made may not be found for a moment", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  std::string creating = kFitting;
  creating.replace(creating.find("ACTIVE"), 6, "CREATING");
  creating.replace(creating.find("\"Table\""), 7, "\"TableDescription\"");
  int described = 0;
  Service service(reactor, [&](const std::string& operation, const std::string&) -> Answer {
    if (operation == "CreateTable") return {"200 OK", creating};
    if (operation == "DescribeTable" && ++described < 3) {
      return {"400 Bad Request",
              R"({"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"})"};
    }
    return {};
  });
  CHECK(reactor.run(create_store(reactor, "dynamodb", "orders")));
  CHECK(described == 3);
  service.stop();
}

TEST_CASE("a name that no table can have is refused before anything is asked", "[dynamodb]") {
  Reactor reactor;
  for (const std::string name : {"ab", "with space", "a/b", "\xc3\xa9t\xc3\xa9"}) {
    INFO(name);
    std::optional<Error> refused;
    try {
      reactor.run(open_store(reactor, "dynamodb", name));
    } catch (const Error& error) {
      refused = error;
    }
    REQUIRE(refused.has_value());
    CHECK(refused->kind() == ErrorKind::invalid);
    CHECK(refused->code() == "Unum.InvalidStoreName");
  }
}

TEST_CASE("UNUM_HEDGE_MS: a slow read is asked for a second time, a write never", "[dynamodb]") {
  ON_EACH_PORT(reactor);
  test::EnvironmentGuard environment;
  environment.set("UNUM_HEDGE_MS", "20");
  environment.set("AWS_MAX_ATTEMPTS", "1");
  Service service(reactor, [](const std::string& operation, const std::string& body) -> Answer {
    if (operation == "BatchGetItem") return {"200 OK", batch_reply(keys_in(body), {})};
    if (operation == "GetItem") return {"200 OK", R"({"Item":{"User":{"S":"1"}}})"};
    return {};
  });
  service.silent = {"DescribeTable"};
  const std::unique_ptr<Store> store = service.open();
  CHECK(service.asked["DescribeTable"] == 2);
  const SessionContext context = session_context("session");
  service.silent = {"BatchGetItem", "GetItem"};
  const auto body = [&]() -> Task<void> {
    const std::vector<Pointer> pointers = pointers_of(context, 3);
    const std::vector<std::string> values = co_await read_input(*store, context, pointers);
    CHECK(values.size() == 3);
    CHECK(service.asked["BatchGetItem"] == 2);
    const ItemId item{"F", ItemKind::outcome};
    const std::optional<std::string> value = co_await store->get(context, item);
    CHECK(value == "1");
    CHECK(service.asked["GetItem"] == 2);
  };
  reactor.run(body());
  service.silent = {"PutItem"};
  service.asked.clear();
  const SessionContext bound = context.bound_to("G");
  const Wait wait{reactor.now() + std::chrono::milliseconds(200)};
  try {
    reactor.run(write_return_value(*store, bound, "1", wait));
    FAIL("nobody answered, and yet it was written");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::timeout);
  }
  CHECK(service.asked["PutItem"] == 1);
  reactor.run(store->close());
  service.stop();
}
