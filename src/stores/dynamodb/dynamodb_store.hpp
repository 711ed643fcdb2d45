// The data store in a DynamoDB table. What it needs, costs and promises: docs/stores/dynamodb.md.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "unum/store.hpp"

namespace unum::dynamodb {

/// What tests turn; everybody else takes it as it is.
struct Tuning {
  /// Parts and nodes of this age that belong to nothing are collected by whoever lists.
  std::chrono::seconds orphan_age{2 * 60 * 60};
  /// How long a table that is being created is waited for.
  std::chrono::seconds creation_wait{60};
};

/// Opens the table `name` at the endpoint that the environment says. Throws `not_found` when there
/// is none, `invalid` when its key is not the string `Name`, `denied` when it may not be described
/// or written, `timeout` when it is still being created.
Task<std::unique_ptr<Store>> open_dynamodb_store(Reactor& reactor, std::string_view name,
                                                 const StoreOptions& options, Wait wait = {});
Task<std::unique_ptr<Store>> open_dynamodb_store(Reactor& reactor, std::string_view name,
                                                 const StoreOptions& options, Tuning tuning,
                                                 Wait wait = {});
/// Makes the table, on-demand, and waits until it is there. False if there was one of that name
/// with the right key; `invalid` if its key is another.
Task<bool> create_dynamodb_store(Reactor& reactor, std::string_view name, Wait wait = {});

}  // namespace unum::dynamodb
