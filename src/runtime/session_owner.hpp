// A session belongs to one application: the record that its first run makes, and what a later one
// finds there.
#pragma once

#include <string_view>

#include "unum/runtime.hpp"

namespace unum {

/// Records that the context's session is the application's, or checks that it is: see
/// RuntimeOptions::application.
Task<void> claim_session(Store& store, SessionContext context, std::string_view entry,
                         const ApplicationIdentity& application, Wait wait);

}  // namespace unum
