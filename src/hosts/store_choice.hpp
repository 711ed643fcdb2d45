// Where an application's values are: from "TYPE:NAME" or from its template.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "application/application.hpp"
#include "unum/store.hpp"

namespace unum {

struct StoreChoice {
  std::string type;
  std::string name;   ///< For fs: relative to the current directory or absolute.
  bool named = true;  ///< It must exist; only the embedded default is made.
};

/// From "TYPE:NAME". Throws `invalid`.
StoreChoice parse_store(std::string_view text);
/// From "TYPE:NAME" if there is one, else from the application.
StoreChoice choose_store(const Application& application, const std::string& option);

/// Opens the store in which a session should be. The embedded default that was never made holds
/// none: `invalid`, as for any session that does not exist.
Task<std::unique_ptr<Store>> open_for_session(Reactor& reactor, const StoreChoice& choice,
                                              std::string_view session,
                                              const StoreOptions& options = {}, Wait wait = {});

}  // namespace unum
