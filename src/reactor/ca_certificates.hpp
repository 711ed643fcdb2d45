// Where a machine keeps the CA certificates that it trusts.
#pragma once

#include <string>

namespace unum {

/// One of the two, or neither.
struct CaPlace {
  std::string file;       ///< A bundle in PEM.
  std::string directory;  ///< Files under the hash of their subject, as OpenSSL looks for them.
};

/// Where the TLS library was built to look, if something is there, the directory first: of that
/// only those certificates are read that a connection needs. Else where distributions keep their
/// bundle. A program that brings its TLS library along was built on another machine than it runs
/// on. Either argument may be null. `root` is put before the distributions' places, for tests.
CaPlace find_ca_certificates(const char* built_file, const char* built_directory,
                             const std::string& root = {});

}  // namespace unum
