// Calls of Python functions through the pool, beside the bare pipes of the same shim, beside
// multiprocessing.Pool, and beside starting an interpreter each time.
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ratio.hpp"
#include "unum/task_group.hpp"
#include "workers/worker_files.hpp"
#include "workers/worker_pool.hpp"
#include "workers/worker_process.hpp"
#include "workers/worker_protocol.hpp"

using namespace unum;

namespace {

constexpr std::string_view kHandler = "def lambda_handler(event, context):\n    return event + 1\n";

/// Functions F0, F1, ... whose code is one trivial handler.
class Code {
 public:
  Code() {
    std::string pattern = (std::filesystem::temp_directory_path() / "unum-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
    std::ofstream(path_ / "app.py") << kHandler;
  }
  ~Code() { std::filesystem::remove_all(path_); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  std::vector<FunctionCode> functions(std::size_t count) const {
    std::vector<FunctionCode> all(count);
    for (std::size_t i = 0; i < count; ++i) {
      all[i].function = "F" + std::to_string(i);
      all[i].directory = path_.string();
    }
    return all;
  }

 private:
  std::filesystem::path path_;
};

UserCall call_of(std::string_view function) {
  return {.function = function,
          .instance = "F-unumIndex-1",
          .session = "3f9c0c1e-8c7e-4b52-9a51-0d6f2f2c7a10",
          .input = json::View::trusted("41"),
          .traceparent = {},
          .attempt = 1};
}

Task<void> one_call(WorkerPool& pool, std::string_view function) {
  const UserResult result = co_await pool.call(call_of(function), Wait{});
  if (result.value != "42") throw std::runtime_error("a wrong result: " + result.cause);
}

Task<void> calls_one_by_one(WorkerPool& pool, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await one_call(pool, "F0");
}

Task<void> calls_at_once(WorkerPool& pool, std::size_t count) {
  co_await for_each_bounded(count, count, [&](std::size_t) { return one_call(pool, "F0"); });
}

Task<void> first_calls(Reactor& reactor, const std::vector<FunctionCode>& functions) {
  WorkerPool pool(reactor, functions, {.running_max = 2});
  pool.prepare();
  for (const FunctionCode& code : functions) co_await one_call(pool, code.function);
  co_await pool.shutdown();
}

/// The same shim, spoken to by nothing but write(2) and read(2).
class BareWorker {
 public:
  explicit BareWorker(const FunctionCode& code) {
    WorkerFarEnds far;
    make_worker_pipes(pipes_, far);
    SpawnOptions options;
    options.argv = {find_program("python3").value(), find_worker("python_worker.py").value()};
    options.descriptors = {{worker::kRequestDescriptor, pipes_.requests_far.get()},
                           {worker::kResponseDescriptor, far.responses.get()}};
    process_ = Process::spawn(options);
    std::string load;
    worker::append_load(load, code, nullptr);
    write(load);
    worker::append_call(call_, call_of(code.function), 1, 60'000);
    call_ += "41";
  }
  void calls(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      write(call_);
      char answer[256];
      const ssize_t bytes = ::read(pipes_.responses.get(), answer, sizeof answer);
      if (bytes < 2 || std::string_view(answer + bytes - 2, 2) != "42") {
        throw std::runtime_error("a wrong answer");
      }
    }
  }

 private:
  void write(const std::string& bytes) {
    if (::write(pipes_.requests.get(), bytes.data(), bytes.size()) !=
        static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("write");
    }
  }

  WorkerPipes pipes_;
  Process process_;
  std::string call_;
};

/// multiprocessing.Pool(2) with chunks of one; it maps once for each line it is sent.
class PythonPool {
 public:
  explicit PythonPool(std::size_t count) {
    WorkerFarEnds far;
    make_worker_pipes(pipes_, far);
    SpawnOptions options;
    options.argv = {find_program("python3").value(), "-c",
                    "import sys, multiprocessing, os\n"
                    "def f(x): return x + 1\n"
                    "with multiprocessing.Pool(2) as pool:\n"
                    "    while os.read(3, 1):\n"
                    "        pool.map(f, range(" +
                        std::to_string(count) +
                        "), chunksize=1)\n"
                        "        os.write(4, b'.')\n"};
    options.descriptors = {{3, pipes_.requests_far.get()}, {4, far.responses.get()}};
    process_ = Process::spawn(options);
    map();
  }
  void map() {
    char byte = '.';
    if (::write(pipes_.requests.get(), &byte, 1) != 1 ||
        ::read(pipes_.responses.get(), &byte, 1) != 1) {
      throw std::runtime_error("multiprocessing.Pool did not answer");
    }
  }

 private:
  WorkerPipes pipes_;
  Process process_;
};

Task<void> start_interpreters(Reactor& reactor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    SpawnOptions options;
    options.argv = {"python3", "-c", "pass"};
    Process process = Process::spawn(options);
    co_await process.wait_exit(reactor);
  }
}

/// This thread, and what it starts, on one processor. Where two that take turns run, the kernel
/// chooses, and on an idle machine it may send each message to a processor that sleeps: five times
/// the time of a call, for either of two alternatives, by chance.
class OneProcessor {
 public:
  OneProcessor() {
    static const int processor = ::sched_getcpu();
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(processor), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OneProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  cpu_set_t before_;
};

/// What a comparison needs, and the end of it.
struct Bench {
  Code code;
  Reactor reactor;
  std::vector<FunctionCode> functions = code.functions(20);
  WorkerPool pool{reactor, functions, {.running_max = 2}};
  WorkerPool one_worker{reactor, functions, {.running_max = 1}};
  std::optional<BareWorker> bare;
  PythonPool python_pool{bench::size(1000, 10)};
  Bench() {
    const OneProcessor here;
    bare.emplace(functions[0]);
    reactor.run(calls_one_by_one(one_worker, 1));
  }
  ~Bench() {
    reactor.run(pool.shutdown());
    reactor.run(one_worker.shutdown());
  }
};

/// Made and ended by main: coroutines cannot run once the thread's own objects are gone.
Bench* bench_in_use = nullptr;

void register_all() {
  Bench& b = *bench_in_use;
  const std::size_t calls = bench::size(500, 5);
  bench::compare(
      "Python call", "bare pipes of the shim", 1.3, calls, 101,
      [=, &b] {
        const OneProcessor here;
        b.reactor.run(calls_one_by_one(b.one_worker, calls));
      },
      [=, &b] {
        const OneProcessor here;
        b.bare->calls(calls);
      });
  const std::size_t many = bench::size(1000, 10);
  bench::compare(
      "Python call, 2 workers", "multiprocessing.Pool(2)", 1.0, many, 51,
      [=, &b] { b.reactor.run(calls_at_once(b.pool, many)); }, [&b] { b.python_pool.map(); });
  bench::compare(
      "first calls of 20 functions", "starting python3 20 times", 0.5, 20, 7,
      [&b] { b.reactor.run(first_calls(b.reactor, b.functions)); },
      [&b] { b.reactor.run(start_interpreters(b.reactor, 20)); });
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench;
  bench_in_use = &bench;
  return unum::bench::run_all(argc, argv, register_all);
}
