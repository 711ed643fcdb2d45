// Workers of Node, of any executable and of native shared objects.
#include <cstdlib>

#include "catch.hpp"
#include "worker_testing.hpp"
#include "workers/worker_files.hpp"

using namespace unum;
using unum::test::Ended;
using unum::test::Workers;

namespace {

bool has_node() { return find_program("node").has_value(); }

/// A Node function with CommonJS source.
void node(Workers& workers, const std::string& name, std::string_view source) {
  workers.write(name + "/index.js", source);
  workers.add(name, CodeKind::node, "index.handler");
}

void shell(Workers& workers, const std::string& name, const std::string& script) {
  workers.write(name + "/bootstrap", "#!/bin/sh\n" + script + "\n", true);
  workers.add(name, CodeKind::executable, "bootstrap");
}

/// A native function of the tests' shared object; false if that was not built.
bool native(Workers& workers, const std::string& symbol) {
  const char* object = std::getenv("UNUM_TEST_NATIVE");
  if (object == nullptr) return false;
  workers.add("N", CodeKind::native, std::string(object) + ":" + symbol);
  return true;
}

}  // namespace

TEST_CASE("runtimes of a template name a kind of code") {
  CHECK(code_kind("python3.12") == CodeKind::python);
  CHECK(code_kind("nodejs20.x") == CodeKind::node);
  CHECK(code_kind("provided.al2023") == CodeKind::executable);
  CHECK(code_kind("native") == CodeKind::native);
  CHECK_FALSE(code_kind("java21").has_value());
}

// --- Node ---------------------------------------------------------------------------------------

TEST_CASE("a Node function may return a value, a promise, or call back") {
  if (!has_node()) UNUM_SKIP("there is no node");
  Workers workers;
  node(workers, "Value", "exports.handler = (event) => [event, 1];");
  node(workers, "Promise",
       "exports.handler = async (event) => {\n"
       "  await new Promise((resolve) => setImmediate(resolve));\n  return { got: event };\n};");
  node(workers, "Callback",
       "exports.handler = (event, context, callback) => { setImmediate(() => callback(null, event "
       "+ 1)); };");
  node(workers, "AtOnce",
       "exports.handler = (event, context, callback) => { callback(null, event + 2); };");
  node(workers, "Nothing", "exports.handler = () => {};");
  for (int i = 0; i < 3; ++i) {
    CHECK(workers.value("Value", "{\"a\":null}") == "[{\"a\":null},1]");
    CHECK(workers.value("Promise", "\"\u4e16\"") == "{\"got\":\"\u4e16\"}");
    CHECK(workers.value("Callback", "1") == "2");
    CHECK(workers.value("AtOnce", "1") == "3");
    CHECK(workers.value("Nothing") == "null");
  }
  CHECK(workers.pool().counters().started == 5);
}

TEST_CASE("a Node handler may stand in an ES module, in a folder, or in an object") {
  if (!has_node()) UNUM_SKIP("there is no node");
  Workers workers;
  workers.write("M/index.mjs",
                "import { x } from './lib/x.mjs';\nexport const handler = async () => x;\n");
  workers.write("M/lib/x.mjs", "export const x = 'module';\n");
  workers.add("M", CodeKind::node, "index.handler");
  workers.write("T/package.json", "{\"type\": \"module\"}");
  workers.write("T/index.js", "export const handler = () => 'by type';\n");
  workers.add("T", CodeKind::node, "index.handler");
  workers.write("D/src/app.js",
                "exports.api = { handler() { return this.name; }, name: 'nested' };\n");
  workers.add("D", CodeKind::node, "src/app.api.handler");
  CHECK(workers.value("M") == "\"module\"");
  CHECK(workers.value("T") == "\"by type\"");
  CHECK(workers.value("D") == "\"nested\"");
}

TEST_CASE("a Node function sees its context, its environment, its directory, and is heard") {
  if (!has_node()) UNUM_SKIP("there is no node");
  Workers workers;
  node(workers, "F",
       "exports.handler = (event, c) => {\n"
       "  console.log('log', event); console.error('error');\n"
       "  return [c.functionName, c.memoryLimitInMB, c.unum_instance, c.unum_session, "
       "c.awsRequestId.length,\n"
       "    c.getRemainingTimeInMillis() > 50000, process.env.COLOUR, process.cwd() === "
       "__dirname];\n};");
  workers.functions.back().environment = {{"COLOUR", "blue"}};
  CHECK(workers.value("F", "7") ==
        "[\"F\",\"512\",\"F-unumIndex-0\",\"session-1\",36,true,\"blue\",true]");
  CHECK(workers.output == "F-unumIndex-0|log 7\nF-unumIndex-0|error\n");
}

TEST_CASE("what goes wrong in Node is told by name") {
  if (!has_node()) UNUM_SKIP("there is no node");
  struct Case {
    const char* source;
    const char* error;
    const char* cause;
  };
  const Case cases[] = {
      {"class TooMany extends Error { get name() { return 'TooMany'; } }\n"
       "exports.handler = async () => { throw new TooMany('seven'); };",
       "TooMany", "seven"},
      {"exports.handler = () => { throw new TypeError('no'); };", "TypeError", "index.js:1"},
      {"exports.handler = (e, c, callback) => callback(new RangeError('far'));", "RangeError",
       "far"},
      {"exports.handler = async () => 10n;", "Runtime.MarshalError", "BigInt"},
      {"const a = []; a.push(a); exports.handler = () => a;", "Runtime.MarshalError", "circular"},
      {"require('./nowhere');", "Runtime.ImportModuleError", "nowhere"},
      {"exports.handler = (;", "Runtime.UserCodeSyntaxError", "index"},
      {"exports.other = 1;", "Runtime.HandlerNotFound", "handler"},
      {"exports.handler = () => new Promise(() => {});", "Runtime.NoAnswer", "promise"},
      {"exports.handler = () => process.exit(4);", "Runtime.ExitError", "4"},
      {"exports.handler = () => new Promise(() => { setImmediate(() => { throw new "
       "URIError('late'); }); });",
       "URIError", "late"},
      {"exports.handler = () => new Promise(() => { Promise.reject(new Error('lost')); });",
       "Runtime.UnhandledPromiseRejection", "lost"},
      {"exports.handler = async () => { throw null; };", "Error", "null"},
      {"exports.handler = async () => 'x'.repeat(10).at(20).length;", "TypeError", "undefined"},
  };
  for (const Case& one : cases) {
    Workers workers;
    node(workers, "F", one.source);
    INFO(one.source);
    for (int i = 0; i < 2; ++i) {
      const Ended ended = workers.call("F");
      if (ended.error) FAIL(ended.error->message());
      CHECK(ended.result.error == one.error);
      CHECK_THAT(ended.result.cause,
                 ContainsSubstring(one.cause) && !ContainsSubstring("node_worker"));
    }
  }
}

TEST_CASE("a Node worker that ends or does not answer is a crash or a time-out") {
  if (!has_node()) UNUM_SKIP("there is no node");
  Workers workers;
  node(workers, "Killed", "exports.handler = () => process.kill(process.pid, 'SIGKILL');");
  node(workers, "Busy", "exports.handler = () => { for (;;); };");
  node(workers, "Rubbish",
       "exports.handler = () => { require('fs').writeSync(4, 'some rubbish, long enough'); };");
  workers.functions[1].timeout = std::chrono::milliseconds(400);
  CHECK_THAT(workers.call("Killed").error->message(), ContainsSubstring("SIGKILL"));
  CHECK(workers.call("Busy").error->code() == "States.Timeout");
  CHECK_THAT(workers.call("Rubbish").error->message(), ContainsSubstring("file descriptor 4"));
}

TEST_CASE("large events and results go through Node") {
  if (!has_node()) UNUM_SKIP("there is no node");
  Workers workers;
  node(workers, "F", "exports.handler = (event) => event;");
  for (const std::size_t size : {65'530u, 70'000u, 3'000'000u}) {
    const std::string event = "\"" + std::string(size, 'x') + "\"";
    CHECK(workers.value("F", event) == event);
  }
}

// --- Executables --------------------------------------------------------------------------------

TEST_CASE("an executable reads its event and writes its result") {
  Workers workers;
  shell(workers, "Cat", "cat");
  shell(workers, "Env",
        "echo \"[\\\"$UNUM_FUNCTION\\\",\\\"$UNUM_INSTANCE\\\",\\\"$UNUM_SESSION\\\","
        "$UNUM_ATTEMPT,\\\"$COLOUR\\\"]\"; echo 'to the log' >&2; printf 'no newline' >&2");
  workers.functions.back().environment = {{"COLOUR", "green"}};
  shell(workers, "Silent", "exit 0");
  shell(workers, "Unread", "exec <&-; echo 1");
  CHECK(workers.value("Cat", " {\"a\": 1.0} ") == "{\"a\": 1.0}");
  const std::string large = "\"" + std::string(3'000'000, 'x') + "\"";
  CHECK(workers.value("Cat", large) == large);
  CHECK(workers.value("Env") == "[\"Env\",\"Env-unumIndex-0\",\"session-1\",2,\"green\"]");
  CHECK(workers.output == "Env-unumIndex-0|to the log\nEnv-unumIndex-0|no newline\n");
  CHECK(workers.value("Silent") == "null");
  CHECK(workers.value("Unread", large) == "1");
}

TEST_CASE("what an executable writes is read to its end, in whatever pieces it comes") {
  // A pipe that was emptied between a write and its wake-up is told readable and has nothing.
  Workers workers;
  shell(workers, "Pieces", "cat");
  shell(workers, "Errors", "cat >&2; echo 1");
  const std::string large = "\"" + std::string(3'000'000, 'x') + "\"";
  for (int i = 0; i < 40; ++i) {
    CHECK(workers.value("Pieces", large) == large);
    CHECK(workers.value("Errors", large) == "1");
  }
}

TEST_CASE("what goes wrong in an executable is told") {
  Workers workers;
  shell(workers, "Fails", "echo 'the disk is full' >&2; exit 3");
  shell(workers, "Rubbish", "echo 'hello'");
  shell(workers, "Nan", "echo '[NaN]'");
  shell(workers, "Killed", "echo 'about to' >&2; kill -9 $$");
  shell(workers, "Hangs", "sleep 1000 & sleep 1000");
  workers.functions.back().timeout = std::chrono::milliseconds(300);
  shell(workers, "Leaves", "sleep 1000 & echo 1");
  const Ended failed = workers.call("Fails");
  CHECK(failed.result.error == "Runtime.ExitError");
  CHECK_THAT(failed.result.cause,
             ContainsSubstring("exit code 3") && ContainsSubstring("the disk is full"));
  CHECK(workers.call("Rubbish").result.error == "Runtime.MarshalError");
  CHECK(workers.call("Nan").result.error == "Runtime.MarshalError");
  const Ended killed = workers.call("Killed");
  REQUIRE(killed.error.has_value());
  CHECK(killed.error->kind() == ErrorKind::disconnected);
  CHECK_THAT(killed.error->message(),
             ContainsSubstring("SIGKILL") && ContainsSubstring("about to"));
  const Ended hung = workers.call("Hangs");
  REQUIRE(hung.error.has_value());
  CHECK(hung.error->code() == "States.Timeout");
  CHECK(workers.value("Leaves") == "1");  // what it leaves behind is ended with it
}

TEST_CASE("a program that cannot be executed fails its call (found 27)") {
  Workers workers;
  workers.write("F/bootstrap", "#!/no/such/shell\n", true);
  workers.add("F", CodeKind::executable, "bootstrap");
  workers.write("G/bootstrap", "#!/bin/sh\n");
  workers.add("G", CodeKind::executable, "bootstrap");
  const Ended unfit = workers.call("F");
  REQUIRE_FALSE(unfit.error.has_value());
  CHECK(unfit.result.error == "Runtime.InvalidEntrypoint");
  CHECK_THAT(unfit.result.cause, ContainsSubstring("F/bootstrap"));
  const Ended none = workers.call("G");  // nobody made it a program
  REQUIRE(none.error.has_value());
  CHECK_THAT(none.error->message(), ContainsSubstring("G/bootstrap is not executable"));
}

TEST_CASE("values of 1,024 levels go through Python (found 29)") {
  Workers workers;
  workers.python("F",
                 "import sys\ndef lambda_handler(event, context):\n"
                 "    return [event, sys.getrecursionlimit()][context.unum_instance == 'limit']\n");
  for (const std::size_t levels : {900u, 1000u, 1024u}) {
    const std::string value = std::string(levels, '[') + std::string(levels, ']');
    CHECK(workers.value("F", value) == value);
  }
  CHECK(workers.call("F", "1", "limit").result.value == "1000");  // the user's own is as it was
}

// --- Native -------------------------------------------------------------------------------------

TEST_CASE("a native function gets its call and gives its result") {
  Workers workers;
  if (!native(workers, "describe_call")) UNUM_SKIP("UNUM_TEST_NATIVE names no shared object");
  CHECK(workers.value("N", "[1]") == "[\"N\",\"N-unumIndex-0\",\"session-1\",\"\",2,3,[1]]");
  CHECK(workers.value("N", "{}") == "[\"N\",\"N-unumIndex-0\",\"session-1\",\"\",2,2,{}]");
  CHECK(workers.output == "N-unumIndex-0|called\nN-unumIndex-0|released\n" +
                              std::string("N-unumIndex-0|called\nN-unumIndex-0|released\n"));
  CHECK(workers.pool().counters().started == 1);
}

TEST_CASE("what goes wrong in a native function is told, and a crash ends its worker only") {
  struct Case {
    const char* symbol;
    const char* error;
    const char* cause;
  };
  const Case cases[] = {
      {"fail", "Full", "no room"},
      {"fail_silently", "Native.Error", "returned 5"},
      {"not_json", "Runtime.MarshalError", "JSON"},
      {"leave", "Runtime.ExitError", "exit"},
      {"no_such_symbol", "Runtime.HandlerNotFound", "no_such_symbol"},
  };
  for (const Case& one : cases) {
    Workers workers;
    if (!native(workers, one.symbol)) UNUM_SKIP("UNUM_TEST_NATIVE names no shared object");
    INFO(one.symbol);
    for (int i = 0; i < 2; ++i) {
      const Ended ended = workers.call("N");
      if (ended.error) FAIL(ended.error->message());
      CHECK(ended.result.error == one.error);
      CHECK_THAT(ended.result.cause, ContainsSubstring(one.cause));
    }
  }
  Workers workers;
  native(workers, "crash");
  const Ended crashed = workers.call("N", "{}");
  REQUIRE(crashed.error.has_value());
  // A worker that is built with a sanitizer reports the crash itself, and exits.
  CHECK_THAT(crashed.error->message(), ContainsSubstring("SIGSEGV") ||
                                           ContainsSubstring("SIGABRT") ||
                                           ContainsSubstring("AddressSanitizer"));
  CHECK(workers.value("N", "1") == "null");
}

TEST_CASE("a shared object that is missing or none is told") {
  Workers workers;
  if (!find_worker("unum-native-worker")) UNUM_SKIP("unum-native-worker was not built");
  workers.add("N", CodeKind::native, "missing.so");
  workers.write("O/text.so", "this is no shared object");
  workers.add("O", CodeKind::native, "text.so");
  for (const char* name : {"N", "O"}) {
    const Ended ended = workers.call(name);
    if (ended.error) FAIL(ended.error->message());
    CHECK(ended.result.error == "Runtime.ImportModuleError");
    CHECK_THAT(ended.result.cause, ContainsSubstring(".so"));
  }
}
