// See http_platform.hpp.
#include "hosts/http/http_platform.hpp"

#include <string>
#include <utility>

#include "hosts/http/http_invoker.hpp"

namespace unum::http_host {
namespace {

class HttpPlatform final : public PlatformInvoker {
 public:
  HttpPlatform(Reactor& reactor, const CheckedApplication& application, InvokeTarget target)
      : client_(reactor),
        invoker_(reactor, client_, metrics_, options_of(application, std::move(target))) {}

  Task<void> invoke(Invocation invocation, Wait wait) override {
    return invoker_.invoke(std::move(invocation), wait);
  }
  Task<void> close() override { return client_.close(); }

 private:
  static HttpInvokerOptions options_of(const CheckedApplication& application, InvokeTarget target) {
    HttpInvokerOptions options;
    options.target = std::move(target);
    options.application = application.name();
    return options;
  }

  http::Client client_;
  Metrics metrics_;
  HttpInvoker invoker_;
};

/// An entry alone has a URL without a placeholder, too.
InvokeTarget target_of(const std::string& url) {
  if (url.find('{') != url.npos) return parse_invoke_url(url);
  InvokeTarget target = parse_invoke_url(url + "{function}");
  target.url = url;
  return target;
}

std::unique_ptr<PlatformInvoker> platform(Reactor& reactor, const CheckedApplication& application,
                                          InvokeTarget target) {
  return std::make_unique<HttpPlatform>(reactor, application, std::move(target));
}

}  // namespace

Task<std::unique_ptr<PlatformInvoker>> open_http(Reactor& reactor,
                                                 const CheckedApplication& application,
                                                 std::string_view where, Wait) {
  InvokeTarget target = target_of("http:" + std::string(where));
  co_return platform(reactor, application, std::move(target));
}

Task<std::unique_ptr<PlatformInvoker>> open_https(Reactor& reactor,
                                                  const CheckedApplication& application,
                                                  std::string_view where, Wait) {
  InvokeTarget target = target_of("https:" + std::string(where));
  co_return platform(reactor, application, std::move(target));
}

Task<std::unique_ptr<PlatformInvoker>> open_openfaas(Reactor& reactor,
                                                     const CheckedApplication& application,
                                                     std::string_view where, Wait) {
  InvokeTarget target = parse_invoke("openfaas:" + std::string(where));
  co_return platform(reactor, application, std::move(target));
}

Task<std::unique_ptr<PlatformInvoker>> open_knative(Reactor& reactor,
                                                    const CheckedApplication& application,
                                                    std::string_view where, Wait) {
  InvokeTarget target = parse_invoke("knative:" + std::string(where));
  co_return platform(reactor, application, std::move(target));
}

}  // namespace unum::http_host
