// A data store in a directory: one readable file a value.
//
// `<root>/<session>/<instance>-output.json`. Many processes may use one directory at once, also
// over NFS.
#pragma once

#include <memory>
#include <string_view>

#include "unum/store.hpp"

namespace unum::fs {

/// Throws `not_found` when the directory does not exist or is none, `denied` when it cannot be
/// written. `name` and `options` are not kept beyond the call.
Task<std::unique_ptr<Store>> open_fs_store(Reactor& reactor, std::string_view name,
                                           const StoreOptions& options);
/// Makes the directory, parents too. Whether it was made; false if it was there.
Task<bool> create_fs_store(Reactor& reactor, std::string_view name);

}  // namespace unum::fs
