// A function of an application in AWS Lambda: events from the Runtime API, a step for each, and
// what becomes of it.
//
// What hosts owe the protocol: an event is answered with success only after its step has ended,
// which is after every invocation that follows was accepted. Whatever else happens is answered as a
// failure, or not at all, and Lambda delivers the event again: twice, then it goes to the
// function's on-failure destination. So a queue or a function must be there as destination (`unum
// build` makes one), and what is in it is delivered again when the cause is gone.
#pragma once

#include <memory>
#include <string>

#include "application/application.hpp"
#include "application/link_files.hpp"
#include "hosts/lambda/invoker.hpp"
#include "hosts/lambda/runtime_api.hpp"
#include "hosts/lambda/settings.hpp"
#include "hosts/store_choice.hpp"
#include "hosts/traces.hpp"
#include "unum/runtime.hpp"

namespace unum::lambda {

class Host {
 public:
  /// Reads the linked files; starts nothing. Throws `invalid` for files or settings that are wrong,
  /// also for a `Retry` that asks for longer delays than may be waited for in place.
  Host(Reactor& reactor, RuntimeApi& api, const HostSettings& settings);
  ~Host();

  /// The function with its code, for whoever runs that.
  const FunctionSettings& function_settings() const noexcept {
    return application_.functions.front();
  }
  /// As the last event had it: with the alias or version that was invoked.
  const std::string& function_arn() const noexcept { return function_arn_; }
  /// Opens the data store. `code` must outlive the host, and so must `traces`, which may be null.
  Task<void> open(UserCode& code, TraceExporter* traces, Wait wait);
  /// Serves events, as many at once as the settings say, until `stop` is requested. Throws when the
  /// Runtime API has gone.
  Task<void> serve(StopToken stop);
  /// After `serve`, also if `open` failed.
  Task<void> close();

 private:
  class TimedCode;

  Task<void> serve_in_turn(StopSource& stop);
  Task<void> handle(const Event& event, StopToken stop);
  Task<StepReport> deliver(const Event& event, StopToken stop);
  json::Text payload_of(const Event& event) const;

  Reactor& reactor_;
  RuntimeApi& api_;
  const unsigned concurrency_;
  const LinkedApplication linked_;
  const Application& application_;
  const Function function_;
  const StoreChoice choice_;
  LambdaInvoker invoker_;
  ApplicationIdentity identity_;
  UserCode* code_ = nullptr;
  TraceExporter* traces_ = nullptr;
  std::string function_arn_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace unum::lambda
