// `unum invoke`: begins a session on a platform, and waits for its end if asked to.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "hosts/http/http_platform.hpp"
#include "hosts/lambda/invoker.hpp"
#include "hosts/platform_invoker.hpp"
#include "hosts/redis_streams/queue_invoker.hpp"
#include "hosts/store_choice.hpp"
#include "reactor/random_text.hpp"
#include "unum/sessions.hpp"

namespace unum::cli {
namespace {

struct Scheme {
  std::string_view name;
  std::string_view example;
  OpenPlatform open;
};

const std::vector<Scheme>& platforms() {
  static const std::vector<Scheme> all{
      {"redis", "redis:HOST:PORT", &streams::open_queue_platform},
      {"http", "http://HOST/{function}", http_host::open_http},
      {"https", "https://HOST/{function}", http_host::open_https},
      {"openfaas", "openfaas:URL", http_host::open_openfaas},
      {"knative", "knative:URL", http_host::open_knative},
      {"lambda", "lambda:NAME", &lambda::open_platform},
  };
  return all;
}

const Scheme& scheme_of(std::string_view where) {
  const std::string_view name = where.substr(0, where.find(':'));
  std::string known;
  for (const Scheme& scheme : platforms()) {
    if (scheme.name == name && name.size() < where.size()) return scheme;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", scheme.example);
  }
  throw Error(ErrorKind::invalid, "cli", "invoke",
              fmt::format("\"{}\" is no platform; write one of: {}", where, known));
}

class Invoke {
 public:
  Invoke(Reactor& reactor, const InvokeArguments& arguments, const CheckedApplication& application)
      : reactor_(reactor), arguments_(arguments), application_(application) {}

  Task<int> run(std::string input) {
    const Deadline end =
        arguments_.timeout_s > 0 ? reactor_.now() + patience_of(arguments_.timeout_s) : kNoDeadline;
    const Wait wait{end, {}};
    // Opened before anything is sent: a session that nobody can wait for is not begun.
    std::unique_ptr<Store> store;
    if (arguments_.wait) store = co_await open(wait);
    const std::string session = co_await begin(std::move(input), wait);
    say("unum: session {} begins\n", session);
    if (!arguments_.wait) {
      print_result(session);
      co_return kDone;
    }
    const RunResult result = co_await await_session(*store, session, application_, wait);
    co_await store->close();
    co_return conclude(result);
  }

 private:
  Task<std::unique_ptr<Store>> open(Wait wait) {
    const StoreChoice choice = choose_store(details_of(application_), arguments_.store);
    StoreOptions options;
    options.patience = patience_of(arguments_.store_patience_s);
    options.read_consistency = application_.read_consistency();
    options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
    std::unique_ptr<Store> store =
        co_await open_store(reactor_, choice.type, choice.name, options, wait);
    // Throws for an application whose sessions cannot be waited for.
    const std::string session = arguments_.session.empty() ? "-" : arguments_.session;
    co_await session_progress(*store, session, application_, wait);
    co_return store;
  }

  Task<std::string> begin(std::string input, Wait wait) {
    const std::vector<Function> functions = application_.functions();
    const Function& entry = *std::find_if(functions.begin(), functions.end(),
                                          [](const Function& one) { return one.is_entry(); });
    std::string session = arguments_.session;
    if (session.empty()) session = random_uuid(reactor_);
    const json::Text payload = entry_payload(input, session);
    session = identify_payload(entry, payload.view()).session;
    const std::string_view where = arguments_.where;
    const Scheme& scheme = scheme_of(where);
    const std::unique_ptr<PlatformInvoker> platform =
        co_await scheme.open(reactor_, application_, where.substr(scheme.name.size() + 1), wait);
    Invocation invocation{entry.name(), entry.name(), "unum invoke", payload};
    co_await platform->invoke(std::move(invocation), wait);
    co_await platform->close();
    co_return session;
  }

  int conclude(const RunResult& result) const {
    switch (result.status) {
      case RunResult::Status::succeeded: print_result(result.result); return kDone;
      case RunResult::Status::timed_out:
      case RunResult::Status::interrupted:
        say("unum: the time (--timeout {} s) is up; the session goes on, and `unum inspect {}` "
            "shows how far it is\n",
            arguments_.timeout_s, result.session);
        return kWorkflowFailed;
      case RunResult::Status::failed: break;
    }
    for (const RunFailure& failure : result.failures) print_failure(failure);
    return kWorkflowFailed;
  }

  Reactor& reactor_;
  const InvokeArguments& arguments_;
  const CheckedApplication& application_;
};

}  // namespace

int invoke(const InvokeArguments& arguments) {
  const CheckedApplication application = load_checked(arguments.directory, true);
  std::string input = arguments.input ? read_input_option(*arguments.input) : "{}";
  Reactor reactor;
  Invoke invoke(reactor, arguments, application);
  return reactor.run(invoke.run(std::move(input)));
}

}  // namespace unum::cli
