// unum below an event loop of somebody else's: here poll(2), which waits for lines on stdin and for
// the reactor. Each line is the input of a workflow of its own; all of them run side by side.
//
//   c++ -std=c++20 foreign_loop.cpp $(pkg-config --cflags --libs unum-cpp) -o foreign_loop
//   printf '[1,2,3]\n[4]\n' | ./foreign_loop
#include <unum/unum.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

using namespace unum;

const char* const kTemplate = R"(
Globals: {ApplicationName: squares}
Functions:
  Range:  {Properties: {CodeUri: range,  Runtime: native, Start: true}}
  Square: {Properties: {CodeUri: square, Runtime: native}}
  Sum:    {Properties: {CodeUri: sum,    Runtime: native}}
)";

CheckedApplication application() {
  ApplicationText text;
  text.template_yaml = kTemplate;
  text.configurations = {
      {"Range", R"({"Name": "Range", "Next": {"Name": "Square", "InputType": "Map"}})"},
      {"Square", R"({"Name": "Square", "Next": {"Name": "Sum", "Payload Modifiers": ["Pop"],
                     "InputType": {"Fan-in": {"Values": ["Square-unumIndex-*"]}}}})"},
      {"Sum", R"({"Name": "Sum"})"}};
  return CheckedApplication::from_text(text);
}

/// The code of all three functions.
class Squares final : public UserCode {
 public:
  explicit Squares(Reactor& reactor) : reactor_(reactor) {}

  Task<UserResult> call(const UserCall& call, Wait wait) override {
    const std::string_view input = call.input;
    if (call.function == "Square") {
      // It takes its time, and nobody waits meanwhile who need not.
      co_await reactor_.sleep_until(reactor_.now() + std::chrono::milliseconds(10), wait.stop);
      const long number = std::atol(std::string(input).c_str());
      co_return UserResult::success(std::to_string(number * number));
    }
    if (call.function == "Range") co_return UserResult::success(json::Text(call.input));
    long total = 0;
    for (std::size_t at = 1; at < input.size(); at = input.find_first_of(",]", at) + 1) {
      total += std::atol(std::string(input.substr(at)).c_str());
    }
    co_return UserResult::success(std::to_string(total));
  }

 private:
  Reactor& reactor_;
};

/// One workflow, from a line to a line. Takes its text by value: the loop's has gone by then.
Task<void> serve(Reactor& reactor, Store& store, const CheckedApplication& app, UserCode& code,
                 std::string line) {
  std::string answer;
  try {
    RunOptions options;
    options.input = line;
    options.open_store = &store;
    options.code = {{"Range", &code}, {"Square", &code}, {"Sum", &code}};
    const RunResult result = co_await run_application(reactor, app, options);
    answer = result.failures.empty() ? result.result : result.failures.front().cause;
  } catch (const Error& error) {
    answer = error.message();
  }
  std::printf("%s -> %s\n", line.c_str(), answer.c_str());
}

/// How long poll(2) may wait, in milliseconds; -1: until something comes.
int timeout_of(const Reactor& reactor) {
  using std::chrono::milliseconds;
  const Deadline next = reactor.next_deadline();
  if (next == kAlreadyPassed) return 0;
  if (next == kNoDeadline) return -1;
  const milliseconds left = std::chrono::ceil<milliseconds>(next - Clock::now());
  return static_cast<int>(std::clamp<milliseconds::rep>(left.count(), 0, 60'000));
}

/// The loop: it calls the reactor when its descriptor is readable or its next deadline has come.
void run(Reactor& reactor, Store& store) {
  const CheckedApplication app = application();
  Squares code(reactor);
  TaskGroup workflows;
  std::string lines;
  bool reads = true;
  while (reads || workflows.running() > 0) {
    std::array<pollfd, 2> waited{pollfd{reactor.pollable_fd(), POLLIN, 0},
                                 pollfd{reads ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(waited.data(), waited.size(), timeout_of(reactor)) < 0 && errno != EINTR) {
      throw system_error("foreign_loop", errno, "poll");
    }
    if (waited[1].revents != 0) {
      std::array<char, 4096> buffer{};
      const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      reads = count > 0;
      lines.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      for (std::size_t end = 0; (end = lines.find('\n')) != std::string::npos;) {
        workflows.spawn(serve(reactor, store, app, code, lines.substr(0, end)));
        lines.erase(0, end + 1);
      }
    }
    // Never blocks, and leaves nothing that only another call would bring on its way.
    reactor.run_once(kAlreadyPassed);
  }
}

int main() {
  try {
    Reactor reactor;
    // Opening and closing may block here; a program that must not spawns them like `serve`.
    reactor.run(create_store(reactor, "memory", "foreign-loop"));
    const auto store = reactor.run(open_store(reactor, "memory", "foreign-loop"));
    run(reactor, *store);
    reactor.run(store->close());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "foreign_loop: %s\n", error.what());
    return 1;
  }
}
