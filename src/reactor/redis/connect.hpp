// Making a connection to a server for hiredis' asynchronous API, without ever blocking the loop.
#pragma once

#include <memory>
#include <string_view>

#include "reactor/redis/address.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

struct redisAsyncContext;

namespace unum::redis {

struct FreeContext {
  void operator()(redisAsyncContext* context) const noexcept;
};
using AsyncContext = std::unique_ptr<redisAsyncContext, FreeContext>;

/// Resolves the name (on a thread of its own), connects and, if the address says so, begins TLS:
/// the peer's certificate must be trusted and be the host's. Throws `timeout`, `cancelled`,
/// `disconnected`, `denied` (TLS), `invalid` (TLS wanted of a build without it).
Task<AsyncContext> connect(Reactor& reactor, const Address& address, Wait wait);

/// What `connect` does for TLS over a connected socket.
Task<void> begin_tls(Reactor& reactor, redisAsyncContext& context, const Address& address,
                     Wait wait);
/// Throws `invalid` in a build that has no TLS for Redis.
void check_has_tls(const Address& address);
/// Forgets errors that others left on OpenSSL's queue of this thread, where hiredis would find
/// them.
void forget_tls_errors() noexcept;

/// Throws what a wait's early end means, naming what was done.
[[noreturn]] void throw_wait_ended(int result, const Wait& wait, std::string_view what);

}  // namespace unum::redis
