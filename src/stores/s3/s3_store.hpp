// A data store in a bucket of Amazon S3, or of a server that speaks its protocol and can write on
// condition.
#pragma once

#include <memory>
#include <string_view>

#include "unum/store.hpp"

namespace unum::s3 {

/// `name` is "bucket" or "bucket/prefix". Throws `not_found` for a bucket that does not exist,
/// `denied` for one that may not be written, `invalid` for a bad name and for a bucket that cannot
/// create an object only if it is absent.
Task<std::unique_ptr<Store>> open_s3_store(Reactor& reactor, std::string_view name,
                                           const StoreOptions& options, Wait wait = {});

/// Makes the bucket, in the region of the settings. Whether it was made; false if it was there.
Task<bool> create_s3_store(Reactor& reactor, std::string_view name, Wait wait = {});

}  // namespace unum::s3
