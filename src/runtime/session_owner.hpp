// A session belongs to one application: the record that its first run makes, and what a later one
// finds there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "unum/runtime.hpp"

namespace unum {

/// Records that the context's session is the application's, or checks that it is: see
/// RuntimeOptions::application.
Task<void> claim_session(Store& store, SessionContext context, std::string_view entry,
                         const ApplicationIdentity& application, Wait wait);
/// The check alone, of the record that is stored; one that is damaged is nobody's.
Task<void> refuse_others(Store& store, SessionContext context, std::string stored,
                         const ApplicationIdentity& application, Wait wait);
/// What a record says; nothing if it is damaged.
std::optional<ApplicationIdentity> parse_owner(std::string_view stored);

}  // namespace unum
