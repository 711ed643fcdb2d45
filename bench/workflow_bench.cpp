// Whole workflows: a transition between native functions, fan-outs and fan-ins of native and of
// Python functions beside multiprocessing.Pool, a durable chain beside raw durable writes.
//
// Each comparison is taken in one run, one after the other in turns, and printed as a ratio of
// medians.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "hosts/local_host.hpp"
#include "ratio.hpp"
#include "workers/worker_pool.hpp"

using namespace unum;
using bench::cpu_seconds_of;
using bench::median;
using bench::seconds_of;

namespace {

bool tiny() { return std::getenv("UNUM_BENCH_TINY") != nullptr; }

/// A directory beside the build, so that durable writes meet a disk and not a tmpfs.
class Directory {
 public:
  Directory() {
    std::string path = (std::filesystem::current_path() / "unum-bench-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = path;
  }
  /// Removed when the program ends: without a journal ext4 makes files slowly where many were
  /// deleted in the last minutes (docs/performance.md).
  ~Directory() {
    static struct Leftovers {
      std::vector<std::string> paths;
      ~Leftovers() {
        std::error_code ignored;
        for (const std::string& path : paths) std::filesystem::remove_all(path, ignored);
      }
    } leftovers;
    leftovers.paths.push_back(path_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

struct EchoCode final : UserCode {
  Task<UserResult> call(const UserCall& call, Wait) override {
    co_return UserResult::success(std::string(call.input));
  }
};

constexpr const char* kMap =
    R"({"Name": "M", "Start": true, "Next": {"Name": "Branch", "InputType": "Map"}})";
// A name that is as long as names are: instances of a shorter one fit into a std::string without an
// allocation, up to the thousandth.
constexpr const char* kBranch = R"({"Name": "Branch", "Next": {"Name": "A",
    "InputType": {"Fan-in": {"Values": ["Branch-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})";
constexpr const char* kEnd = R"({"Name": "A"})";

/// The same with lists for failures that do not happen.
constexpr const char* kBranchThatCatches = R"({"Name": "Branch", "Next": {"Name": "A",
    "InputType": {"Fan-in": {"Values": ["Branch-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]},
    "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 5}, {"ErrorEquals": ["States.ALL"]}],
    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]})";
constexpr const char* kCatcher = R"({"Name": "C"})";

void add_map_and_fan_in(LocalHost& host, UserCode& code, bool catches = false) {
  for (const char* ir : {kMap, catches ? kBranchThatCatches : kBranch, kEnd}) {
    host.add(Function::parse(ir, "bench"), code);
  }
  if (catches) host.add(Function::parse(kCatcher, "bench"), code);
}

std::string numbers(std::int64_t count) {
  std::string text = "[";
  for (std::int64_t i = 0; i < count; ++i) text += (i > 0 ? "," : "") + std::to_string(i);
  return text + "]";
}

struct OpenStore {
  OpenStore(Reactor& reactor, const std::string& type, const std::string& name, bool durable) {
    if (type != "redis") reactor.run(create_store(reactor, type, name));
    StoreOptions options;
    options.durable = durable;
    store = reactor.run(open_store(reactor, type, name, options));
  }
  std::unique_ptr<Store> store;
};

void run_once(Reactor& reactor, LocalHost& host, const std::string& input) {
  static int session = 0;
  const std::string id = "bench-" + std::to_string(::getpid()) + "-" + std::to_string(++session);
  const RunResult result = reactor.run(host.run(id, input));
  if (result.status != RunResult::Status::succeeded) {
    throw std::runtime_error(result.failures.empty() ? "failed" : result.failures.front().cause);
  }
}

double peak_megabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// One transition: payload, lookup, code, checkpoint, invocation; in a loop of 1,000 rounds.
void native_transition(benchmark::State& state) {
  constexpr int kRounds = 1000;
  Reactor reactor;
  const OpenStore store(reactor, "memory", "transition", false);
  EchoCode code;
  LocalHost host(reactor, *store.store);
  host.add(
      Function::parse(R"({"Name": "S", "Start": true, "Next": {"Name": "L", "InputType": "Scalar",
                               "Payload Modifiers": ["Push"]}})",
                      "bench"),
      code);
  host.add(Function::parse(R"({"Name": "L", "Next": [
      {"Name": "L", "InputType": "Scalar", "Exclusive": true, "Conditional": "$0 < 999",
          "Payload Modifiers": ["$0 = $0 + 1"]},
      {"Name": "E", "InputType": "Scalar", "Exclusive": true, "Payload Modifiers": ["Pop"]}]})",
                           "bench"),
           code);
  host.add(Function::parse(R"({"Name": "E"})", "bench"), code);
  for (auto _ : state) run_once(reactor, host, "1");
  state.counters["us_per_transition"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kRounds / 1e6,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(native_transition)->Unit(benchmark::kMillisecond);

/// A map and its fan-in of native functions on a store of its own.
struct NativeFanIn {
  /// `name` of the store; empty: in a directory of its own.
  NativeFanIn(const std::string& type, const std::string& name, bool durable, bool collects,
              bool catches = false)
      : store(reactor, type, name.empty() ? directory.path() : name, durable),
        host(reactor, *store.store, options(collects)) {
    add_map_and_fan_in(host, code, catches);
  }
  static LocalHostTuning options(bool collects) {
    LocalHostTuning options;
    options.session_is_new = true;
    options.runtime.collects_garbage = collects;
    return options;
  }
  void run(const std::string& input) { run_once(reactor, host, input); }

  const Directory directory;
  Reactor reactor;
  const OpenStore store;
  EchoCode code;
  LocalHost host;
};

/// What a branch does besides.
enum class Extra { none, collects, catches };

void native_fan_in(benchmark::State& state, const char* type, bool durable, Extra extra) {
  NativeFanIn workflow(type, "", durable, extra == Extra::collects, extra == Extra::catches);
  const std::int64_t width = tiny() ? 10 : state.range(0);
  const std::string input = numbers(width);
  for (auto _ : state) workflow.run(input);
  state.counters["us_per_branch"] =
      benchmark::Counter(static_cast<double>(state.iterations() * width) / 1e6,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["peak_MB"] = peak_megabytes();
}
BENCHMARK_CAPTURE(native_fan_in, memory, "memory", false, Extra::none)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(native_fan_in, memory_collected, "memory", false, Extra::collects)
    ->Arg(1000)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(native_fan_in, memory_catching, "memory", false, Extra::catches)
    ->Arg(1000)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(native_fan_in, fs_durable_collected, "fs", true, Extra::collects)
    ->Arg(1000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(native_fan_in, fs_not_durable, "fs", false, Extra::none)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(native_fan_in, fs_durable, "fs", true, Extra::none)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10000)
    ->Unit(benchmark::kMillisecond);

struct Server {
  const char* variable;  ///< Of the environment; names the server.
  const char* endpoint;  ///< The variable by which it is told to the store; null: in the name.
};

/// The name of a store of this type on the server that the environment names; empty: none.
std::string name_on_server(const std::string& type) {
  const Server server = type == "s3" ? Server{"UNUM_TEST_S3", "AWS_ENDPOINT_URL_S3"}
                        : type == "dynamodb"
                            ? Server{"UNUM_TEST_DYNAMODB", "AWS_ENDPOINT_URL_DYNAMODB"}
                            : Server{"UNUM_TEST_REDIS", nullptr};
  const char* const place = std::getenv(server.variable);
  if (place == nullptr) return {};
  if (server.endpoint == nullptr) return std::string("redis://") + place + "/8";
  ::setenv(server.endpoint, place, 1);
  ::setenv("AWS_ACCESS_KEY_ID", type == "s3" ? "unum-test" : "unumtest", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "unum-test-secret", 1);
  ::setenv("AWS_REGION", "us-east-1", 1);
  return "unum-bench-" + std::to_string(::getpid());
}

/// How time grows with the width: the slope of log(time) over log(width) from 100 to 10,000
/// branches. 1 is linear.
void native_growth(benchmark::State& state, const char* type, bool collects) {
  const std::string stored(type);
  const bool on_server = stored != "memory" && stored != "fs";
  const std::string name = on_server ? name_on_server(stored) : "";
  if (on_server && name.empty()) {
    state.SkipWithError("the environment names no server");
    return;
  }
  const std::array<std::int64_t, 2> widths = {tiny() ? 2 : 100, tiny() ? 20 : 10000};
  NativeFanIn workflow(stored, name, true, collects);
  const std::array<std::string, 2> inputs = {numbers(widths[0]), numbers(widths[1])};
  std::array<std::vector<double>, 2> seconds;
  workflow.run(inputs[0]);
  for (auto _ : state) {
    // As long as the wide one in all, so that what the machine does meanwhile meets both.
    for (int i = 0; i < 10; ++i) {
      seconds[0].push_back(seconds_of([&] { workflow.run(inputs[0]); }));
    }
    seconds[1].push_back(seconds_of([&] { workflow.run(inputs[1]); }));
  }
  state.counters["slope"] =
      std::log(median(seconds[1]) / median(seconds[0])) /
      std::log(static_cast<double>(widths[1]) / static_cast<double>(widths[0]));
}
#define UNUM_GROWTH(type)                                         \
  BENCHMARK_CAPTURE(native_growth, type, #type, false)            \
      ->Iterations(5)                                             \
      ->Unit(benchmark::kMillisecond);                            \
  BENCHMARK_CAPTURE(native_growth, type##_collected, #type, true) \
      ->Iterations(5)                                             \
      ->Unit(benchmark::kMillisecond)
UNUM_GROWTH(memory);
UNUM_GROWTH(fs);
UNUM_GROWTH(redis);
UNUM_GROWTH(s3);
UNUM_GROWTH(dynamodb);

/// Python code of one function that gives its input back.
FunctionCode python_function(const std::string& directory, const std::string& name) {
  std::ofstream(directory + "/app.py") << "def lambda_handler(event, context):\n    return event\n";
  FunctionCode code;
  code.function = name;
  code.directory = directory;
  return code;
}

/// Seconds of `pool.map(f, range(n), 1)` in a Pool(2) that is already running.
double pool_seconds(std::int64_t count) {
  const char* python = std::getenv("UNUM_PYTHON");
  const std::string script =
      "import multiprocessing, time\n"
      "def f(x): return x\n"
      "with multiprocessing.Pool(2) as pool:\n"
      "    pool.map(f, range(64), 1)\n"
      "    begun = time.perf_counter(); pool.map(f, range(" +
      std::to_string(count) +
      "), 1)\n"
      "    print(time.perf_counter() - begun)\n";
  const Directory directory;
  std::ofstream(directory.path() + "/pool.py") << script;
  const std::string command =
      std::string(python != nullptr ? python : "python3") + " " + directory.path() + "/pool.py";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  double seconds = 0;
  if (!pipe || std::fscanf(pipe.get(), "%lf", &seconds) != 1)
    throw std::runtime_error("multiprocessing failed");
  return seconds;
}

/// Python functions and a host for them; they are added by whoever runs it.
struct PythonHost {
  PythonHost(std::initializer_list<const char*> functions, unsigned workers, bool durable)
      : store(reactor, "fs", directory.path() + "/store", durable),
        pool(reactor, codes_of(functions), {.running_max = workers}) {}
  ~PythonHost() { reactor.run(pool.shutdown()); }
  PythonHost(const PythonHost&) = delete;
  PythonHost& operator=(const PythonHost&) = delete;
  void run(const std::string& input) { run_once(reactor, host, input); }
  std::vector<FunctionCode> codes_of(std::initializer_list<const char*> functions) const {
    std::vector<FunctionCode> codes;
    for (const char* name : functions) codes.push_back(python_function(directory.path(), name));
    return codes;
  }

  const Directory directory;
  Reactor reactor;
  const OpenStore store;
  WorkerPool pool;
  LocalHost host{reactor, *store.store};
};

void python_fan_in(benchmark::State& state, bool durable) {
  const std::int64_t count = tiny() ? 20 : state.range(0);
  PythonHost python({"M", "Branch", "A"}, 2, durable);
  add_map_and_fan_in(python.host, python.pool);
  const std::string input = numbers(count);
  python.run(input);  // starts the workers, as the Pool's are started
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> cpu;
  for (auto _ : state) {
    cpu.push_back(cpu_seconds_of([&] { ours.push_back(seconds_of([&] { python.run(input); })); }));
    state.SetIterationTime(ours.back());
    theirs.push_back(pool_seconds(count));
  }
  state.counters["host_cpu_us_per_branch"] = median(cpu) / static_cast<double>(count) * 1e6;
  state.counters["seconds"] = median(ours);
  state.counters["pool_seconds"] = median(theirs);
  state.counters["ratio_to_pool"] = median(ours) / median(theirs);
}
BENCHMARK_CAPTURE(python_fan_in, not_durable, false)
    ->Arg(1000)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(python_fan_in, durable, true)
    ->Arg(1000)
    ->Arg(10000)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

/// The raw way to store one value for good: temporary file, data to disk, name, name to disk.
void raw_durable_write(int directory, int number) {
  const int file = ::openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
  const std::string from = "/proc/self/fd/" + std::to_string(file);
  const std::string name = "value-" + std::to_string(number);
  if (file < 0 || ::write(file, "1", 1) != 1 || ::fdatasync(file) != 0 ||
      ::linkat(AT_FDCWD, from.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) != 0 ||
      ::fsync(directory) != 0) {
    throw std::runtime_error("the raw durable write failed");
  }
  ::close(file);
}

void durable_chain(benchmark::State& state) {
  const int steps = tiny() ? 5 : 100;
  PythonHost python({"S", "L"}, 1, true);
  python.host.add(
      Function::parse(R"({"Name": "S", "Start": true, "Next": {"Name": "L", "InputType": "Scalar",
                               "Payload Modifiers": ["Push"]}})",
                      "bench"),
      python.pool);
  python.host.add(
      Function::parse(
          R"({"Name": "L", "Next": {"Name": "L", "InputType": "Scalar", "Conditional": "$0 < )" +
              std::to_string(steps - 2) + R"(", "Payload Modifiers": ["$0 = $0 + 1"]}})",
          "bench"),
      python.pool);
  python.run("1");
  std::vector<double> ours;
  std::vector<double> raw;
  for (auto _ : state) {
    ours.push_back(seconds_of([&] { python.run("1"); }));
    state.SetIterationTime(ours.back());
    const Directory beside;
    const int fd = ::open(beside.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    raw.push_back(seconds_of([&] {
      for (int i = 0; i < steps; ++i) raw_durable_write(fd, i);
    }));
    ::close(fd);
  }
  state.counters["ms_per_step"] = median(ours) / steps * 1000;
  state.counters["ratio_to_raw_writes"] = median(ours) / median(raw);
}
BENCHMARK(durable_chain)->Iterations(5)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
