// The library over a unix socket, for platforms in other languages: steps whose invocations the
// caller makes, runs of the whole application, the five calls of the data store.
//
// docs/hosts/http.openapi.yaml describes it, and the tests hold it to that.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/http_server/message.hpp"
#include "unum/application.hpp"
#include "unum/runtime.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum::http_host {

struct DoorOptions {
  RuntimeOptions runtime{};
  /// What `run` runs, with the door's code for all functions; nothing: there is no `run`.
  std::optional<CheckedApplication> application{};
  /// Of user code and of runs.
  StopToken stop{};
};

class Door {
 public:
  /// Owns none of its arguments.
  Door(Reactor& reactor, Store& store, UserCode& code, const std::vector<Function>& functions,
       DoorOptions options);
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  /// Whether a request is for it: below "/v1/".
  static bool takes(const http_server::Request& request) noexcept;
  Task<http_server::Response> handle(http_server::Request& request);

 private:
  class Asked;
  using Call = Task<std::string> (Door::*)(const Asked& asked);
  static const std::map<std::string_view, Call>& calls();

  Task<std::string> step(const Asked& asked);
  Task<std::string> give_up(const Asked& asked);
  Task<std::string> run(const Asked& asked);
  Task<std::string> create_session(const Asked& asked);
  Task<std::string> write_value(const Asked& asked);
  Task<std::string> read_values(const Asked& asked);
  Task<std::string> check_value(const Asked& asked);
  Task<std::string> check_values(const Asked& asked);

  const Function& function_of(const Asked& asked) const;

  Reactor& reactor_;
  Store& store_;
  UserCode& code_;
  const DoorOptions options_;
  std::map<std::string, Function, std::less<>> functions_;
};

}  // namespace unum::http_host
