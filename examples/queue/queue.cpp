// A platform of one's own: a queue of payloads, workers that take them from it, and three
// functions.
//
//   c++ -std=c++20 queue.cpp $(pkg-config --cflags --libs unum-cpp) -o queue
//   ./queue fs /path/of/an/existing/store 1000
#include <unum/unum.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <vector>

using namespace unum;

/// A message of the queue. A real one would keep it until it is acknowledged.
struct Message {
  std::string function;
  json::Text payload;
  int attempt = 1;  // how often it was delivered, this time included
};

/// What the workers of a platform share. Its invoker is the queue itself.
class Platform final : public Invoker {
 public:
  // It is filled by those who empty it, so it must hold the widest fan-out.
  Platform(Reactor& reactor, std::size_t messages_max)
      : reactor_(reactor), queue_(reactor, messages_max) {}

  void add(const char* configuration, std::function<std::string(std::string_view)> handler) {
    functions_.push_back(Function::parse(configuration, "queue.cpp"));
    handlers_.emplace(functions_.back().name(), Handler(std::move(handler)));
  }

  /// Runs the workflow in a session to its end, with so many workers.
  Task<std::string> run(Store& store, const std::string& input, std::size_t workers) {
    functions_ = link_functions(std::move(functions_));
    Runtime runtime(store, *this);
    const SessionContext session = create_session_context(store);
    for (const Function& function : functions_) {
      check_delays(*this, function);  // this queue keeps no message back: `Retry` is refused
      if (!function.is_entry()) continue;
      Message first{function.name(), entry_payload(input, session.session())};
      co_await put(std::move(first), Wait());
    }
    co_await for_each_bounded(workers, workers, [&](std::size_t) { return work(runtime); });
    co_return result_;
  }

  Task<void> invoke(Invocation invocation, Wait wait) override {
    Message message{std::string(invocation.function), std::move(invocation.payload)};
    return put(std::move(message), wait);
  }

 private:
  struct Handler final : UserCode {
    explicit Handler(std::function<std::string(std::string_view)> handler)
        : run(std::move(handler)) {}
    Task<UserResult> call(const UserCall& call, Wait) override {
      try {
        co_return UserResult::success(run(call.input));
      } catch (const std::exception& error) {
        co_return UserResult::failure("HandlerError", error.what());
      }
    }
    std::function<std::string(std::string_view)> run;
  };

  Task<void> put(Message message, Wait wait) {
    ++unfinished_;
    co_await queue_.send(std::move(message), wait);
  }

  Task<void> work(Runtime& runtime) {
    while (std::optional<Message> message = co_await queue_.receive()) {
      try {
        co_await deliver(runtime, std::move(*message));
      } catch (...) {
        queue_.close();  // nobody else waits for more
        throw;
      }
      if (--unfinished_ == 0) queue_.close();
    }
  }

  /// One delivery, and what becomes of its message.
  Task<void> deliver(Runtime& runtime, Message message) {
    constexpr int kDeliveriesMax = 3;
    const Function& function = named(message.function);
    UserCode& code = handlers_.at(message.function);
    Delivery after = Delivery::final;
    std::string why;
    try {
      const json::View payload = message.payload;
      const StepReport report = co_await runtime.step(function, payload, code, message.attempt);
      note(report);
      co_return;  // acknowledged, failed or not
    } catch (const Error& error) {
      after = error.delivery();
      why = error.message();
    }
    if (after == Delivery::bounded && message.attempt >= kDeliveriesMax) {
      const json::View payload = message.payload;
      const StepReport report =
          co_await runtime.give_up(function, payload, "Crashed", why, message.attempt);
      note(report);
    } else if (after == Delivery::final) {
      std::fprintf(stderr, "queue: %s: %s\n", message.function.c_str(), why.c_str());
    } else {
      co_await reactor_.sleep_until(reactor_.now() + std::chrono::milliseconds(100));
      ++message.attempt;
      co_await put(std::move(message), Wait());
    }
  }

  void note(const StepReport& report) {
    if (report.status == StepReport::Status::failed) {
      std::fprintf(stderr, "queue: %s failed: %s\n", report.instance.c_str(), report.cause.c_str());
    }
    if (report.result) result_ = report.result->text();
  }

  const Function& named(const std::string& name) const {
    for (const Function& function : functions_) {
      if (function.name() == name) return function;
    }
    throw Error(ErrorKind::not_found, "queue", "function", "there is no function " + name);
  }

  Reactor& reactor_;
  Channel<Message> queue_;
  std::size_t unfinished_ = 0;
  std::vector<Function> functions_;
  std::map<std::string, Handler, std::less<>> handlers_;
  std::string result_;
};

/// [0,1,...,n-1] for the JSON number n.
std::string range(std::string_view input) {
  std::string list = "[";
  for (int i = 0; i < std::atoi(std::string(input).c_str()); ++i) {
    if (i > 0) list += ',';
    list += std::to_string(i);
  }
  return list + "]";
}

std::string square(std::string_view input) {
  const long number = std::atol(std::string(input).c_str());
  return std::to_string(number * number);
}

std::string sum(std::string_view input) {
  long total = 0;
  for (std::size_t at = 1; at < input.size(); at = input.find_first_of(",]", at) + 1) {
    total += std::atol(std::string(input.substr(at)).c_str());
  }
  return std::to_string(total);
}

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: queue TYPE NAME WIDTH\n"), 2;
  try {
    Reactor reactor;
    const auto store = reactor.run(open_store(reactor, argv[1], argv[2]));
    Platform platform(reactor, 100'000);
    platform.add(R"({"Name": "Range", "Start": true,
                     "Next": {"Name": "Square", "InputType": "Map"}})",
                 range);
    platform.add(R"({"Name": "Square", "Next": {"Name": "Sum", "Payload Modifiers": ["Pop"],
                     "InputType": {"Fan-in": {"Values": ["Square-unumIndex-*"]}}}})",
                 square);
    platform.add(R"({"Name": "Sum"})", sum);
    const std::string result = reactor.run(platform.run(*store, argv[3], 64));
    reactor.run(store->close());
    std::printf("%s\n", result.c_str());
    return result.empty() ? 1 : 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "queue: %s\n", error.what());
    return 1;
  }
}
