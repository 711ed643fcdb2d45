// Events that reach user code in pieces, in each language.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/limits.hpp"
#include "catch.hpp"
#include "worker_testing.hpp"
#include "workers/worker_files.hpp"

using namespace unum;
using unum::test::Ended;
using unum::test::Workers;

namespace {

/// Gives pieces one by one; may do something else in front of one.
class Pieces final : public InputStream {
 public:
  using Before = std::function<Task<void>(std::size_t place, Wait wait)>;
  explicit Pieces(std::vector<std::string> pieces, Before before = {})
      : pieces_(std::move(pieces)), before_(std::move(before)) {}

  Task<std::optional<std::string>> next(Wait wait) override {
    const std::size_t place = taken++;
    if (before_) co_await before_(place, wait);
    if (place >= pieces_.size()) co_return std::nullopt;
    co_return pieces_[place];
  }

  std::size_t taken = 0;

 private:
  std::vector<std::string> pieces_;
  Before before_;
};

/// More than any pipe takes.
class EndlessPieces final : public InputStream {
 public:
  Task<std::optional<std::string>> next(Wait) override {
    ++taken;
    std::string piece = taken == 1 ? "[0" : "";
    piece.append(100'000, ' ');
    co_return piece;
  }
  std::size_t taken = 0;
};

void shell(Workers& workers, const std::string& name, const std::string& script) {
  workers.write(name + "/bootstrap", "#!/bin/sh\n" + script + "\n", true);
  workers.add(name, CodeKind::executable, "bootstrap");
}

/// Adds functions of every language that is there, each of which gives its event back; their names.
std::vector<std::string> add_echoes(Workers& workers) {
  std::vector<std::string> names = {"Python", "Program"};
  workers.python("Python", "def lambda_handler(event, context):\n    return event\n");
  shell(workers, "Program", "cat");
  if (find_program("node")) {
    workers.write("Node/index.js", "exports.handler = (event) => event;");
    workers.add("Node", CodeKind::node, "index.handler");
    names.emplace_back("Node");
  }
  return names;
}

std::string value_of(const Ended& ended) {
  if (ended.error) FAIL(ended.error->code() << ": " << ended.error->message());
  if (!ended.result.succeeded) FAIL(ended.result.error << ": " << ended.result.cause);
  return ended.result.value.text();
}

std::string large_list(std::vector<std::string>& pieces) {
  std::string whole;
  for (std::size_t i = 0; i < 40; ++i) {
    std::string piece = (i == 0 ? "[\"" : ",\"") + std::string(i * 5000, 'x') + "\"";
    whole += piece;
    pieces.push_back(std::move(piece));
  }
  pieces.emplace_back("]");
  return whole + "]";
}

}  // namespace

TEST_CASE("an event in pieces reaches its function whole, however it is cut") {
  Workers workers;
  const std::vector<std::string> names = add_echoes(workers);
  for (const std::string& name : names) {
    INFO(name);
    for (int i = 0; i < 2; ++i) {
      Pieces alone({"[1,\"\u4e16\"]"});
      CHECK(value_of(workers.call_streaming(name, alone)) == "[1,\"\u4e16\"]");
      Pieces within_a_character({"{\"a\":\"", "\xe4", "\xb8\x96\xf0\x9f", "\x98\x80\"", "}"});
      CHECK(value_of(workers.call_streaming(name, within_a_character)) ==
            "{\"a\":\"\u4e16\U0001F600\"}");
      CHECK(workers.value(name, "[2]") == "[2]");
      std::vector<std::string> cut;
      const std::string whole = large_list(cut);
      Pieces large(cut);
      CHECK(value_of(workers.call_streaming(name, large)) == whole);
      CHECK(large.taken == cut.size() + 1);
    }
  }
  // A worker takes both kinds of call one after the other; a program runs once for each.
  CHECK(workers.pool().counters().started == names.size() - 1 + 8);
}

TEST_CASE("an event in pieces reaches a native function") {
  const char* object = std::getenv("UNUM_TEST_NATIVE");
  if (object == nullptr) UNUM_SKIP("UNUM_TEST_NATIVE names no shared object");
  Workers workers;
  workers.add("N", CodeKind::native, std::string(object) + ":describe_call");
  const std::string head = "[\"N\",\"N-unumIndex-0\",\"session-1\",\"\",2,";
  for (int i = 0; i < 2; ++i) {
    Pieces cut({"[\"\xe4", "\xb8\x96", "\"]"});
    CHECK(value_of(workers.call_streaming("N", cut)) == head + "7,[\"\u4e16\"]]");
    Pieces alone({"[1]"});
    CHECK(value_of(workers.call_streaming("N", alone)) == head + "3,[1]]");
    CHECK(workers.value("N", "[1]") == head + "3,[1]]");
    std::vector<std::string> pieces;
    const std::string whole = large_list(pieces);
    Pieces large(pieces);
    CHECK(value_of(workers.call_streaming("N", large)) ==
          head + std::to_string(whole.size()) + "," + whole + "]");
  }
  CHECK(workers.pool().counters().started == 1);
}

TEST_CASE("a worker that dies before it has all of its event is a crash, and no more is read") {
  const char* pid = GENERATE("os.getpid()", "process.pid");
  Workers workers;
  std::string name = "Python";
  if (pid == std::string_view("os.getpid()")) {
    workers.python(name,
                   "import os\ndef lambda_handler(event, context):\n    return os.getpid()\n");
  } else {
    if (!find_program("node")) UNUM_SKIP("there is no node");
    name = "Node";
    workers.write("Node/index.js", "exports.handler = () => process.pid;");
    workers.add("Node", CodeKind::node, "index.handler");
  }
  const pid_t worker = std::stoi(workers.value(name));
  std::vector<std::string> pieces(1000, std::string(100'000, ' '));
  Pieces event(pieces, [&](std::size_t place, Wait) -> Task<void> {
    if (place == 3) ::kill(worker, SIGKILL);
    co_return;
  });
  const Ended ended = workers.call_streaming(name, event);
  REQUIRE(ended.error.has_value());
  CHECK(ended.error->code() == "Unum.WorkerCrashed");
  CHECK_THAT(ended.error->message(), ContainsSubstring("SIGKILL"));
  CHECK(event.taken < 100);
  CHECK(workers.value(name) != std::to_string(worker));
}

TEST_CASE("a worker that dies while its event is waited for is a crash at once") {
  Workers workers;
  workers.python("F", "import os\ndef lambda_handler(event, context):\n    return os.getpid()\n");
  const pid_t worker = std::stoi(workers.value("F"));
  Pieces event({"[", "]"}, [&](std::size_t place, Wait wait) -> Task<void> {
    if (place == 0) co_return;
    ::kill(worker, SIGKILL);
    co_await workers.reactor.sleep_until(kNoDeadline, wait.stop);
    throw Error(ErrorKind::cancelled, "test", "Cancelled", "nobody waits");
  });
  const Ended ended = workers.call_streaming("F", event);
  REQUIRE(ended.error.has_value());
  CHECK(ended.error->code() == "Unum.WorkerCrashed");
}

TEST_CASE("a program may crash, fail or succeed before it has read its event") {
  Workers workers;
  shell(workers, "Early", "head -c 3 | wc -c");
  shell(workers, "Never", "exec <&-; echo 1");
  shell(workers, "Fails", "echo 'not this' >&2; exit 3");
  shell(workers, "Killed", "head -c 3; kill -9 $$");
  EndlessPieces endless;
  CHECK(value_of(workers.call_streaming("Early", endless)) == "3");
  CHECK(value_of(workers.call_streaming("Never", endless)) == "1");
  const Ended failed = workers.call_streaming("Fails", endless);
  CHECK(failed.result.error == "Runtime.ExitError");
  CHECK_THAT(failed.result.cause, ContainsSubstring("not this"));
  const Ended killed = workers.call_streaming("Killed", endless);
  REQUIRE(killed.error.has_value());
  CHECK(killed.error->code() == "Unum.WorkerCrashed");
  CHECK(endless.taken < 100);
}

TEST_CASE("code that cannot be loaded says so before its event has come") {
  Workers workers;
  workers.python("Python", "import no_such_module\n");
  std::vector<std::string> names = {"Python"};
  if (find_program("node")) {
    workers.write("Node/index.js", "require('./nowhere');");
    workers.add("Node", CodeKind::node, "index.handler");
    names.emplace_back("Node");
  }
  if (find_worker("unum-native-worker")) {
    workers.add("N", CodeKind::native, "missing.so");
    names.emplace_back("N");
  }
  for (const std::string& name : names) {
    INFO(name);
    EndlessPieces endless;
    const Ended ended = workers.call_streaming(name, endless);
    if (ended.error) FAIL(ended.error->message());
    CHECK(ended.result.error == "Runtime.ImportModuleError");
    CHECK(endless.taken < 100);
  }
}

TEST_CASE("a worker that answers before it has all of its event is not used again") {
  Workers workers;
  workers.options.fork_python = false;
  workers.write("shims/python_worker.py",
                "import os, struct\n"
                "answer = struct.pack('<4sB3xI', b'unm1', ord('R'), 7)\n"
                "os.read(3, 4096)\n"
                "os.write(4, answer + struct.pack('<I', 1) + b'[1]')\n"
                "os.kill(os.getpid(), 19)\n");
  workers.add("F", CodeKind::python, "app.lambda_handler");
  ::setenv("UNUM_WORKERS", workers.path("shims").c_str(), 1);
  for (int i = 0; i < 2; ++i) {
    EndlessPieces endless;
    CHECK(value_of(workers.call_streaming("F", endless)) == "[1]");
  }
  ::unsetenv("UNUM_WORKERS");
  CHECK(workers.pool().counters().started == 2);
}

TEST_CASE("what breaks an event ends its call, and no code takes it for the whole") {
  Workers workers;
  workers.python("Python", "def lambda_handler(event, context):\n    open('ran', 'w').close()\n");
  shell(workers, "Program", "cat >/dev/null; echo >ran");
  for (const std::string name : {"Python", "Program"}) {
    Pieces event({"[", "1]"}, [](std::size_t place, Wait) -> Task<void> {
      if (place == 2) throw Error(ErrorKind::corrupt, "test", "Test.Broken", "it is damaged");
      co_return;
    });
    const Ended ended = workers.call_streaming(name, event);
    REQUIRE(ended.error.has_value());
    CHECK(ended.error->code() == "Test.Broken");
    CHECK_FALSE(std::filesystem::exists(workers.path(name + "/ran")));
  }
}

TEST_CASE("the time limit of a call stands still while its event is waited for") {
  Workers workers;
  workers.python("Python",
                 "def lambda_handler(event, context):\n"
                 "    return context.get_remaining_time_in_millis()\n");
  shell(workers, "Program", "cat");
  const std::chrono::milliseconds limit(1000);
  for (FunctionCode& code : workers.functions) code.timeout = limit;
  for (const std::string name : {"Python", "Program"}) {
    Pieces slow({"3", "00"}, [&](std::size_t place, Wait) -> Task<void> {
      if (place == 1) co_await workers.reactor.sleep_until(workers.reactor.now() + limit * 3 / 2);
    });
    const int value = std::stoi(value_of(workers.call_streaming(name, slow)));
    CHECK((0 < value && value <= limit.count()));
  }
}

TEST_CASE("code that does not end in time is ended, whether or not it has its event") {
  Workers workers;
  workers.python("Python",
                 "import time\ndef lambda_handler(event, context):\n    time.sleep(1000)\n");
  shell(workers, "Reads", "cat >/dev/null; exec sleep 1000");
  shell(workers, "Unread", "exec sleep 1000");
  for (FunctionCode& code : workers.functions) code.timeout = std::chrono::milliseconds(400);
  for (const std::string name : {"Python", "Reads", "Unread"}) {
    INFO(name);
    Pieces whole({"[", "]"});
    EndlessPieces endless;
    InputStream& event = name == "Unread" ? static_cast<InputStream&>(endless) : whole;
    const Ended ended = workers.call_streaming(name, event);
    REQUIRE(ended.error.has_value());
    CHECK(ended.error->code() == "States.Timeout");
  }
}

TEST_CASE("an event in pieces has the limit of a value where it is held whole") {
  Workers workers;
  workers.python("F", "def lambda_handler(event, context):\n    return 1\n");
  Pieces event({"[", std::string(kValueBytesMax, ' ')});
  const Ended ended = workers.call_streaming("F", event);
  REQUIRE(ended.error.has_value());
  CHECK(ended.error->code() == "Unum.InputTooLarge");
  CHECK(workers.value("F") == "1");
}
