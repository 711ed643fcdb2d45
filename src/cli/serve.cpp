// `unum serve`: an application's functions, or one of them, behind an HTTP platform.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "application/link_files.hpp"
#include "base/secrets.hpp"
#include "cli/cli.hpp"
#include "hosts/function_code_of.hpp"
#include "hosts/http/door.hpp"
#include "hosts/http/http_host.hpp"
#include "hosts/http/http_invoker.hpp"
#include "hosts/store_choice.hpp"
#include "reactor/descriptor_limit.hpp"
#include "reactor/http_server/server.hpp"
#include "reactor/signals.hpp"
#include "workers/worker_pool.hpp"

namespace unum::cli {
namespace {

using http_host::Door;
using http_host::HttpHost;
using http_host::HttpHostOptions;
using http_host::HttpInvoker;
using http_host::Platform;

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorKind::invalid, "cli", "serve", std::move(message));
}

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

/// Where requests come from: the options, else what the platform's variables say.
struct Place {
  Platform platform = Platform::plain;
  std::string socket;  ///< Else host and port.
  unsigned socket_mode = 0600;
  std::string host = "127.0.0.1";
  int port = 8080;

  std::string text() const {
    return socket.empty() ? fmt::format("http://{}:{}", host, port) : socket;
  }
};

int port_of(const char* name, std::string_view value) {
  int port = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), port);
  const bool is_whole = parsed.ec == std::errc() && parsed.ptr == value.data() + value.size();
  if (!is_whole || port < 1 || port > 65535) {
    refuse(fmt::format("{} is \"{}\"; a port is a number from 1 to 65535", name, value));
  }
  return port;
}

Place place_of(const ServeArguments& arguments) {
  Place place;
  constexpr std::string_view kUnix = "unix:";
  if (!arguments.socket.empty()) {
    place.socket = arguments.socket;
  } else if (arguments.port) {
    place.port = *arguments.port;
  } else if (const auto listener = variable("FN_LISTENER"); !listener.empty()) {
    if (!listener.starts_with(kUnix)) {
      refuse(fmt::format("FN_LISTENER is \"{}\"; Fn's is unix:PATH", listener));
    }
    place.platform = Platform::fn;
    place.socket = listener.substr(kUnix.size());
    place.socket_mode = 0666;  // Fn's agent is another user
  } else if (const auto port = variable("FUNCTIONS_CUSTOMHANDLER_PORT"); !port.empty()) {
    place.platform = Platform::azure;
    place.port = port_of("FUNCTIONS_CUSTOMHANDLER_PORT", port);
  } else if (const auto common = variable("PORT"); !common.empty()) {
    place.port = port_of("PORT", common);
    place.host = "0.0.0.0";  // a container's contract (Knative, Cloud Run, OpenFaaS' watchdog)
  }
  if (!arguments.host.empty()) place.host = arguments.host;
  if (place.platform == Platform::fn && arguments.function.empty()) {
    refuse("Fn has one function in a container; name it with --function");
  }
  return place;
}

/// What is served: an application of which some functions, perhaps one, are here.
struct Loaded {
  LinkedApplication linked;
  std::optional<CheckedApplication> whole{};  ///< If all its functions are.
};

Loaded load(const ServeArguments& arguments) {
  if (!arguments.linked.empty()) {
    if (arguments.code.empty() || arguments.function.empty()) {
      refuse("--linked needs --function and --code DIR, the directory of the function's code");
    }
    return {read_linked_function(arguments.linked, arguments.function, arguments.code)};
  }
  if (!arguments.code.empty()) refuse("--code has no effect without --linked");
  const CheckedApplication checked = load_checked(arguments.directory, true);
  Loaded loaded{with_digests(checked, arguments.function)};
  if (arguments.function.empty()) loaded.whole = checked;
  return loaded;
}

/// What is said at the start: who delivers again what this process does not end.
std::string_view reliance(const ServeArguments& arguments) {
  if (arguments.invoke.starts_with("openfaas:")) {
    return "relies on OpenFaaS' queue-worker to send a delivery again after 429, 5xx or a broken "
           "connection. The community edition never does: there a delivery that is not ended here "
           "is lost, and its workflow stops until `unum resume`";
  }
  if (arguments.invoke.starts_with("knative:")) {
    return "relies on the broker to send a delivery again, as often as the `delivery` of its "
           "triggers says. After that, and without a deadLetterSink, the event is dropped, and its "
           "workflow stops until `unum resume`";
  }
  return "relies on whoever sends a request to send it again after 429, 5xx or a broken "
         "connection. "
         "Where nobody does, a delivery that is not ended here is lost, and its workflow stops "
         "until "
         "`unum resume`";
}

/// Takes what the steps of a function without edges invoke: nothing.
class NoInvoker final : public Invoker {
 public:
  Task<void> invoke(Invocation invocation, Wait) override {
    throw Error(
        ErrorKind::invalid, "http", "Unum.NoInvoker",
        fmt::format("{} was to be invoked, and neither --invoke nor --invoke-url says where",
                    invocation.function));
    co_return;
  }
};

/// The server and what its steps need, in the order in which it must die.
class Serving {
 public:
  Serving(const ServeArguments& arguments, Loaded loaded)
      : arguments_(arguments),
        place_(place_of(arguments)),
        whole_(std::move(loaded.whole)),
        application_(std::move(loaded.linked.application)),
        digests_(std::move(loaded.linked.digests)),
        choice_(choose_store(application_, arguments.store)),
        // Before anything that starts threads or workers.
        signals_({SIGINT, SIGTERM, SIGHUP}) {
    if (choice_.type == "memory") {
      refuse("a data store in memory is this process's alone; name another one with --store");
    }
  }

  int run() { return reactor_.run(run_all()); }

 private:
  void choose_invoker();
  void start_workers(unsigned concurrency);
  HttpHostOptions host_options(std::size_t concurrency) const;
  Task<void> listen(http_server::Server& server, unsigned concurrency);
  Task<void> open();
  Task<void> serve();
  Task<void> close(HttpHost& host, http_server::Server& server);
  Task<void> stop_after(Deadline when, StopToken done);
  Task<void> stop_at_signal(StopToken done);
  Task<int> run_all();

  const ServeArguments& arguments_;
  Place place_;
  const std::optional<CheckedApplication> whole_;
  const Application application_;
  const std::map<std::string, std::string, std::less<>> digests_;
  const StoreChoice choice_;
  Signals signals_;
  Reactor reactor_;
  StopSource stop_;  ///< User code and invocations hear of it.
  http_host::Metrics metrics_;
  std::unique_ptr<TraceExporter> traces_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Invoker> invoker_;
};

void Serving::choose_invoker() {
  const bool is_named = !arguments_.invoke.empty() || !arguments_.invoke_url.empty();
  if (!is_named) {
    invoker_ = std::make_unique<NoInvoker>();
    if (!arguments_.socket.empty()) return;  // then the callers of the door make the invocations
    for (const FunctionSettings& settings : application_.functions) {
      if (settings.ir.edges.empty() && settings.ir.retriers.empty()) continue;
      refuse(
          fmt::format("function {} invokes others, or itself again; say where with --invoke "
                      "openfaas:URL, --invoke knative:URL or --invoke-url "
                      "'http://{{name}}.HOST/'",
                      settings.name()));
    }
    return;
  }
  http_host::HttpInvokerOptions options;
  options.target = arguments_.invoke.empty() ? http_host::parse_invoke_url(arguments_.invoke_url)
                                             : http_host::parse_invoke(arguments_.invoke);
  std::vector<std::string> names;
  for (const auto& [name, digest] : digests_) names.push_back(name);
  http_host::check_names(options.target, names);
  options.application = application_.name;
  options.payload_bytes_max = arguments_.payload_bytes_max;
  options.timeout = patience_of(arguments_.invoke_timeout_s);
  options.delay_max = patience_of(arguments_.delay_max_s);
  options.stop = stop_.token();
  client_ = std::make_unique<http::Client>(reactor_);
  invoker_ = std::make_unique<HttpInvoker>(reactor_, *client_, metrics_, std::move(options));
}

void Serving::start_workers(unsigned concurrency) {
  WorkerPoolOptions options;
  options.running_max = concurrency;
  options.output = [](const OutputLine& line) {
    say("[{}] {}\n", line.instance.empty() ? line.function : line.instance, line.text);
  };
  std::vector<FunctionCode> codes;
  for (const FunctionSettings& settings : application_.functions) {
    codes.push_back(function_code_of(settings));
  }
  pool_ = std::make_unique<WorkerPool>(reactor_, std::move(codes), std::move(options));
  pool_->prepare();
}

Task<void> Serving::open() {
  StoreOptions options;
  options.read_consistency = application_.read_consistency;
  options.patience = patience_of(arguments_.store_patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  if (!choice_.named) co_await create_store(reactor_, choice_.type, choice_.name);
  store_ = co_await open_store(reactor_, choice_.type, choice_.name, options);
}

HttpHostOptions Serving::host_options(std::size_t concurrency) const {
  HttpHostOptions options;
  options.function = arguments_.function;
  options.platform = place_.platform;
  options.concurrency = concurrency;
  options.runtime.collects_garbage = application_.collects_garbage;
  ApplicationIdentity identity;
  identity.name = application_.name;
  identity.functions = digests_;
  identity.accept_changes = arguments_.accept_changes;
  options.runtime.application = std::move(identity);
  options.say = [](std::string_view line) { say("unum: {}\n", line); };
  return options;
}

Task<void> Serving::stop_after(Deadline when, StopToken done) {
  const bool is_late = co_await reactor_.sleep_until(when, done);
  if (!is_late) co_return;
  say("unum: ending what still runs; it is not acknowledged\n");
  stop_.request("the server is stopping");
}

Task<void> Serving::stop_at_signal(StopToken done) {
  const Wait until_done{kNoDeadline, done};
  const std::optional<int> signal = co_await signals_.next(reactor_, until_done);
  if (signal) stop_.request("interrupted");
}

Task<void> Serving::close(HttpHost& host, http_server::Server& server) {
  host.stop_taking();
  const auto grace = patience_of(arguments_.grace_s);
  StopSource done;
  TaskGroup watchers;
  watchers.spawn(stop_after(reactor_.now() + grace, done.token()));
  watchers.spawn(stop_at_signal(done.token()));
  // Longer than what runs has, so that it can still be answered.
  co_await server.close(grace + std::chrono::seconds(1));
  done.request("closed");
  co_await watchers.drain();
}

/// Listens, and returns when it is told to end.
Task<void> Serving::listen(http_server::Server& server, unsigned concurrency) {
  std::string names;
  for (const FunctionSettings& settings : application_.functions) {
    names += (names.empty() ? "" : ", ") + settings.name();
  }
  if (place_.socket.empty()) {
    place_.port = server.listen_tcp(place_.host, place_.port);
  } else {
    server.listen_unix(place_.socket, place_.socket_mode);
  }
  say("unum: {} of {} at {}, {} at once, store {}\n", names, application_.name, place_.text(),
      concurrency, shown_store(choice_.type, choice_.name));
  say("unum: {}\n", reliance(arguments_));
  const std::optional<int> signal = co_await signals_.next(reactor_);
  say("unum: {}; taking nothing more, ending what runs (again: at once)\n",
      strsignal(signal.value_or(SIGTERM)));
}

Task<void> Serving::serve() {
  choose_invoker();
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  unsigned concurrency = arguments_.concurrency != 0 ? arguments_.concurrency : cores;
  if (place_.platform == Platform::fn) concurrency = 1;
  start_workers(concurrency);
  co_await open();
  std::vector<Function> functions;
  for (const FunctionSettings& settings : application_.functions) {
    functions.emplace_back(settings.ir);
  }
  HttpHostOptions options = host_options(concurrency);
  options.stop = stop_.token();
  traces_ = open_traces(reactor_, application_.name);
  if (traces_) options.runtime.traces = traces_->ratio();
  options.traces = traces_.get();
  std::optional<Door> door;
  if (!arguments_.socket.empty()) {
    http_host::DoorOptions door_options{options.runtime, whole_, stop_.token()};
    door.emplace(reactor_, *store_, *pool_, functions, std::move(door_options));
  }
  HttpHost host(reactor_, *store_, *invoker_, *pool_, metrics_, functions, std::move(options));
  http_server::ServerOptions server_options;
  server_options.limits.body_bytes_max = arguments_.body_bytes_max;
  http_server::Server server(
      reactor_,
      [&](http_server::Request& request, Wait) {
        return door && Door::takes(request) ? door->handle(request) : host.handle(request);
      },
      server_options);
  std::exception_ptr failed;
  try {
    co_await listen(server, concurrency);
  } catch (...) {
    failed = std::current_exception();
  }
  co_await close(host, server);
  if (failed) std::rethrow_exception(failed);
}

Task<int> Serving::run_all() {
  std::exception_ptr error;
  try {
    co_await serve();
  } catch (...) {
    error = std::current_exception();
  }
  if (pool_) co_await pool_->shutdown();
  if (traces_) co_await traces_->close();
  if (client_) co_await client_->close();
  if (store_) co_await store_->close();
  co_return error ? report_exception(error) : kDone;
}

}  // namespace

int serve(const ServeArguments& arguments) {
  raise_descriptor_limit();
  return Serving(arguments, load(arguments)).run();
}

}  // namespace unum::cli
