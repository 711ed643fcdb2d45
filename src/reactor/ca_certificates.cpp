#include "reactor/ca_certificates.hpp"

#include <dirent.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string_view>

namespace unum {
namespace {

constexpr std::array kBundles = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, Amazon Linux
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Red Hat Enterprise Linux
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // Alpine without its bundle's package
};

bool is_readable(const char* path) { return ::access(path, R_OK) == 0; }

/// Whether certificates lie there under the hash of their subject, "5ed36f99.0".
bool is_hashed(const char* directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory), &::closedir);
  if (!entries) return false;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view name(entry->d_name);
    if (name.size() == 10 && name.substr(8) == ".0") return true;
  }
  return false;
}

}  // namespace

CaPlace find_ca_certificates(const char* built_file, const char* built_directory,
                             const std::string& root) {
  if (built_directory != nullptr && is_hashed(built_directory)) return {{}, built_directory};
  if (built_file != nullptr && is_readable(built_file)) return {built_file, {}};
  for (const char* bundle : kBundles) {
    if (const std::string path = root + bundle; is_readable(path.c_str())) return {path, {}};
  }
  return {};
}

}  // namespace unum
