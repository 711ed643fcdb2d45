// A data store in a Redis server or cluster: values are plain strings, a checkpoint and its fan-ins
// are one script call.
#pragma once

#include <memory>
#include <string_view>

#include "unum/store.hpp"

namespace unum::redis {

/// Connects, and makes sure that the server can be written: see open_store. Names are those of
/// reactor/redis/address.hpp. What the server's settings put at risk is told through
/// `options.warn`.
Task<std::unique_ptr<Store>> open_redis_store(Reactor& reactor, std::string_view name,
                                              const StoreOptions& options, Wait wait = {});
/// There is nothing to make: a server that can be reached and written is a store. False, or what
/// opening throws.
Task<bool> create_redis_store(Reactor& reactor, std::string_view name, Wait wait = {});

}  // namespace unum::redis
