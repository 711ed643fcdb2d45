// A program that uses every public header and is linked with the shared library alone: what it
// needs and the library does not export is an error of the linker.
#include <unum/unum.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

struct Platform final : unum::Invoker {
  unum::Task<void> invoke(unum::Invocation invocation, unum::Wait) override {
    std::printf("invoke %s\n", invocation.instance.c_str());
    co_return;
  }
};

struct Twice final : unum::UserCode {
  unum::Task<unum::UserResult> call(const unum::UserCall& call, unum::Wait) override {
    std::string twice = "[" + std::string(call.input) + "," + std::string(call.input) + "]";
    co_return unum::UserResult::success(std::move(twice), "twice the input");
  }
};

struct Observer final : unum::RunObserver {
  void printed(const unum::OutputLine& line) override {
    std::printf("%.*s\n", static_cast<int>(line.text.size()), line.text.data());
  }
};

/// A decorator, as a user writes one.
struct Counting final : unum::ForwardingStore {
  explicit Counting(unum::Store& inner) : ForwardingStore(inner), fan_ins_(*this) {}
  unum::Task<unum::CommitResult> commit(const unum::SessionContext& context, std::string_view value,
                                        std::span<const unum::FanIn> fan_ins,
                                        unum::Wait wait) override {
    ++commits;
    unum::check_wait(*this, "counting", wait);
    return unum::write_then_join(*this, context, value, fan_ins, wait);
  }
  unum::Task<std::vector<unum::FanInState>> join(const unum::SessionContext& context,
                                                 std::span<const unum::FanIn> fan_ins,
                                                 unum::Wait wait) override {
    return fan_ins_.join(context, fan_ins, wait);
  }
  int commits = 0;

 private:
  unum::ScanAndClaim fan_ins_;
};

/// What waits is still there when it is asked for.
unum::Task<void> check(unum::Reactor& reactor) {
  const std::string waiting = unum::describe_waiting(reactor);
  if (waiting.find("reactor") == std::string::npos) std::abort();
  co_await reactor.yield();
  co_await reactor.nop();
  co_await reactor.sleep_until(unum::kAlreadyPassed);
}

unum::Task<void> step(unum::Reactor& reactor, unum::Store& opened) {
  Counting store(opened);
  unum::TaskGroup others;
  others.spawn(check(reactor));
  std::vector<unum::Function> functions;
  functions.push_back(unum::Function::parse(
      R"({"Name": "A", "Start": true, "Next": {"Name": "B", "InputType": "Scalar"}})", "a.json"));
  functions.push_back(unum::Function::parse(R"({"Name": "B"})", "b.json"));
  functions = unum::link_functions(std::move(functions));
  Platform platform;
  Twice code;
  unum::Runtime runtime(store, platform);
  const unum::SessionContext session = unum::create_session_context(store);
  const unum::json::Text payload = unum::entry_payload_by_value("7", session.session());
  const unum::PayloadIdentity who = unum::identify_payload(functions.front(), payload);
  const unum::StepReport report = co_await runtime.step(functions.front(), payload, code);
  const unum::Pointer own = unum::pointer(session, who.instance);
  const bool exists = co_await unum::check_value_exist(store, session, own);
  if (!exists || store.commits != 1) std::abort();
  const std::vector<std::string> stored =
      co_await unum::read_input(store, session, std::span(&own, 1));
  std::printf("%s: %s %s\n", report.instance.c_str(), stored.front().c_str(),
              unum::item_name(who.instance, unum::ItemKind::outcome).c_str());
  co_await others.drain();
}

/// An application of text, by the call that runs it and by the host alone.
unum::Task<void> run(unum::Reactor& reactor, unum::Store& store) {
  Twice code;
  const auto application = unum::CheckedApplication::from_text(
      {"Functions: {A: {Properties: {CodeUri: a, Runtime: native, Start: true}}}",
       {{"A", R"({"Name": "A"})"}}});
  unum::RunOptions options;
  options.session = "run";
  options.open_store = &store;
  options.code.emplace("A", &code);
  const unum::RunResult by_call = co_await unum::run_application(reactor, application, options);
  unum::LocalHostOptions of_host;
  of_host.runtime.application = application.identity();
  unum::LocalHost host(reactor, store, of_host);
  for (unum::Function& function : application.functions()) host.add(std::move(function), code);
  const unum::RunResult by_host = co_await host.run("run", "{}");
  if (by_call.result != "[{},{}]" || by_host.result != by_call.result) std::abort();
  const std::vector<unum::SessionSummary> sessions = co_await unum::list_sessions(store);
  const auto instances = co_await unum::inspect_session(store, "run", &application);
  const unum::InstanceValues shown = co_await unum::show_instance(store, "run", "A");
  const std::vector<std::string> gone =
      co_await unum::forget_instance(store, "run", "A", application);
  if (sessions.size() != 2 || unum::to_string(instances.front().state) != "done" ||
      shown.result->text() != by_call.result || gone.size() != 1) {
    std::abort();
  }
}

/// An application that does not exist is an error by name.
unum::Task<void> refuse(unum::Reactor& reactor) {
  Observer observer;
  unum::RunOptions options;
  options.observer = &observer;
  try {
    const auto application = unum::CheckedApplication::load(
        "/nonexistent/application", [](const unum::Finding& finding) {
          std::printf("%s\n", std::string(unum::to_string(finding.severity)).c_str());
        });
    co_await unum::run_application(reactor, application, options);
  } catch (const unum::Error& error) {
    std::printf("%s\n", std::string(unum::to_string(error.kind())).c_str());
    if (error.delivery() != unum::Delivery::final) std::abort();
  }
}

}  // namespace

int main() {
  std::size_t events = 0;
  unum::set_log_levels("info,redis=off");
  unum::set_log_sink([&](const unum::LogEvent&) { ++events; });
  unum::Reactor reactor;
  if (events == 0) return EXIT_FAILURE;
  if (!reactor.run(unum::create_store(reactor, "memory", "consumer"))) return EXIT_FAILURE;
  const auto store = reactor.run(unum::open_store(reactor, "memory", "consumer"));
  reactor.run(step(reactor, *store));
  reactor.run(run(reactor, *store));
  reactor.run(store->close());
  reactor.run(refuse(reactor));
  unum::StopSource stop;
  stop.request("done");
  return stop.token().stop_requested() ? EXIT_SUCCESS : EXIT_FAILURE;
}
