// See invoker.hpp.
#include "hosts/lambda/invoker.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "unum/error.hpp"

namespace unum::lambda {
namespace {

// Of `unum invoke`, as its store's: somebody waits for it.
constexpr std::chrono::seconds kPatienceOfPeople{60};

// A function that is being changed or made ready, says Invoke: soon it is. (Those of status 429
// and of 5xx are repeated whatever their code.)
constexpr std::array<std::string_view, 5> kRetried = {
    "ResourceConflictException", "SnapStartNotReadyException", "CodeArtifactUserPendingException",
    "SnapStartTimeoutException", "EFSMountTimeoutException"};

}  // namespace

LambdaInvoker::LambdaInvoker(Reactor& reactor, FunctionNames names, InvokerOptions options)
    : reactor_(reactor), names_(std::move(names)), options_(options) {}

LambdaInvoker::~LambdaInvoker() = default;

Task<void> LambdaInvoker::open(Wait wait) {
  aws::ServiceOptions options;
  options.connections_max = options_.in_flight_max;
  options.patience = options_.patience;
  aws::OpenService opened =
      co_await aws::open_service(reactor_, "lambda", aws::Protocol::json_1_0, options, wait);
  opened.service->set_opening(false);
  if (service_) {  // another one was faster
    co_await opened.close();
  } else {
    service_ = std::make_unique<aws::OpenService>(std::move(opened));
  }
}

Task<void> LambdaInvoker::wait_in_place(const Invocation& invocation, Wait wait) {
  const WallTime now = reactor_.wall_time();
  if (invocation.not_before <= now) co_return;
  const Deadline due = reactor_.now() + (invocation.not_before - now);
  if (due >= wait.deadline) {
    throw Error(ErrorKind::timeout, "lambda", "Unum.DelayTooLong",
                fmt::format("{}: its next attempt is due after the end of this invocation; give "
                            "the function a longer Timeout",
                            invocation.instance));
  }
  const bool waited = co_await reactor_.sleep_until(due, wait.stop);
  if (!waited) {
    throw Error(ErrorKind::cancelled, "lambda", "Unum.Cancelled",
                invocation.instance + ": stopped while its next attempt was waited for");
  }
}

Task<void> LambdaInvoker::invoke(Invocation invocation, Wait wait) {
  const std::string name = names_.name_of(invocation.function);
  const std::string path = invoke_path(name);
  const std::string what = fmt::format("Invoke of {} ({})", invocation.function, name);
  const std::array<std::string, 2> headers = {"content-type: application/json",
                                              "x-amz-invocation-type: Event"};
  co_await wait_in_place(invocation, wait);
  while (!service_) co_await open(wait);
  aws::Call call;
  call.method = http::Method::post;
  call.path = path;
  call.headers = headers;
  call.body = invocation.payload.text();
  call.retried = kRetried;
  call.what = what;
  const aws::ServiceAnswer answer = co_await service_->service->send(call, wait);
  if (answer.response.status != 202) {
    throw Error(ErrorKind::bug, "lambda", "Unum.NotAccepted",
                fmt::format("{}: the service answered with status {}, not 202", what,
                            answer.response.status));
  }
  log::debug(LogArea::host, "invoked {} for {}", name, invocation.instance);
}

Task<void> LambdaInvoker::close() {
  if (service_) co_await service_->close();
}

Task<std::unique_ptr<PlatformInvoker>> open_platform(Reactor& reactor, const CheckedApplication&,
                                                     std::string_view where, Wait) {
  InvokerOptions options;
  options.patience = kPatienceOfPeople;
  FunctionNames names = FunctionNames::always(std::string(where));
  std::unique_ptr<PlatformInvoker> platform =
      std::make_unique<LambdaInvoker>(reactor, std::move(names), options);
  co_return platform;
}

}  // namespace unum::lambda
