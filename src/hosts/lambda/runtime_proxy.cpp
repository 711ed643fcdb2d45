// See runtime_proxy.hpp.
#include "hosts/lambda/runtime_proxy.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "reactor/random_text.hpp"
#include "unum/event.hpp"

namespace unum::lambda {
namespace {

constexpr std::string_view kInvocation = "/2018-06-01/runtime/invocation/";
constexpr std::string_view kInitError = "/2018-06-01/runtime/init/error";
// A client's own limit for results is 6 MB; ours is that of values.
constexpr std::size_t kAnswerBytesMax = kValueBytesMax;
// Between SIGTERM and SIGKILL when the environment ends: Lambda itself gives half a second.
constexpr std::chrono::milliseconds kEndPatience{300};

http_server::Response respond(int status, std::string body) {
  http_server::Response response;
  response.status = status;
  response.headers.push_back({"Content-Type", "application/json"});
  response.body = std::move(body);
  return response;
}

Task<http_server::Response> at_once(http_server::Response response) { co_return response; }

std::string text_of(json::View object, std::string_view key) {
  const auto value = json::member(object, key);
  const bool is_text = value && json::type_of(*value) == json::Type::string;
  return is_text ? json::string_value(*value) : std::string();
}

/// What a client says about an exception: `{"errorMessage", "errorType", "stackTrace"}`.
UserResult failure_of(std::string_view body) {
  try {
    const json::View error = json::validate(body, "the error");
    if (json::type_of(error) == json::Type::object) {
      std::string name = text_of(error, "errorType");
      std::string cause = text_of(error, "errorMessage");
      const auto trace = json::member(error, "stackTrace");
      if (trace && json::type_of(*trace) == json::Type::array) {
        for (const json::View line : json::elements(*trace)) {
          if (json::type_of(line) == json::Type::string) cause += "\n" + json::string_value(line);
        }
      }
      return UserResult::failure(name.empty() ? "Runtime.Unknown" : std::move(name),
                                 std::move(cause));
    }
  } catch (const Error&) {
    // Not JSON: the text itself says what there is to say.
  }
  return UserResult::failure("Runtime.Unknown", std::string(body));
}

}  // namespace

/// A call that waits for the client. Lives in its coroutine.
struct RuntimeProxy::Pending {
  Pending(Reactor& reactor, const UserCall& of) : call(of), taken(reactor), done(reactor) {}

  const UserCall& call;
  std::string id;
  std::chrono::milliseconds time{0};  ///< Of the code, from when it begins to run; 0: no limit.
  Deadline deadline = kNoDeadline;
  ::unum::Event taken;
  ::unum::Event done;
  std::optional<UserResult> result{};
  std::optional<Error> error{};
};

/// A process and the server that it talks to: another process gets another server, so that nothing
/// of a dead one can take what is another's.
struct RuntimeProxy::Client {
  std::unique_ptr<http_server::Server> server;
  Process process;
  std::deque<Pending*> queue;
  std::map<std::string, Pending*, std::less<>> running;
  detail::WaitList arrived;
  std::optional<UserResult> init_failure;
  bool ending = false;  ///< It takes no further calls.
};

RuntimeProxy::RuntimeProxy(Reactor& reactor, std::vector<std::string> command, FunctionCode code,
                           std::function<std::string()> function_arn)
    : reactor_(reactor),
      command_(std::move(command)),
      code_(std::move(code)),
      function_arn_(std::move(function_arn)) {}

RuntimeProxy::~RuntimeProxy() = default;

std::vector<std::string> RuntimeProxy::environment_of(int port) const {
  constexpr std::string_view kAddress = "AWS_LAMBDA_RUNTIME_API=";
  std::vector<std::string> variables;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable = *each;
    const std::string_view name = variable.substr(0, variable.find('='));
    const bool is_own = std::any_of(code_.environment.begin(), code_.environment.end(),
                                    [&](const auto& own) { return own.first == name; });
    if (!is_own && !variable.starts_with(kAddress)) variables.emplace_back(variable);
  }
  for (const auto& [name, value] : code_.environment) variables.push_back(name + "=" + value);
  variables.push_back(fmt::format("{}127.0.0.1:{}", kAddress, port));
  return variables;
}

void RuntimeProxy::start() {
  if (client_) return;
  auto client = std::make_unique<Client>();
  http_server::ServerOptions options;
  options.limits.body_bytes_max = kAnswerBytesMax;
  // The client waits in `next`, and is frozen with the environment; it lives on this machine.
  options.idle_timeout = std::chrono::hours(24 * 365);
  client->server = std::make_unique<http_server::Server>(
      reactor_,
      [this, of = client.get()](http_server::Request& request, Wait wait) {
        return serve(*of, request, wait);
      },
      options);
  SpawnOptions spawn;
  spawn.argv = command_;
  spawn.directory = code_.directory;
  spawn.environment = environment_of(client->server->listen_tcp("127.0.0.1", 0));
  client_ = std::move(client);
  // Also ends the server where there is no process.
  std::optional<Error> failure;
  try {
    client_->process = Process::spawn(spawn);
  } catch (const Error& error) {
    failure = error;
  }
  watchers_.spawn(watch(*client_));
  if (failure) throw *failure;
}

/// Until the process has ended; what it had not answered ends with it.
Task<void> RuntimeProxy::watch(Client& client) {
  std::string how = "it did not start";
  if (client.process) {
    const auto status = co_await client.process.wait_exit(reactor_);
    if (status) how = to_string(*status);
  }
  client.ending = true;
  std::vector<Pending*> lost(client.queue.begin(), client.queue.end());
  for (const auto& [id, pending] : client.running) lost.push_back(pending);
  client.queue.clear();
  client.running.clear();
  for (Pending* pending : lost) {
    if (client.init_failure) {
      pending->result = client.init_failure;
    } else {
      pending->error = Error(
          ErrorKind::disconnected, "worker", "Unum.WorkerCrashed",
          fmt::format("{}: the runtime of the function ended: {}", pending->call.instance, how));
    }
    pending->taken.set();
    pending->done.set();
  }
  co_await client.server->close(std::chrono::milliseconds(0));
  const std::unique_ptr<Client> ended = std::move(client_);
  gone_.wake_all();
}

Task<http_server::Response> RuntimeProxy::serve(Client& client, http_server::Request& request,
                                                Wait wait) {
  const std::string_view path = request.path();
  if (request.method == "GET" && path == std::string(kInvocation) + "next") {
    return next(client, wait);
  }
  http_server::Response response = respond(404, R"({"errorType":"NotFound"})");
  if (request.method == "POST" && path == kInitError) {
    client.init_failure = failure_of(request.body);
    response = respond(202, R"({"status":"OK"})");
  } else if (request.method == "POST" && path.starts_with(kInvocation)) {
    const std::string_view rest = path.substr(kInvocation.size());
    const std::size_t slash = rest.find('/');
    const std::string_view what = slash == rest.npos ? std::string_view() : rest.substr(slash);
    if (what == "/response" || what == "/error") {
      response =
          take_answer(client, rest.substr(0, slash), what == "/response", std::move(request.body));
    }
  }
  return at_once(std::move(response));
}

Task<http_server::Response> RuntimeProxy::next(Client& client, Wait wait) {
  while (client.queue.empty()) {
    const int woken = co_await client.arrived.wait(reactor_, wait);
    if (woken < 0) {
      throw Error(ErrorKind::cancelled, "host", "Unum.Cancelled", "the environment ends");
    }
  }
  Pending& pending = *client.queue.front();
  client.queue.pop_front();
  client.running.emplace(pending.id, &pending);
  if (pending.time.count() > 0) {
    pending.deadline = std::min<Deadline>(pending.deadline, reactor_.now() + pending.time);
  }
  pending.taken.set();
  const auto left =
      std::min<Clock::duration>(pending.deadline - reactor_.now(), std::chrono::hours(24));
  const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(
      reactor_.wall_time().time_since_epoch() + left);
  http_server::Response response = respond(200, std::string(pending.call.input.text()));
  response.headers.push_back({"Lambda-Runtime-Aws-Request-Id", pending.id});
  response.headers.push_back({"Lambda-Runtime-Deadline-Ms", std::to_string(at.count())});
  response.headers.push_back({"Lambda-Runtime-Invoked-Function-Arn", function_arn_()});
  // Instances' names are letters, digits and hyphens.
  response.headers.push_back(
      {"Lambda-Runtime-Client-Context",
       fmt::format(R"({{"custom":{{"unum_instance":"{}","unum_attempt":{}}}}})",
                   pending.call.instance, pending.call.attempt)});
  co_return response;
}

http_server::Response RuntimeProxy::take_answer(Client& client, std::string_view id, bool succeeded,
                                                std::string body) {
  const auto found = client.running.find(id);
  if (found == client.running.end()) {
    return respond(400, R"({"errorType":"InvalidRequestID"})");
  }
  Pending& pending = *found->second;
  client.running.erase(found);
  pending.result = succeeded ? UserResult::success(std::move(body)) : failure_of(body);
  pending.done.set();
  return respond(202, R"({"status":"OK"})");
}

Task<UserResult> RuntimeProxy::call(const UserCall& call, Wait wait) {
  Pending pending(reactor_, call);
  if (closing_) {
    throw Error(ErrorKind::cancelled, "worker", "Unum.Cancelled", "the environment ends");
  }
  while (client_ && client_->ending) {
    const int woken = co_await gone_.wait(reactor_, wait);
    if (woken < 0) detail::throw_not_woken(woken, "the end of the function's last runtime", wait);
  }
  start();
  pending.id = random_hex(reactor_, 16);
  pending.time = time_of_call(code_, call);
  pending.deadline = wait.deadline;
  client_->queue.push_back(&pending);
  client_->arrived.wake_all();
  std::optional<Error> failure;
  try {
    co_await pending.taken.wait(wait, "the function's runtime");
    co_await pending.done.wait({pending.deadline, wait.stop}, "the function");
  } catch (const Error& error) {
    failure = error;
  }
  if (client_) {
    client_->running.erase(pending.id);
    std::erase(client_->queue, &pending);
  }
  if (pending.error) throw *pending.error;
  if (pending.result) co_return std::move(*pending.result);
  end_client();
  if (failure->kind() != ErrorKind::timeout) {
    throw Error(ErrorKind::cancelled, "worker", "Unum.Cancelled",
                fmt::format("{}: stopped while its code ran", call.instance));
  }
  throw Error(
      ErrorKind::timeout, "worker", "States.Timeout",
      fmt::format("{}: no answer of the function's runtime before the deadline", call.instance));
}

/// Its handler would go on, with the next call behind it.
void RuntimeProxy::end_client() noexcept {
  if (!client_) return;
  client_->ending = true;
  client_->process.kill(SIGKILL);
}

Task<void> RuntimeProxy::shutdown() {
  closing_ = true;
  if (client_ && client_->process.running()) {
    client_->process.kill(SIGTERM);
    const Deadline patience = reactor_.now() + kEndPatience;
    co_await gone_.wait(reactor_, {patience, {}});
    end_client();
  }
  co_await watchers_.drain();
}

}  // namespace unum::lambda
