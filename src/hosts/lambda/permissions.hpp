// What the functions of an application may do at AWS: the one table of it.
#pragma once

#include <span>
#include <string_view>

#include "base/store_types.hpp"

namespace unum::lambda {

/// Actions that are allowed on one resource.
struct Permission {
  std::string_view resource;  ///< "table", "objects", "bucket": see deployment.cpp.
  std::span<const std::string_view> actions;
};

/// Of a data store of this type; none where access is a matter of the network (redis). The pages of
/// the stores in docs/stores/ name the same, and a test compares them.
std::span<const Permission> store_permissions(StoreType type) noexcept;

/// For functions that have others behind them.
inline constexpr std::string_view kInvokeAction = "lambda:InvokeFunction";

}  // namespace unum::lambda
