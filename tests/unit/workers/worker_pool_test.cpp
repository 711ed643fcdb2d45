// Workers of Python as they should be used: results, context, output, reuse, places, order.
#include "workers/worker_pool.hpp"

#include <cstdlib>
#include <set>

#include "base/json.hpp"
#include "catch.hpp"
#include "worker_testing.hpp"

using namespace unum;
using unum::test::Ended;
using unum::test::Workers;

TEST_CASE("a Python function gets the event and its result comes back as it is") {
  Workers workers;
  workers.python("Echo", "def lambda_handler(event, context):\n    return event\n");
  for (const char* event :
       {"null", "true", "0", "-1.5", "\"text\"", "[]", "{}", "{\"a\":[1,2,{\"b\":null}]}",
        "12345678901234567890123", "\"\u00e9\u4e16\U0001F600\"", "\"\\ud800\""}) {
    CHECK(workers.value("Echo", event) == event);
  }
}

TEST_CASE("a worker is started once and used again") {
  Workers workers;
  workers.python("Count",
                 "import os\nn = 0\ndef lambda_handler(event, context):\n"
                 "    global n\n    n += 1\n    return [n, os.getpid()]\n");
  const std::string first = workers.value("Count");
  const std::string pid = first.substr(first.find(','));
  CHECK(first.substr(0, 2) == "[1");
  CHECK(workers.value("Count") == "[2" + pid);
  CHECK(workers.value("Count") == "[3" + pid);
  CHECK(workers.pool().counters().started == 1);
}

TEST_CASE("each function has a process, a directory and an environment of its own") {
  Workers workers;
  workers.options.fork_python = GENERATE(true, false);
  const char* source =
      "import os, sys\nimport helper\n"
      "def lambda_handler(event, context):\n"
      "    return [os.getcwd(), sys.path[0], helper.NAME, os.environ.get('COLOUR'), "
      "os.environ['_HANDLER'],\n"
      "            os.environ['AWS_LAMBDA_FUNCTION_NAME'], "
      "os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],\n"
      "            os.environ['LAMBDA_TASK_ROOT']]\n";
  workers.python("A", source).environment = {{"COLOUR", "red"}};
  workers.python("B", source).memory_mb = 1024;
  workers.write("A/helper.py", "NAME = 'a'\n");
  workers.write("B/helper.py", "NAME = 'b'\n");
  const auto expected = [&](const std::string& name, const char* helper, const char* colour,
                            const char* memory) {
    const std::string directory = "\"" + workers.path(name) + "\"";
    return "[" + directory + "," + directory + "," + helper + "," + colour +
           ",\"app.lambda_handler\",\"" + name + "\"," + memory + "," + directory + "]";
  };
  CHECK(workers.value("A") == expected("A", "\"a\"", "\"red\"", "\"512\""));
  CHECK(workers.value("B") == expected("B", "\"b\"", "null", "\"1024\""));
}

TEST_CASE("variables that an interpreter reads at its start are there at its start") {
  Workers workers;
  workers.python("F", "import sys\ndef lambda_handler(e, c):\n    return sys.flags.optimize\n")
      .environment = {{"PYTHONOPTIMIZE", "2"}};
  workers.python("G", "import more\ndef lambda_handler(e, c):\n    return more.X\n").environment = {
      {"PYTHONPATH", workers.path("G/lib")}};
  workers.write("G/lib/more.py", "X = 7\n");
  CHECK(workers.value("F") == "2");
  CHECK(workers.value("G") == "7");
}

TEST_CASE("the context has the fields that it has on Lambda, and the instance") {
  Workers workers;
  workers
      .python("F",
              "def lambda_handler(event, c):\n"
              "    left = c.get_remaining_time_in_millis()\n"
              "    return [c.function_name, c.function_version, "
              "c.invoked_function_arn.split(':')[-1],\n"
              "            c.memory_limit_in_mb, len(c.aws_request_id), c.log_group_name,\n"
              "            bool(c.log_stream_name), 4000 < left <= 5000, c.unum_session, "
              "c.unum_instance,\n"
              "            c.unum_attempt]\n")
      .timeout = std::chrono::milliseconds(5000);
  CHECK(workers.value("F") ==
        "[\"F\",\"$LATEST\",\"F\",\"512\",36,\"/aws/lambda/F\",true,true,\"session-1\","
        "\"F-unumIndex-0\",2]");
}

TEST_CASE("a handler may stand in a package, with slashes or with dots") {
  for (const char* handler : {"pkg/mod.handle", "pkg.mod.handle", "pkg/sub/deep.handle"}) {
    Workers workers;
    const std::string name = "F";
    workers.add(name, CodeKind::python, handler);
    workers.write(name + "/pkg/__init__.py", "");
    workers.write(name + "/pkg/mod.py",
                  "from . import other\ndef handle(e, c):\n    return other.X\n");
    workers.write(name + "/pkg/other.py", "X = 1\n");
    workers.write(name + "/pkg/sub/deep.py", "def handle(e, c):\n    return 1\n");
    CHECK(workers.value(name) == "1");
  }
}

TEST_CASE("a module of the user's may have the name of one that the worker uses itself") {
  for (const char* module : {"traceback", "struct", "json", "python_worker", "worker"}) {
    Workers workers;
    const std::string name = std::string("F_") + module;
    workers.add(name, CodeKind::python, std::string(module) + ".handler");
    workers.write(name + "/" + module + ".py", "def handler(e, c):\n    return 'mine'\n");
    CHECK(workers.value(name) == "\"mine\"");
  }
}

TEST_CASE(
    "output is handed on by line, labelled with the instance that wrote it, before the call "
    "returns") {
  Workers workers;
  workers.python(
      "F",
      "import sys, os\nprint('importing')\n"
      "def lambda_handler(event, context):\n"
      "    print('out', event)\n    print('err', file=sys.stderr)\n"
      "    sys.stdout.write('no newline')\n    sys.stdout.flush()\n    os.write(1, b' raw')\n"
      "    return None\n");
  workers.call("F", "1", "F-unumIndex-1");
  CHECK(workers.output ==
        "F-unumIndex-1|importing\nF-unumIndex-1|out 1\nF-unumIndex-1|err\nF-unumIndex-1|no newline "
        "raw\n");
  workers.output.clear();
  workers.call("F", "2", "F-unumIndex-2");
  CHECK(workers.output == "F-unumIndex-2|out 2\nF-unumIndex-2|err\nF-unumIndex-2|no newline raw\n");
}

TEST_CASE("what Python has not yet written of its output belongs to the call that printed it") {
  Workers workers;
  workers.python("F", "def lambda_handler(event, context):\n    print(event, end='')\n")
      .environment = {{"PYTHONUNBUFFERED", ""}};
  CHECK(workers.value("F", "1") == "null");
  CHECK(workers.value("F", "2") == "null");
  CHECK(workers.output == "F-unumIndex-0|1\nF-unumIndex-0|2\n");
}

TEST_CASE("a line that never ends is handed on in pieces") {
  Workers workers;
  std::size_t bytes = 0;
  std::size_t longest = 0;
  std::size_t pieces = 0;
  workers.options.output = [&](const OutputLine& line) {
    bytes += line.text.size();
    longest = std::max(longest, line.text.size());
    pieces += line.continues ? 1 : 0;
  };
  workers.python("F",
                 "import os\ndef lambda_handler(e, c):\n"
                 "    for i in range(100):\n        os.write(2, b'x' * 10000)\n");
  CHECK(workers.value("F") == "null");
  CHECK(bytes == 1'000'000);
  CHECK(longest == kOutputLineBytesMax);
  CHECK(pieces == 1'000'000 / kOutputLineBytesMax);
}

TEST_CASE("large events and results go through") {
  Workers workers;
  workers.python("F", "def lambda_handler(e, c):\n    return e\n");
  for (const std::size_t size : {48'000u, 65'000u, 65'536u, 70'000u, 5'000'000u}) {
    const std::string event = "\"" + std::string(size, 'x') + "\"";
    CHECK(workers.value("F", event) == event);
  }
}

TEST_CASE("100 MB of output is no trouble") {
  Workers workers;
  workers.python("F", "def lambda_handler(e, c):\n    return 'x' * 100_000_000\n");
  CHECK(workers.value("F").size() == 100'000'002);
  CHECK(workers.value("F", "1").size() == 100'000'002);
}

TEST_CASE("no more calls run at once than there are places, and the first comes first") {
  Workers workers;
  workers.options.running_max = 3;
  workers.python("F", "def lambda_handler(e, c):\n    return e\n");
  workers.python("G", "def lambda_handler(e, c):\n    return e\n");
  std::vector<int> ended;
  std::size_t most = 0;
  TaskGroup group;
  const auto one = [&](int i) -> Task<void> {
    const Ended result =
        co_await workers.try_call(i % 2 == 0 ? "F" : "G", std::to_string(i), "x", {});
    REQUIRE_FALSE(result.error.has_value());
    CHECK(result.result.value == std::to_string(i));
    most = std::max(most, workers.pool().counters().running);
    ended.push_back(i);
  };
  for (int i = 0; i < 200; ++i) group.spawn(one(i));
  CHECK(workers.pool().counters().running == 3);
  CHECK(workers.pool().counters().waiting == 197);
  workers.reactor.run(group.drain());
  CHECK(most == 3);
  REQUIRE(ended.size() == 200);
  // The last to wait is among the last to end: at most the other two places may overtake it.
  for (int i = 0; i < 200; ++i) CHECK(ended[static_cast<std::size_t>(i)] < i + 150);
  CHECK(workers.pool().counters().started <= 7);
}

TEST_CASE("a hundred functions do not keep a hundred processes, nor restart one for each call") {
  Workers workers;
  workers.options.idle_max = 10;
  for (int i = 0; i < 30; ++i) {
    workers.python("F" + std::to_string(i), "def lambda_handler(e, c):\n    return e + 1\n");
  }
  std::string value = "0";
  for (int i = 0; i < 30; ++i) value = workers.value("F" + std::to_string(i), value);
  CHECK(value == "30");
  // Ten idle ones, one ahead, and those whose end is on its way.
  CHECK(workers.pool().counters().evicted == 20);
  const std::uint64_t started = workers.pool().counters().started;
  for (int i = 20; i < 30; ++i) workers.value("F" + std::to_string(i), value);
  CHECK(workers.pool().counters().started == started);
}

TEST_CASE("what is missing is told before anything runs") {
  Workers workers;
  const auto message = [&]() -> std::string {
    try {
      workers.pool().prepare();
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::not_found);
      return error.message();
    }
    return "nothing was thrown";
  };
  SECTION("a code directory") {
    workers.add("F", CodeKind::python, "app.lambda_handler").directory = "/nowhere/at/all";
    CHECK_THAT(message(), ContainsSubstring("F") && ContainsSubstring("/nowhere/at/all"));
  }
  SECTION("an executable") {
    workers.add("F", CodeKind::executable, "count");
    CHECK_THAT(message(), ContainsSubstring("bootstrap") && ContainsSubstring("/F/count"));
  }
  SECTION("an interpreter") {
    workers.python("F", "");
    ::setenv("UNUM_PYTHON", "/no/such/python", 1);
    const std::string text = message();
    ::unsetenv("UNUM_PYTHON");
    CHECK_THAT(text, ContainsSubstring("/no/such/python") && ContainsSubstring("UNUM_PYTHON"));
  }
  SECTION("a function") {
    const Ended ended = workers.call("Nobody");
    REQUIRE(ended.error.has_value());
    CHECK_THAT(ended.error->message(), ContainsSubstring("Nobody"));
  }
}
