// What an error means for the delivery whose step it ended: a step that may yet succeed is never
// reported as failed, and its next delivery comes to the same end.
#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "aws/service_error.hpp"
#include "reactor/http/error.hpp"
#include "reactor/redis/client.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

namespace {

using How = FailingStore::How;

/// Made by what makes them in production.
std::vector<Error> errors_of_redis() {
  std::vector<Error> errors = {redis::connection_lost("receiving from a:6379: it hung up"),
                               redis::no_answer("a command to a:6379 was not answered in time"),
                               redis::ReplyTooLarge("it announced 1 GB")};
  for (const char* text :
       {"LOADING Redis is loading the dataset in memory", "BUSY a script runs", "TRYAGAIN multiple",
        "CLUSTERDOWN Hash slot not served", "MASTERDOWN Link with MASTER is down",
        "NOREPLICAS Not enough good replicas", "READONLY You can't write against a replica",
        "NOAUTH Authentication required.", "WRONGPASS invalid username-password pair",
        "NOPERM no permissions", "OOM command not allowed", "MISCONF cannot persist",
        "WRONGTYPE Operation against a key", "ERR unknown command"}) {
    redis::Reply reply;
    reply.type = redis::Reply::Type::error;
    reply.text = text;
    errors.push_back(redis::error_of(reply, "a script at a:6379"));
  }
  return errors;
}

std::vector<Error> errors_of_files() {
  std::vector<Error> errors;
  for (const int number : {EIO, ENOSPC, EDQUOT, EMFILE, ENOMEM, EROFS, EACCES, ESTALE, EAGAIN,
                           ETIME, ECANCELED, ENOENT, EINVAL, EBADF}) {
    errors.push_back(system_error("fs", number, "writing F-output of session s"));
  }
  return errors;
}

std::vector<Error> errors_of_services() {
  std::vector<Error> errors;
  const auto add = [&](ErrorKind kind, const std::string& code) {
    for (const char* origin : {"s3", "dynamodb", "aws"})
      errors.emplace_back(kind, origin, code, code);
  };
  for (const CURLcode code :
       {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT,
        CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_WEIRD_SERVER_REPLY,
        CURLE_PEER_FAILED_VERIFICATION, CURLE_FILESIZE_EXCEEDED, CURLE_OUT_OF_MEMORY}) {
    add(http::kind_of(code), http::symbol_of(code));
  }
  for (const auto& [status, code] :
       std::vector<std::pair<int, std::string>>{{503, "SlowDown"},
                                                {500, "InternalError"},
                                                {403, "ExpiredToken"},
                                                {403, "AccessDenied"},
                                                {409, "ConditionalRequestConflict"},
                                                {400, "ValidationException"},
                                                {400, "ProvisionedThroughputExceededException"},
                                                {404, "NoSuchBucket"},
                                                {400, "ItemCollectionSizeLimitExceededException"},
                                                {400, "BadDigest"},
                                                {504, ""}}) {
    http::Response response;
    response.status = status;
    if (!code.empty()) response.body = "<Error><Code>" + code + "</Code></Error>";
    const aws::Fault fault = aws::read_fault(response, aws::Protocol::rest_xml);
    add(aws::kind_of(fault, status), fault.code);
  }
  return errors;
}

std::vector<Error> errors_of_stores() {
  std::vector<Error> errors = errors_of_redis();
  for (Error& error : errors_of_files()) errors.push_back(std::move(error));
  for (Error& error : errors_of_services()) errors.push_back(std::move(error));
  for (const char* origin :
       {"fs", "memory", "redis", "dynamodb", "s3", "aws", "sts", "http", "reactor"}) {
    for (int kind = 1; kind <= 11; ++kind) {
      errors.emplace_back(static_cast<ErrorKind>(kind), origin, "Unum.Any", "any");
    }
  }
  return errors;
}

struct AcceptingInvoker final : Invoker {
  Task<void> invoke(Invocation invocation, Wait) override {
    accepted.insert(invocation.instance);
    if (invocation.instance == throws_at) {
      throws_at.clear();
      throw Error(error);
    }
    co_return;
  }
  std::set<std::string> accepted;
  std::string throws_at;
  Error error{ErrorKind::throttled, "test", "Throttled", "the platform refuses"};
};

/// Each function's step in a session in which all before it were made.
struct Sessions {
  NativeApp app = map_and_fan_in();
  Reactor reactor;
  FreshStore store{reactor, "memory"};
  int count = 0;

  std::string prepare(const std::string& function) {
    const std::string session = "s" + std::to_string(++count);
    const SessionContext context = session_context(session);
    if (function != "M") write(context, "M", "[1,2]");
    if (function == "A") write(context, "F-unumIndex-0", "1");
    if (function != "M") write(context, "F-unumIndex-1", "2");
    return session;
  }
  void write(const SessionContext& context, const char* instance, const char* value) {
    const SessionContext bound = context.bound_to(instance);
    reactor.run(write_return_value(*store, bound, value));
  }
  static std::string payload(const std::string& function, const std::string& session) {
    if (function == "M") return entry_payload("[1,2]", session).text();
    if (function == "F")
      return R"({"Data":{"Source":"http","Value":1},"Session":")" + session +
             R"(","Fan-out":{"Type":"Map","Index":0,"Size":2}})";
    return R"({"Data":{"Source":"memory","Value":["F-unumIndex-0","F-unumIndex-1"]},"Session":")" +
           session + R"("})";
  }
  bool has_report(const std::string& session) {
    const SessionContext context = session_context(session);
    for (const ListedItem& item : reactor.run((*store).list(context))) {
      if (item.id.kind == ItemKind::report) return true;
    }
    return false;
  }
};

const std::map<std::string, std::set<std::string>> kFollows = {
    {"M", {"F-unumIndex-0", "F-unumIndex-1"}}, {"F", {"A"}}, {"A", {}}};

/// Whether the error came up.
bool fails_once(Sessions& sessions, const std::string& function, int operation, How how,
                const Error& error) {
  INFO(function << ", operation " << operation);
  const std::string session = sessions.prepare(function);
  const std::string payload = Sessions::payload(function, session);
  const json::View valid = validate_payload(payload);
  FailingStore store(*sessions.store, operation, how, error);
  AcceptingInvoker invoker;
  RuntimeOptions options;
  options.application.emplace().name = "app";
  Runtime runtime(store, invoker, options);
  const auto deliver = [&](int attempt) {
    return sessions.reactor.run(
        runtime.step(sessions.app.function(function), valid, sessions.app, attempt));
  };
  std::optional<StepReport> report;
  try {
    report = deliver(1);
  } catch (const Error& thrown) {
    CHECK(thrown.code() == error.code());
    CHECK(thrown.delivery() != Delivery::final);
  }
  const bool failed = store.has_failed();
  if (failed) CHECK_FALSE(report);
  if (!report) report = deliver(2);
  CHECK(report->status == StepReport::Status::succeeded);
  CHECK(invoker.accepted == kFollows.at(function));
  CHECK_FALSE(sessions.has_report(session));
  return failed;
}

}  // namespace

TEST_CASE("a step whose store fails is not done, and its next delivery comes to the same end") {
  const auto how = GENERATE(How::dies_before_effect, How::dies_after_effect);
  Sessions sessions;
  for (const Error& error : errors_of_stores()) {
    INFO(to_string(error.kind()) << " " << error.origin() << " " << error.code());
    for (const char* function : {"M", "F", "A"}) {
      int operation = 0;
      while (fails_once(sessions, function, operation, how, error)) ++operation;
      CHECK(operation >= 3);
    }
  }
}

TEST_CASE("an edge that cannot be run does not hide one whose next delivery may run it") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  NativeApp app;
  app.add(one_of(
      "S", R"({"Name": "A", "InputType": "Scalar"}, {"Name": "B", "InputType": "Scalar"})", true));
  const auto refused = GENERATE(as<std::string>(), "A-unumIndex-0", "B-unumIndex-1");
  /// The other edge's function is not known, which stays so.
  struct HalfInvoker final : Invoker {
    explicit HalfInvoker(std::string passes) : passes_(std::move(passes)) {}
    Task<void> invoke(Invocation invocation, Wait) override {
      if (invocation.instance != passes_)
        throw Error(ErrorKind::invalid, "host", "Unum.UnknownFunction", "there is none");
      if (++asked_ == 1) throw Error(ErrorKind::throttled, "test", "Throttled", "slower");
      co_return;
    }
    std::string passes_;
    int asked_ = 0;
  } invoker(refused);
  Runtime runtime(*store, invoker);
  const json::Text payload = entry_payload("1", "s");
  const auto deliver = [&] { return reactor.run(runtime.step(app.function("S"), payload, app)); };
  CHECK_THROWS_WITH(deliver(), "slower");
  const StepReport report = deliver();
  CHECK(report.status == StepReport::Status::failed);
  CHECK(report.error == "Unum.UnknownFunction");
  CHECK(invoker.asked_ == 2);
}

// --- The local host -----------------------------------------------------------------------------

namespace {

struct Deliveries final : RunObserver {
  void queued(std::string_view, std::string_view) override {}
  void ended(std::string_view, const StepReport&) override {}
  void delivered_again(std::string_view instance, int attempt, const Error&) override {
    again.push_back(std::string(instance) + " " + std::to_string(attempt));
  }
  std::vector<std::string> again;
};

/// User code that ends in an error the first times.
struct FaultyCode {
  NativeApp app;
  int calls = 0;
  explicit FaultyCode(const Error& error, int times,
                      const char* ir = R"({"Name": "S", "Start": true})") {
    app.add(ir, [this, error, times](const UserCall& call) {
      if (++calls <= times) throw Error(error);
      return std::string(call.input);
    });
  }
};

Error crash() { return {ErrorKind::disconnected, "worker", "Unum.WorkerCrashed", "it crashed"}; }

}  // namespace

TEST_CASE("the local host delivers again what may have passed, while the store answers") {
  const auto how = GENERATE(How::dies_before_effect, How::dies_after_effect);
  Reactor reactor;
  FreshStore store(reactor, "memory");
  bool failed = true;
  for (int operation = 0; failed; ++operation) {
    INFO("operation " << operation);
    NativeApp app = map_and_fan_in();
    FailingStore failing(*store, operation, how,
                         redis::connection_lost("receiving from a:6379: it hung up"));
    Deliveries deliveries;
    LocalHostTuning options;
    options.observer = &deliveries;
    const std::string session = "s" + std::to_string(operation);
    require_result(reactor.run(app.run(reactor, failing, session, "[1,2]", options)), "[1,2]");
    failed = failing.has_failed();
    CHECK(deliveries.again.size() == (failed ? 1 : 0));
  }
}

TEST_CASE("the local host ends a run with what does not pass at once, and it can be resumed") {
  const auto error = GENERATE(system_error("fs", ENOSPC, "writing"),
                              Error(ErrorKind::denied, "s3", "AccessDenied", "no"),
                              Error(ErrorKind::exhausted, "worker", "EAGAIN", "no process"));
  World world("memory");
  FaultyCode code(error, 1);
  try {
    world.run(code.app, "1");
    FAIL("no error");
  } catch (const Error& thrown) {
    CHECK(thrown.code() == error.code());
  }
  CHECK(code.calls == 1);
  require_result(world.run(code.app, "1"), "1");
}

TEST_CASE("the local host delivers a bounded number of times what may never pass") {
  const auto error =
      GENERATE(crash(), Error(ErrorKind::timeout, "worker", "States.Timeout", "too long"),
               Error(ErrorKind::corrupt, "s3", "Unum.BadAnswer", "no XML"));
  World world("memory");
  FaultyCode twice(error, 2);
  require_result(world.run(twice.app, "1", "twice"), "1");
  CHECK(twice.calls == 3);

  FaultyCode always(error, 100);
  const RunResult result = world.run(always.app, "1", "always");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures[0].error == error.code());
  CHECK(result.failures[0].attempt == 3);
  CHECK(always.calls == 3);
}

TEST_CASE("a failure that was given up goes to the edge for errors") {
  World world("memory");
  FaultyCode code(crash(), 100, R"({"Name": "S", "Start": true, "Next":
                                    {"Name": "E", "InputType": "Error"}})");
  code.app.add(terminal("E"));
  require_result(world.run(code.app, "1"),
                 R"({"Error":"Unum.WorkerCrashed","Cause":"it crashed"})");
}

TEST_CASE("a delivery that is given up goes on from the outcome that another one stored") {
  struct Accepting final : Invoker {
    Task<void> invoke(Invocation invocation, Wait) override {
      accepted.push_back(invocation.instance);
      co_return;
    }
    std::vector<std::string> accepted;
  };
  World world("memory");
  NativeApp app;
  app.add(scalar("S", "T", R"("Start": true, )"));
  const Function& first = app.function("S");
  const SessionContext context = session_context("s").bound_to("S");
  world.reactor.run(write_return_value(*world.store, context, "7"));
  Accepting platform;
  Runtime runtime(*world.store, platform);
  const json::Text payload = entry_payload("1", "s");
  const StepReport report =
      world.reactor.run(runtime.give_up(first, payload.view(), "Gone", "it burned", 3));
  CHECK(report.status == StepReport::Status::succeeded);
  CHECK(report.adopted);
  CHECK(platform.accepted == std::vector<std::string>{"T"});
}

TEST_CASE("the local host delivers nothing again that is final") {
  World world("memory");
  FaultyCode code(Error(ErrorKind::invalid, "payload", "Unum.Payload", "no payload"), 100);
  const RunResult result = world.run(code.app, "1");
  REQUIRE(result.status == RunResult::Status::failed);
  CHECK(result.failures[0].error == "Unum.Payload");
  CHECK(result.failures[0].attempt == 1);
  CHECK(code.calls == 1);

  NativeApp app = map_and_fan_in();
  require_result(world.run(app, "[1]", "other"), "[1]");
  Deliveries deliveries;
  LocalHostTuning options;
  options.observer = &deliveries;
  CHECK_THROWS_AS(world.reactor.run(app.run(world.reactor, *world.store, "other", "[2]", options)),
                  Error);
  CHECK(deliveries.again.empty());
}
