// The environment of an HTTP client.
#include "reactor/http/settings.hpp"

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "reactor/ca_certificates.hpp"
#include "unum/error.hpp"

namespace unum::http {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool any_is_set(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!variable(name).empty()) return true;
  }
  return false;
}

void must_be_readable(const std::string& path, const char* named_by) {
  if (path.empty() || ::access(path.c_str(), R_OK) == 0) return;
  throw Error(ErrorKind::invalid, "http", "CURLE_SSL_CACERT_BADFILE",
              std::string(named_by) + " names \"" + path + "\" for the CA certificates, which " +
                  "cannot be read: " + std::strerror(errno));
}

void choose_trust(Settings& settings, const ClientOptions& options) {
  if (!options.ca_bundle.empty()) {
    settings.ca_file = options.ca_bundle;
    must_be_readable(settings.ca_file, "the option ca_bundle");
  } else if (settings.ca_file = variable("CURL_CA_BUNDLE"); !settings.ca_file.empty()) {
    must_be_readable(settings.ca_file, "CURL_CA_BUNDLE");
  } else if (any_is_set({"SSL_CERT_FILE", "SSL_CERT_DIR"})) {
    settings.ca_file = variable("SSL_CERT_FILE");
    settings.ca_path = variable("SSL_CERT_DIR");
    must_be_readable(settings.ca_file, "SSL_CERT_FILE");
    must_be_readable(settings.ca_path, "SSL_CERT_DIR");
  } else {
    // Never both: curl then keeps nothing from one connection to the next. Reading a bundle takes
    // 15 ms.
    const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
    CaPlace place = find_ca_certificates(info->cainfo, info->capath);
    settings.ca_file = std::move(place.file);
    settings.ca_path = std::move(place.directory);
  }
}

}  // namespace

std::string proxy_setting(std::string_view origin) {
  const bool tls = origin.starts_with("https:");
  for (const char* name :
       {tls ? "https_proxy" : "http_proxy", tls ? "HTTPS_PROXY" : "", "all_proxy", "ALL_PROXY"}) {
    const std::string value = *name != '\0' ? variable(name) : std::string();
    if (value.empty()) continue;
    const std::size_t scheme = value.find("://");
    const std::size_t at = value.rfind('@');
    const std::size_t host = at != std::string::npos       ? at + 1
                             : scheme != std::string::npos ? scheme + 3
                                                           : 0;
    return std::string(name) + " is " + value.substr(host);
  }
  return {};
}

Settings settings_of(const ClientOptions& options) {
  Settings settings;
  choose_trust(settings, options);
  settings.unix_socket = options.unix_socket;
  if (options.unix_socket.empty() && options.proxies) {
    // Which names curl itself reads; HTTP_PROXY it does not, since a CGI's client could set it.
    const bool for_all = any_is_set({"all_proxy", "ALL_PROXY"});
    settings.proxy_for_http = for_all || any_is_set({"http_proxy"});
    settings.proxy_for_https = for_all || any_is_set({"https_proxy", "HTTPS_PROXY"});
  }
  return settings;
}

}  // namespace unum::http
