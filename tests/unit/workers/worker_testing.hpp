// What the tests of workers share: an application's code in a directory of its own, a pool, calls.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support/scratch.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/stop.hpp"
#include "unum/task_group.hpp"
#include "workers/worker_pool.hpp"

namespace unum::test {

/// How a call ended: a result, or the error it threw.
struct Ended {
  UserResult result;
  std::optional<Error> error;
};

class Workers {
 public:
  Workers() {
    options.output = [this](const OutputLine& line) {
      output += std::string(line.instance) + "|" + std::string(line.text) +
                (line.continues ? "\\" : "") + "\n";
    };
  }
  ~Workers() {
    if (pool_) reactor.run(pool_->shutdown());
    pool_.reset();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  std::string path(const std::string& name) const { return root_ / name; }

  void write(const std::string& name, std::string_view text, bool executable = false) const {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    if (executable) {
      std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    }
  }

  /// A function whose code is in `<root>/<name>`.
  FunctionCode& add(const std::string& name, CodeKind kind, const std::string& handler) {
    std::filesystem::create_directories(path(name));
    FunctionCode code;
    code.function = name;
    code.kind = kind;
    code.directory = path(name);
    code.handler = handler;
    functions.push_back(std::move(code));
    return functions.back();
  }
  FunctionCode& python(const std::string& name, std::string_view source) {
    write(name + "/app.py", source);
    return add(name, CodeKind::python, "app.lambda_handler");
  }

  WorkerPool& pool() {
    if (!pool_) pool_ = std::make_unique<WorkerPool>(reactor, functions, options);
    return *pool_;
  }

  Task<Ended> try_call(std::string function, std::string input, std::string instance, Wait wait,
                       InputStream* stream = nullptr) {
    Ended ended;
    const UserCall call{.function = function,
                        .instance = instance,
                        .session = "session-1",
                        .input = json::View::trusted(input),
                        .traceparent = {},
                        .attempt = 2,
                        .input_stream = stream};
    try {
      ended.result = co_await pool().call(call, wait);
    } catch (const Error& error) {
      ended.error = error;
    }
    co_return ended;
  }
  Ended call(std::string function, std::string input = "{}", std::string instance = "") {
    if (instance.empty()) instance = function + "-unumIndex-0";
    return reactor.run(try_call(std::move(function), std::move(input), std::move(instance), {}));
  }
  Ended call_streaming(std::string function, InputStream& event) {
    std::string instance = function + "-unumIndex-0";
    return reactor.run(try_call(std::move(function), "null", std::move(instance), {}, &event));
  }
  /// The result of a call that must succeed.
  std::string value(std::string function, std::string input = "{}") {
    const Ended ended = call(std::move(function), std::move(input));
    if (ended.error) FAIL(ended.error->code() << ": " << ended.error->message());
    if (!ended.result.succeeded) FAIL(ended.result.error << ": " << ended.result.cause);
    return ended.result.value.text();
  }

  Reactor reactor;
  std::vector<FunctionCode> functions;
  WorkerPoolOptions options{.running_max = 2};
  std::string output;  ///< "<instance>|<line>\n" each.

 private:
  const Scratch root_;
  std::unique_ptr<WorkerPool> pool_;
};

/// Whether a process exists that is not a zombie.
inline bool is_running(long pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const std::size_t end_of_name = stat.rfind(')');
  return end_of_name != std::string::npos && stat.at(end_of_name + 2) != 'Z';
}

}  // namespace unum::test
