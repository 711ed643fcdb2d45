// User code behind an unchanged runtime client: Amazon's program for Python, Node, Java, ... runs
// as a child, and this process is the Runtime API to it.
//
// The client's `next` gets the input of a call, not the payload; what it answers is the result of
// the call. So the handler sees its input only, and a step whose outcome is adopted never reaches
// it. A client that ends is started again for the next call.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reactor/http_server/server.hpp"
#include "reactor/process.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/task_group.hpp"
#include "workers/function_code.hpp"

namespace unum::lambda {

class RuntimeProxy final : public UserCode {
 public:
  /// `command` is the client's program and its arguments; `function_arn` is asked at each call.
  /// Starts nothing.
  RuntimeProxy(Reactor& reactor, std::vector<std::string> command, FunctionCode code,
               std::function<std::string()> function_arn);
  /// After `shutdown`.
  ~RuntimeProxy() override;

  /// Begins to start the client, so that its start is part of the environment's.
  void start();
  /// As WorkerPool::call: what the handler returned or raised, or an Error of origin "worker":
  /// `disconnected`, code "Unum.WorkerCrashed", when the client ended; `timeout`, code
  /// "States.Timeout", after the function's time limit or the deadline of `wait`, and `cancelled`.
  /// After these two the client is ended, since its handler still runs.
  Task<UserResult> call(const UserCall& call, Wait wait) override;
  /// Ends the client; calls under way throw.
  Task<void> shutdown();

 private:
  struct Pending;
  struct Client;

  Task<http_server::Response> serve(Client& client, http_server::Request& request, Wait wait);
  Task<http_server::Response> next(Client& client, Wait wait);
  http_server::Response take_answer(Client& client, std::string_view id, bool succeeded,
                                    std::string body);
  Task<void> watch(Client& client);
  std::vector<std::string> environment_of(int port) const;
  void end_client() noexcept;

  Reactor& reactor_;
  const std::vector<std::string> command_;
  const FunctionCode code_;
  const std::function<std::string()> function_arn_;
  std::unique_ptr<Client> client_;  ///< Its server and its process; null: none runs.
  detail::WaitList gone_;           ///< Calls that wait until a client that ends has ended.
  TaskGroup watchers_;
  bool closing_ = false;
};

}  // namespace unum::lambda
