// Everything that user code can do to its worker, and what the caller then sees.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "catch.hpp"
#include "reactor/descriptor.hpp"
#include "worker_testing.hpp"

using namespace unum;
using unum::test::Ended;
using unum::test::is_running;
using unum::test::Workers;

namespace {

const char* const kEcho =
    "import os\ndef lambda_handler(event, context):\n    return os.getpid()\n";

/// One handler of a fault, and a call without it: `event` 0 does it, anything else answers with the
/// pid.
std::string faulty(const std::string& statements) {
  std::string source =
      "import os, signal, sys, threading, subprocess\ndef lambda_handler(event, context):\n";
  source += "    if event != 0:\n        return os.getpid()\n    print('about to')\n";
  std::string line;
  for (const char c : statements + "\n") {
    if (c != '\n') {
      line += c;
    } else {
      source += "    " + line + "\n";
      line.clear();
    }
  }
  return source;
}

/// The pid that a worker which takes no part in faults answers with.
long pid_of(Workers& workers, const std::string& function) {
  return std::stol(workers.value(function, "1"));
}

}  // namespace

TEST_CASE("an exception is a failure with its type, its message and the user's own traceback") {
  Workers workers;
  workers.python(
      "F",
      "class TooMany(Exception):\n    pass\n"
      "def deep(n):\n    raise TooMany(f'{n} are too many')\n"
      "def lambda_handler(event, context):\n    if event == 0:\n        deep(7)\n    return 1\n");
  const Ended ended = workers.call("F", "0");
  REQUIRE_FALSE(ended.error.has_value());
  CHECK_FALSE(ended.result.succeeded);
  CHECK(ended.result.error == "TooMany");
  CHECK(ended.result.cause.starts_with("7 are too many\n"));
  CHECK_THAT(ended.result.cause, ContainsSubstring("app.py\", line 4, in deep") &&
                                     ContainsSubstring("in lambda_handler") &&
                                     !ContainsSubstring("python_worker"));
  CHECK(workers.value("F", "1") == "1");
  CHECK(workers.pool().counters().started == 1);
}

TEST_CASE("a long cause is shortened in the middle") {
  Workers workers;
  workers.python("F", "def lambda_handler(e, c):\n    raise ValueError('x' * 1_000_000)\n");
  const Ended ended = workers.call("F");
  CHECK(ended.result.error == "ValueError");
  CHECK(ended.result.cause.size() < 64 * 1024);
  CHECK_THAT(ended.result.cause, ContainsSubstring("characters left out"));
}

TEST_CASE("case 33: a handler that does not import, or is not there, fails with the reason") {
  struct Case {
    const char* source;
    const char* handler;
    const char* error;
    const char* cause;
  };
  const Case cases[] = {
      {"import no_such_module\n", "app.f", "Runtime.ImportModuleError",
       "No module named 'no_such_module'"},
      {"x = 1 / 0\n", "app.f", "Runtime.ImportModuleError", "ZeroDivisionError"},
      {"import sys; sys.exit(3)\n", "app.f", "Runtime.ImportModuleError", "SystemExit"},
      {"def f(:\n", "app.f", "Runtime.UserCodeSyntaxError", "line 1"},
      {"x = 1\n", "app.f", "Runtime.HandlerNotFound", "'f'"},
      {"f = 1\n", "app.f", "Runtime.HandlerNotFound", "callable"},
      {"x = 1\n", "other.f", "Runtime.ImportModuleError", "other"},
      {"x = 1\n", "nodot", "Runtime.MalformedHandlerName", "MODULE.FUNCTION"},
  };
  for (const Case& one : cases) {
    Workers workers;
    workers.python("F", one.source).handler = one.handler;
    INFO(one.source << " " << one.handler);
    for (int i = 0; i < 2; ++i) {
      const Ended ended = workers.call("F");
      REQUIRE_FALSE(ended.error.has_value());
      CHECK(ended.result.error == one.error);
      CHECK_THAT(ended.result.cause, ContainsSubstring(one.cause) &&
                                         !ContainsSubstring("python_worker") &&
                                         !ContainsSubstring("frozen importlib"));
    }
  }
}

TEST_CASE("a result that is not JSON is a failure, and so is NaN") {
  Workers workers;
  workers.python(
      "F",
      "class C: pass\nloop = []\nloop.append(loop)\ndeep = []\n"
      "for _ in range(5000): deep = [deep]\nmany = []\nfor _ in range(1100): many = [many]\n"
      "def lambda_handler(event, context):\n"
      "    return eval(event)\n");
  for (const char* expression : {"float('nan')", "[float('inf')]", "{1, 2}", "C()", "b'bytes'",
                                 "loop", "deep", "{(1, 2): 3}", "many"}) {
    const Ended ended = workers.call("F", "\"" + std::string(expression) + "\"");
    INFO(expression);
    REQUIRE_FALSE(ended.error.has_value());
    CHECK(ended.result.error == "Runtime.MarshalError");
    CHECK_FALSE(ended.result.cause.empty());
  }
  CHECK(workers.value("F", R"("'\\ud800'")") == R"("\ud800")");
  CHECK(workers.pool().counters().started == 1);
}

TEST_CASE("an exit in the handler is a failure and the next call has a fresh worker") {
  Workers workers;
  workers.python("F", faulty("sys.exit(3)"));
  const long before = pid_of(workers, "F");
  const Ended ended = workers.call("F", "0");
  REQUIRE_FALSE(ended.error.has_value());
  CHECK(ended.result.error == "Runtime.ExitError");
  CHECK_THAT(ended.result.cause, ContainsSubstring("3"));
  CHECK(pid_of(workers, "F") != before);
}

TEST_CASE(
    "a worker that does not answer is a crash that says why, and the next call has a fresh one") {
  struct Case {
    const char* statements;
    const char* message;
  };
  const Case cases[] = {
      {"os._exit(3)", "exit code 3"},
      {"os.kill(os.getpid(), signal.SIGKILL)", "signal 9 (SIGKILL)"},
      {"os.kill(os.getpid(), signal.SIGSEGV)", "signal 11 (SIGSEGV)"},
      {"os.kill(os.getppid(), signal.SIGKILL)\nsignal.pause()", "process ended"},
      {"os.write(4, b'rubbish that is long enough')\nreturn 1", "file descriptor 4"},
      {"os.write(4, b'unm1R\\0\\0\\0\\4\\0\\0\\0aaaa')\nreturn 1", "file descriptor 4"},
      {"os.write(4, b'unm1R\\0\\0\\0\\xff\\xff\\xff\\xff')\nreturn 1", "file descriptor 4"},
      {"os.close(4)\nsignal.pause()", "closed file descriptor 4"},
      {"os.close(4)\nreturn 1", "exit code 70"},
      {"os.closerange(3, 100)\nreturn 1", "exit code 70"},
      {"threading.Thread(target=lambda: os._exit(9)).start()\nsignal.pause()", "exit code 9"},
  };
  for (const Case& one : cases) {
    Workers workers;
    const bool kills_parent = std::string(one.statements).find("getppid") != std::string::npos;
    workers.options.fork_python = true;
    workers.python("F", faulty(one.statements));
    workers.python("G", kEcho);
    INFO(one.statements);
    pid_of(workers, "F");
    const Ended ended = workers.call("F", "0");
    REQUIRE(ended.error.has_value());
    CHECK(ended.error->kind() == ErrorKind::disconnected);
    CHECK(ended.error->code() == "Unum.WorkerCrashed");
    CHECK(ended.error->origin() == "worker");
    CHECK_THAT(ended.error->message(),
               ContainsSubstring(one.message) && ContainsSubstring("F-unumIndex-0"));
    CHECK_THAT(ended.error->message(), ContainsSubstring("about to"));
    CHECK_THAT(workers.output, ContainsSubstring("F-unumIndex-0|about to\n"));
    pid_of(workers, "F");
    pid_of(workers, "G");
    CHECK(workers.pool().counters().crashed == 1);
    if (!kills_parent) CHECK(workers.pool().counters().started <= 4);
  }
}

TEST_CASE("a directory that is gone when its worker begins is named") {
  Workers workers;
  workers.options.fork_python = true;
  workers.python("F", kEcho);
  workers.pool().prepare();
  std::filesystem::remove_all(workers.path("F"));
  const Ended ended = workers.call("F", "0");
  REQUIRE(ended.error.has_value());
  CHECK(ended.error->code() == "Unum.WorkerCrashed");
  CHECK(ended.error->message().find("cannot enter the directory of F: ") != std::string::npos);
  CHECK(ended.error->message().find(workers.path("F")) != std::string::npos);
}

TEST_CASE("a worker started without the fork server crashes the same way") {
  Workers workers;
  workers.options.fork_python = false;
  workers.python("F", faulty("os.kill(os.getpid(), signal.SIGKILL)"));
  pid_of(workers, "F");
  const Ended ended = workers.call("F", "0");
  REQUIRE(ended.error.has_value());
  CHECK_THAT(ended.error->message(),
             ContainsSubstring("signal 9 (SIGKILL)") && ContainsSubstring("about to"));
  pid_of(workers, "F");
}

TEST_CASE("what user code may do without harm") {
  const char* const harmless[] = {
      "os.chdir('/')\nreturn 1",
      "sys.stdout = None\nsys.stderr = open(os.devnull, 'w')\nreturn 1",
      "sys.stdout.close()\nreturn 1",
      "os.close(1)\nos.close(2)\nreturn 1",
      "os.close(0)\nreturn 1",
      "pid = os.fork()\nif pid == 0:\n    return 'from the child'\nos.waitpid(pid, 0)\nreturn 1",
      "threading.Thread(target=signal.pause, daemon=True).start()\nreturn 1",
      "subprocess.run(['true'], check=True)\nreturn 1",
      "subprocess.Popen(['sleep', '1000'])\nreturn 1",
      "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nreturn 1",
      "sys.setrecursionlimit(100)\nreturn 1",
      "sys.path.clear()\nsys.modules.pop('json', None)\nreturn 1",
  };
  for (const char* statements : harmless) {
    Workers workers;
    workers.options.stop_grace = std::chrono::milliseconds(0);
    workers.python("F", faulty(statements));
    INFO(statements);
    const long pid = pid_of(workers, "F");
    CHECK(workers.value("F", "0") == "1");
    CHECK(pid_of(workers, "F") == pid);
  }
}

TEST_CASE("an event that Python cannot decode is a failure") {
  Workers workers;
  workers.python("F", "def lambda_handler(e, c):\n    return 1\n");
  std::string deep(900, '[');
  deep += std::string(900, ']');
  const Ended ended = workers.call("F", deep);
  REQUIRE_FALSE(ended.error.has_value());
  // Newer interpreters take this depth, older ones answer RecursionError.
  CHECK((ended.result.succeeded || ended.result.error == "Runtime.UnmarshalError"));
  const Ended huge = workers.call("F", std::string(10'000, '1'));
  REQUIRE_FALSE(huge.error.has_value());
  CHECK((huge.result.succeeded || huge.result.error == "Runtime.UnmarshalError"));
}

TEST_CASE("a call without an answer ends at its time-out, and its process group with it") {
  Workers workers;
  workers
      .python("F", faulty("child = subprocess.Popen(['sleep', '1000'])\n"
                          "print('pids', os.getpid(), child.pid)\nprint('end')\nsignal.pause()"))
      .timeout = std::chrono::milliseconds(1500);
  pid_of(workers, "F");
  const Ended ended = workers.call("F", "0");
  REQUIRE(ended.error.has_value());
  CHECK(ended.error->kind() == ErrorKind::timeout);
  CHECK(ended.error->code() == "States.Timeout");
  CHECK_THAT(ended.error->message(), ContainsSubstring("1.5 s") && ContainsSubstring("about to"));
  const std::size_t at = workers.output.find("pids ");
  REQUIRE(at != std::string::npos);
  long worker = 0;
  long child = 0;
  REQUIRE(std::sscanf(workers.output.c_str() + at, "pids %ld %ld", &worker, &child) == 2);
  workers.reactor.run(workers.pool().shutdown());
  CHECK_FALSE(is_running(worker));
  // It was sent its signal, but it is nobody's here to wait for.
  const Deadline patience = Clock::now() + std::chrono::seconds(20);
  while (is_running(child) && Clock::now() < patience) {
  }
  CHECK_FALSE(is_running(child));
}

TEST_CASE("a deadline of the caller's ends a call, and one that waits for a place") {
  Workers workers;
  workers.options.running_max = 1;
  workers.python("F", faulty("signal.pause()")).timeout = std::chrono::milliseconds(0);
  pid_of(workers, "F");
  std::vector<Ended> ended;
  TaskGroup group;
  const auto one = [&](std::string event, Wait wait) -> Task<void> {
    ended.push_back(co_await workers.try_call("F", std::move(event), "F", wait));
  };
  const Deadline soon = Clock::now() + std::chrono::milliseconds(300);
  group.spawn(one("0", Wait{soon, {}}));
  group.spawn(one("1", Wait{soon - std::chrono::milliseconds(200), {}}));
  group.spawn(one("1", {}));
  workers.reactor.run(group.drain());
  REQUIRE(ended.size() == 3);
  REQUIRE(ended[0].error.has_value());
  CHECK_THAT(ended[0].error->message(), ContainsSubstring("no worker was free"));
  REQUIRE(ended[1].error.has_value());
  CHECK(ended[1].error->kind() == ErrorKind::timeout);
  CHECK_FALSE(ended[2].error.has_value());
}

TEST_CASE("a stop ends the call that runs with SIGTERM, and the one that waits; the pool goes on") {
  Workers workers;
  workers.options.running_max = 1;
  workers.options.stop_grace = std::chrono::milliseconds(60'000);
  workers.python(
      "F",
      "import os, signal\n"
      // The signal may come in the middle of a print(), which another one inside it would break.
      "def ended(number, frame):\n    os.write(1, b'cleaning up\\n')\n    os._exit(0)\n"
      "def lambda_handler(event, context):\n"
      "    if event != 0:\n        return event\n"
      "    signal.signal(signal.SIGTERM, ended)\n    print('ready')\n    signal.pause()\n");
  StopSource stop;
  workers.options.output = [&, before = workers.options.output](const OutputLine& line) {
    before(line);
    if (line.text == "ready") stop.request("Ctrl-C");
  };
  std::vector<Ended> ended;
  TaskGroup group;
  const auto one = [&](std::string event, Wait wait) -> Task<void> {
    ended.push_back(co_await workers.try_call("F", std::move(event), "F", wait));
  };
  group.spawn(one("0", Wait{kNoDeadline, stop.token()}));
  group.spawn(one("1", Wait{kNoDeadline, stop.token()}));
  group.spawn(one("2", {}));
  workers.reactor.run(group.drain());
  REQUIRE(ended.size() == 3);
  int cancelled = 0;
  for (const Ended& end : ended) {
    if (!end.error) {
      CHECK(end.result.value == "2");
      continue;
    }
    ++cancelled;
    CHECK(end.error->kind() == ErrorKind::cancelled);
    CHECK_THAT(end.error->message(), ContainsSubstring("Ctrl-C"));
  }
  CHECK(cancelled == 2);
  workers.reactor.run(workers.pool().shutdown());
  CHECK_THAT(workers.output, ContainsSubstring("F|ready\nF|cleaning up\n"));
}

TEST_CASE("shutting down ends what runs, what waits and what is idle, also what ignores SIGTERM") {
  Workers workers;
  workers.options.running_max = 1;
  workers.options.stop_grace = std::chrono::milliseconds(50);
  workers.python(
      "F", faulty("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', os.getpid())\n"
                  "signal.pause()\nsignal.pause()"));
  workers.python("G", kEcho);
  const long idle = pid_of(workers, "G");
  long running = 0;
  TaskGroup group;
  workers.options.output = [&](const OutputLine&) {};
  std::vector<Ended> ended;
  const auto one = [&](std::string event) -> Task<void> {
    ended.push_back(co_await workers.try_call("F", std::move(event), "F", {}));
  };
  group.spawn(one("0"));
  group.spawn(one("1"));
  while (workers.output.find("ready ") == std::string::npos) workers.reactor.run_once(kNoDeadline);
  running = std::stol(workers.output.substr(workers.output.find("ready ") + 6));
  CHECK(is_running(idle));
  CHECK(is_running(running));
  workers.reactor.run(workers.pool().shutdown());
  CHECK_FALSE(is_running(idle));
  CHECK_FALSE(is_running(running));
  workers.reactor.run(group.drain());
  REQUIRE(ended.size() == 2);
  for (const Ended& end : ended) {
    REQUIRE(end.error.has_value());
    CHECK(end.error->kind() == ErrorKind::cancelled);
  }
  const Ended late = workers.call("G");
  REQUIRE(late.error.has_value());
  CHECK(late.error->kind() == ErrorKind::cancelled);
  CHECK(workers.pool().counters().processes == 0);
}

TEST_CASE("a worker that died while it was idle costs no call its run") {
  Workers workers;
  workers.options.fork_python = GENERATE(true, false);
  workers.python("F", kEcho);
  for (int i = 0; i < 5; ++i) {
    const long pid = pid_of(workers, "F");
    REQUIRE(::kill(static_cast<pid_t>(pid), SIGKILL) == 0);
    while (is_running(pid)) {
    }
    CHECK(pid_of(workers, "F") != pid);
  }
}

TEST_CASE("a worker that writes to a host which does not read its output goes on once it does") {
  Workers workers;
  workers.python(
      "F", "import sys\ndef lambda_handler(e, c):\n    print('y' * 3_000_000)\n    return 1\n");
  CHECK(workers.value("F") == "1");
}

TEST_CASE("when the host is killed, its workers end too") {
  const bool fork_python = GENERATE(true, false);
  INFO("fork_python " << fork_python);
  // Whatever of it is left behind becomes ours, so that we can wait for its end instead of looking.
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t host = ::fork();
  if (host == 0) {
    ::close(ends[0]);
    Workers workers;
    workers.options.fork_python = fork_python;
    workers.options.output = [&](const OutputLine& line) {
      const std::string text = std::string(line.text) + "\n";
      if (::write(ends[1], text.data(), text.size()) < 0) ::_exit(1);
      if (line.text == "ready") ::kill(::getpid(), SIGKILL);
    };
    workers.python("F", faulty("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid())\n"
                               "print('ready')\nwhile True: pass"));
    workers.call("F", "0");
    ::_exit(2);
  }
  ::close(ends[1]);
  std::string text;
  char byte = 0;
  while (::read(ends[0], &byte, 1) == 1) text += byte;
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(host, &status, 0) == host);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE_THAT(text, ContainsSubstring("ready"));
  const std::size_t line = text.find('\n');
  REQUIRE(line != std::string::npos);
  const long worker = std::stol(text.substr(line + 1));
  // Those that are idle may see the end of their pipe first, and end by themselves.
  while (::waitpid(-1, &status, 0) > 0) {
  }
  CHECK(errno == ECHILD);
  CHECK_FALSE(is_running(worker));
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}
