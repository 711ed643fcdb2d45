// Where trust and proxies come from: the options, then the usual variables, then the system.
#pragma once

#include <string>

#include "reactor/http/client.hpp"

namespace unum::http {

/// What every handle of a client is set to.
struct Settings {
  std::string ca_file;  ///< Empty: none.
  std::string ca_path;  ///< A directory of certificates by their hash; empty: none.
  bool proxy_for_https = false;
  bool proxy_for_http = false;
  std::string unix_socket;
};

/// Reads the environment, once a client. Throws `invalid` for a bundle that cannot be read.
Settings settings_of(const ClientOptions& options);

}  // namespace unum::http
