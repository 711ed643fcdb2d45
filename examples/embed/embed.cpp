// A function of one's own on unum's runtime: it fans in a thousand values of a data store.
//
//   c++ -std=c++20 embed.cpp $(pkg-config --cflags --libs unum-cpp) -o embed
//   ./embed fs /path/of/an/existing/store        (unum store create fs:/path makes one)
#include <unum/unum.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

using namespace unum;

/// The platform under this program: it only says what it was asked to invoke.
struct PrintingInvoker : Invoker {
  Task<void> invoke(Invocation invocation, Wait) override {
    std::printf("invoke %s\n", invocation.instance.c_str());
    co_return;
  }
};

/// The code of function Sum: adds up the numbers of its input, a JSON array.
struct Sum : UserCode {
  Task<UserResult> call(const UserCall& call, Wait) override {
    long sum = 0;
    const std::string_view input = call.input;
    for (const char* at = input.data(); at < input.data() + input.size(); ++at) {
      char* end = nullptr;
      const long number = std::strtol(at, &end, 10);
      if (end != at) sum += number, at = end - 1;
    }
    co_return UserResult::success(std::to_string(sum));
  }
};

/// A thousand contributors store their values; then Sum is delivered with pointers to all of them.
Task<void> fan_in(Store& store) {
  const SessionContext session = create_session_context(store);
  std::vector<Pointer> pointers;
  for (int i = 0; i < 1000; ++i) {
    pointers.push_back(pointer(session, "Part-unumIndex-" + std::to_string(i)));
  }
  co_await for_each_bounded(pointers.size(), 1000, [&](std::size_t i) -> Task<void> {
    const SessionContext mine = session.bound_to(pointers[i].name());
    const std::string value = std::to_string(i);
    co_await write_return_value(store, mine, value);
  });
  if (!co_await check_values_exist(store, session, pointers))
    throw std::runtime_error("a value is missing");

  const Function function = Function::parse(
      R"({"Name": "Sum", "Next": {"Name": "Report", "InputType": "Scalar"}})", "sum.json");
  PrintingInvoker invoker;
  Runtime runtime(store, invoker);
  Sum code;
  const std::string payload =
      R"({"Data":{"Source":")" + std::string(store.type()) +
      R"(","Value":[{"From":"Part-unumIndex-0","To":"Part-unumIndex-999"}]},"Session":")" +
      session.session() + "\"}";
  const json::View valid = validate_payload(payload);
  const StepReport report = co_await runtime.step(function, valid, code);
  const Pointer sum = pointer(session, report.instance);
  const std::vector<std::string> stored = co_await read_input(store, session, std::span(&sum, 1));
  std::printf("%s is %s\n", report.instance.c_str(), stored.front().c_str());
}

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: embed TYPE NAME\n"), 2;
  try {
    Reactor reactor;
    const auto store = reactor.run(open_store(reactor, argv[1], argv[2]));
    reactor.run(fan_in(*store));
    reactor.run(store->close());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "embed: %s\n", error.what());
    return 1;
  }
}
