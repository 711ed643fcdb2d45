// Hands invocations to AWS Lambda: Invoke with the invocation type Event.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "aws/open_service.hpp"
#include "hosts/lambda/function_names.hpp"
#include "hosts/platform_invoker.hpp"
#include "unum/runtime.hpp"

namespace unum::lambda {

/// Bytes of an asynchronous event: 1 MB ("Lambda quotas"; 256 KB until October 2025). Some are left
/// for what a payload has beside its value.
inline constexpr std::size_t kPayloadBytesMax = 1'000'000;

struct InvokerOptions {
  /// See Invoker::payload_bytes_max.
  std::size_t payload_bytes_max = kPayloadBytesMax;
  /// The longest delay that is waited for in place, before Invoke, in the invocation that asks for
  /// it. Until it is over, the delivery is not answered, so a kill in between loses nothing.
  std::chrono::milliseconds delay_max{0};
  /// How long a service that does not do what it is asked is asked again, where the wait of the
  /// call does not end before. As long as any function may run.
  std::chrono::milliseconds patience = std::chrono::minutes(90);
  /// Invokes at once.
  std::size_t in_flight_max = 64;
};

/// One client of the service. Until it is called for the first time nothing is opened: a function
/// at the end of a workflow needs no credentials for Invoke.
class LambdaInvoker final : public PlatformInvoker {
 public:
  LambdaInvoker(Reactor& reactor, FunctionNames names, InvokerOptions options);
  ~LambdaInvoker() override;

  /// Returns once the service has answered 202. Throttling (with the pause it asks for), errors of
  /// the service and lost connections are repeated until `wait` ends; an Invoke of which nothing is
  /// known is sent again, since a second delivery does no harm. What repetition does not cure is
  /// thrown with the function's name in Lambda: `not_found`, `denied`, `invalid` (too large, a
  /// recursion that Lambda has stopped), `exhausted`. Origin "lambda", so it is never final.
  Task<void> invoke(Invocation invocation, Wait wait) override;
  std::size_t payload_bytes_max() const noexcept override { return options_.payload_bytes_max; }
  std::chrono::milliseconds delay_max() const noexcept override { return options_.delay_max; }

  Task<void> close() override;

 private:
  Task<void> open(Wait wait);
  Task<void> wait_in_place(const Invocation& invocation, Wait wait);

  Reactor& reactor_;
  const FunctionNames names_;
  const InvokerOptions options_;
  std::unique_ptr<aws::OpenService> service_;
};

/// For `unum invoke lambda:NAME`: sessions begin at the function with this name in Lambda.
Task<std::unique_ptr<PlatformInvoker>> open_platform(Reactor& reactor,
                                                     const CheckedApplication& application,
                                                     std::string_view where, Wait wait);

}  // namespace unum::lambda
