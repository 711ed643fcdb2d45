// An application whose functions are this program: text in memory for the workflow, coroutines on
// the reactor for the code. It counts the lines of files, all of them at once on one thread.
//
//   c++ -std=c++20 handlers.cpp $(pkg-config --cflags --libs unum-cpp) -o handlers
//   ./handlers fs /path/of/an/existing/store SESSION FILE...
#include <unum/unum.hpp>

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <string_view>

using namespace unum;

/// As in unum-template.yaml. No function has a directory, since none runs in a worker process.
const char* const kTemplate = R"(
Globals: {ApplicationName: count-lines}
Functions:
  Files: {Properties: {CodeUri: files, Runtime: native, Start: true}}
  Count: {Properties: {CodeUri: count, Runtime: native}}
  Sum:   {Properties: {CodeUri: sum,   Runtime: native}}
)";

/// Its input is a list of paths, which is passed on: one instance of Count for each.
struct Files final : UserCode {
  Task<UserResult> call(const UserCall& call, Wait) override {
    co_return UserResult::success(json::Text(call.input));
  }
};

/// Reads a file on the reactor: what it waits for, others do not.
class Count final : public UserCode {
 public:
  explicit Count(Reactor& reactor) : reactor_(reactor) {}

  Task<UserResult> call(const UserCall& call, Wait wait) override {
    // A JSON string; these paths need no escapes.
    const std::string_view text = call.input;
    const std::string path(text.substr(1, text.size() - 2));
    const int fd = co_await reactor_.open_at(AT_FDCWD, path.c_str(), O_RDONLY, 0, wait);
    if (fd < 0) co_return UserResult::failure("CannotOpen", path + ": " + std::strerror(-fd));
    std::array<std::byte, 16 * 1024> buffer{};
    long lines = 0;
    std::uint64_t offset = 0;
    int count = 0;
    do {
      count = co_await reactor_.read(fd, buffer, offset, wait);
      if (count <= 0) break;
      const auto read = std::span(buffer).first(static_cast<std::size_t>(count));
      lines += std::count(read.begin(), read.end(), std::byte{'\n'});
      offset += read.size();
    } while (true);
    co_await reactor_.close(fd);
    if (count < 0) co_return UserResult::failure("CannotRead", path + ": " + std::strerror(-count));
    co_return UserResult::success(std::to_string(lines));
  }

 private:
  Reactor& reactor_;
};

/// Gets the list of all counts.
struct Sum final : UserCode {
  Task<UserResult> call(const UserCall& call, Wait) override {
    const std::string_view list = call.input;
    long total = 0;
    for (std::size_t at = 1; at < list.size(); at = list.find_first_of(",]", at) + 1) {
      total += std::atol(std::string(list.substr(at)).c_str());
    }
    co_return UserResult::success(std::to_string(total));
  }
};

/// As in each function's unum_config.json.
CheckedApplication application() {
  ApplicationText text;
  text.template_yaml = kTemplate;
  text.configurations = {
      {"Files", R"({"Name": "Files", "Next": {"Name": "Count", "InputType": "Map"}})"},
      {"Count", R"({"Name": "Count", "Next": {"Name": "Sum", "Payload Modifiers": ["Pop"],
                    "InputType": {"Fan-in": {"Values": ["Count-unumIndex-*"]}}}})"},
      {"Sum", R"({"Name": "Sum"})"}};
  return CheckedApplication::from_text(text, [](const Finding& finding) {
    std::fprintf(stderr, "handlers: %s\n", finding.text().c_str());
  });
}

Task<bool> run(Reactor& reactor, Store& store, std::string session, std::string input) {
  const CheckedApplication app = application();
  Files files;
  Count count(reactor);
  Sum sum;
  RunOptions options;
  options.session = std::move(session);
  options.input = std::move(input);
  options.open_store = &store;
  options.code = {{"Files", &files}, {"Count", &count}, {"Sum", &sum}};
  const RunResult result = co_await run_application(reactor, app, options);
  for (const RunFailure& failure : result.failures) {
    std::fprintf(stderr, "%s failed: %s: %s\n", failure.instance.c_str(), failure.error.c_str(),
                 failure.cause.c_str());
  }
  if (result.status == RunResult::Status::succeeded) std::printf("%s\n", result.result.c_str());
  // What the data store has of it now: a run of the same session goes on from there.
  const auto instances = co_await inspect_session(store, options.session, &app);
  for (const InstanceSummary& instance : instances) {
    std::printf("%s %s\n", instance.instance.c_str(),
                std::string(to_string(instance.state)).c_str());
  }
  co_return result.status == RunResult::Status::succeeded;
}

int main(int argc, char** argv) {
  if (argc < 5) return std::fprintf(stderr, "usage: handlers TYPE NAME SESSION FILE...\n"), 2;
  std::string input;
  for (int i = 4; i < argc; ++i) input += (i > 4 ? ",\"" : "[\"") + std::string(argv[i]) + '"';
  try {
    Reactor reactor;
    const auto store = reactor.run(open_store(reactor, argv[1], argv[2]));
    const bool succeeded = reactor.run(run(reactor, *store, argv[3], input + "]"));
    reactor.run(store->close());
    return succeeded ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "handlers: %s\n", error.what());
    return 1;
  }
}
