// What `unum invoke` hands a workflow's first invocation to.
#pragma once

#include <memory>
#include <string_view>

#include "unum/application.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"

namespace unum {

/// An invoker of a platform, with connections that are closed before it is destroyed.
class PlatformInvoker : public Invoker {
 public:
  virtual Task<void> close() = 0;
};

/// Opens the platform that `where` names, which stands behind the scheme's colon. What it is given
/// by reference outlives it.
using OpenPlatform = Task<std::unique_ptr<PlatformInvoker>> (*)(
    Reactor& reactor, const CheckedApplication& application, std::string_view where, Wait wait);

}  // namespace unum
