// The functions of an application as HTTP services: a request is a delivery, its status says what
// becomes of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hosts/http/metrics.hpp"
#include "hosts/traces.hpp"
#include "reactor/http_server/message.hpp"
#include "unum/function.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum::http_host {

/// The forms in which platforms deliver.
enum class Platform : std::uint8_t {
  plain,  ///< A payload or a CloudEvent; the status is the answer.
  azure,  ///< Custom handlers: the event within an envelope, and the answer in another.
  fn,     ///< Fn's http-stream: POST /call, one at a time, failures as 502.
};

struct HttpHostOptions {
  /// Served at "/" and at its name; empty: all functions, each at its name.
  std::string function;
  Platform platform = Platform::plain;
  /// Deliveries that run at once; what is beyond is 429.
  std::size_t concurrency = 1;
  /// Runs of user code that crash or exceed their time, of one delivery, before its step has
  /// failed.
  int runs_max = 3;
  RuntimeOptions runtime{};
  /// Requested when user code is to end.
  StopToken stop{};
  TraceExporter* traces = nullptr;  ///< Not owned; may be null.
  /// For people: one line without its end.
  std::function<void(std::string_view)> say{};
};

class HttpHost {
 public:
  /// Owns none of its arguments. `invoker` accepts what the steps invoke.
  HttpHost(Reactor& reactor, Store& store, Invoker& invoker, UserCode& code, Metrics& metrics,
           const std::vector<Function>& functions, HttpHostOptions options);
  HttpHost(const HttpHost&) = delete;
  HttpHost& operator=(const HttpHost&) = delete;

  /// Answers any request; the handler of a server.
  Task<http_server::Response> handle(http_server::Request& request);

  /// From now on deliveries are 503, and so is `/_/ready`.
  void stop_taking() noexcept { is_stopping_ = true; }
  std::size_t in_flight() const noexcept { return in_flight_; }

 private:
  struct Delivery;
  http_server::Response observe(std::string_view path) const;
  const Function* function_at(const http_server::Request& request) const;
  Task<http_server::Response> deliver(const Function& function, http_server::Request& request);
  Task<StepReport> run(const Delivery& delivery, Wait wait);
  void read(Delivery& delivery, http_server::Request& request) const;

  Reactor& reactor_;
  Store& store_;
  UserCode& code_;
  Metrics& metrics_;
  const HttpHostOptions options_;
  Runtime runtime_;
  std::map<std::string, Function, std::less<>> functions_;
  std::size_t in_flight_ = 0;
  bool is_stopping_ = false;
};

}  // namespace unum::http_host
