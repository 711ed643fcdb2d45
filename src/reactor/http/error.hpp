// How libcurl's results are told: their symbols, and what a caller can do about them.
#pragma once

#include <curl/curl.h>

#include <string>

#include "reactor/http/client.hpp"

namespace unum::http {

/// "CURLE_COULDNT_CONNECT".
std::string symbol_of(CURLcode code);
ErrorKind kind_of(CURLcode code) noexcept;

/// "GET https://host/path": for messages, without the query, which may hold a signature.
std::string name_of(const Request& request);

}  // namespace unum::http
