// Where `unum invoke` begins sessions over HTTP: OpenPlatform, for the schemes of this host.
#pragma once

#include <memory>
#include <string_view>

#include "hosts/platform_invoker.hpp"

namespace unum::http_host {

/// `where` is what stands behind "http:": a URL of the entry function, or one for all functions,
/// with placeholders.
Task<std::unique_ptr<PlatformInvoker>> open_http(Reactor& reactor,
                                                 const CheckedApplication& application,
                                                 std::string_view where, Wait wait);
Task<std::unique_ptr<PlatformInvoker>> open_https(Reactor& reactor,
                                                  const CheckedApplication& application,
                                                  std::string_view where, Wait wait);
/// The URL of a gateway.
Task<std::unique_ptr<PlatformInvoker>> open_openfaas(Reactor& reactor,
                                                     const CheckedApplication& application,
                                                     std::string_view where, Wait wait);
/// The URL of a broker.
Task<std::unique_ptr<PlatformInvoker>> open_knative(Reactor& reactor,
                                                    const CheckedApplication& application,
                                                    std::string_view where, Wait wait);

}  // namespace unum::http_host
