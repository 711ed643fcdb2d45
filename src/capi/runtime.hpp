// Functions, and runtimes whose platform and user code are callbacks that answer when they like.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capi/loop.hpp"
#include "capi/store.hpp"
#include "unum/application.hpp"
#include "unum/event.hpp"
#include "unum/function.hpp"
#include "unum/runtime.hpp"

namespace unum::capi {

struct FunctionObject {
  explicit FunctionObject(Function parsed) : function(std::move(parsed)) {}
  Function function;
  std::string text;      ///< Once it was asked for.
  std::string session;   ///< That unum_identify_payload gave last,
  std::string instance;  ///< both.
};

/// An invocation that the platform has not answered.
struct InvocationObject {
  InvocationObject(Reactor& reactor, Invocation asked);

  Invocation invocation;
  std::string function;
  unum_invocation_details details{};
  Event answered;
  bool is_awaited = true;
  std::unique_ptr<Error> refusal;
};

/// A call that user code has not answered.
struct CallObject {
  CallObject(Reactor& reactor, const UserCall& call);

  std::vector<std::string> texts;
  unum_call_details details{};
  Event answered;
  bool is_awaited = true;
  UserResult result;
  std::unique_ptr<Error> lost;
};

/// User code that is a callback.
class CallbackCode final : public UserCode {
 public:
  CallbackCode(Loop& loop, const unum_code& code) : loop_(loop), code_(code) {}
  Task<UserResult> call(const UserCall& call, Wait wait) override;

 private:
  Loop& loop_;
  unum_code code_;
};
/// Throws `invalid` without a `call`.
unum_code code_of(const unum_code* code);

/// Kept by its handle and by its steps that have not ended.
class RuntimeObject final : private Invoker {
 public:
  RuntimeObject(Loop& loop, StorePtr store, const unum_runtime_options& options,
                RuntimeOptions runtime_options);

  Runtime& runtime() noexcept { return runtime_; }

 private:
  Task<void> invoke(Invocation invocation, Wait wait) override;
  std::size_t payload_bytes_max() const noexcept override { return payload_bytes_max_; }
  std::chrono::milliseconds delay_max() const noexcept override { return delay_max_; }
  bool keeps_every_delivery() const noexcept override { return keeps_every_delivery_; }

  Loop& loop_;
  const StorePtr store_;
  const unum_invoke invoke_;
  void* const user_;
  const std::size_t payload_bytes_max_;
  const std::chrono::milliseconds delay_max_;
  const bool keeps_every_delivery_;
  Runtime runtime_;
};

}  // namespace unum::capi
