// Applications: what was found in them, and their functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "unum/application.hpp"
#include "unum/function.hpp"
#include "unum/runtime.hpp"

namespace unum::capi {

struct ApplicationObject {
  std::string findings;                           ///< A JSON array.
  std::optional<CheckedApplication> application;  ///< None if it is refused.
  std::vector<Function> functions;                ///< Linked.
};

/// What sessions of the application say of themselves. Throws `invalid` if it is refused.
ApplicationIdentity identity_of(const ApplicationObject& application);

}  // namespace unum::capi
