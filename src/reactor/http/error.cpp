// The table of libcurl's results.
#include "reactor/http/error.hpp"

#include <algorithm>
#include <array>

namespace unum::http {
namespace {

struct Entry {
  CURLcode code;
  const char* symbol;
  ErrorKind kind;
};

#define UNUM_CURL(code, kind) \
  Entry { code, #code, ErrorKind::kind }

constexpr std::array kEntries{
    UNUM_CURL(CURLE_UNSUPPORTED_PROTOCOL, corrupt),  // a response of HTTP/0.9: no headers at all
    UNUM_CURL(CURLE_FAILED_INIT, exhausted),
    UNUM_CURL(CURLE_URL_MALFORMAT, invalid),
    UNUM_CURL(CURLE_COULDNT_RESOLVE_PROXY, disconnected),
    UNUM_CURL(CURLE_COULDNT_RESOLVE_HOST, disconnected),
    UNUM_CURL(CURLE_COULDNT_CONNECT, disconnected),
    UNUM_CURL(CURLE_WEIRD_SERVER_REPLY, corrupt),
    UNUM_CURL(CURLE_HTTP2, disconnected),
    UNUM_CURL(CURLE_PARTIAL_FILE, disconnected),
    UNUM_CURL(CURLE_WRITE_ERROR, disconnected),
    UNUM_CURL(CURLE_READ_ERROR, disconnected),
    UNUM_CURL(CURLE_OUT_OF_MEMORY, exhausted),
    UNUM_CURL(CURLE_OPERATION_TIMEDOUT, timeout),
    UNUM_CURL(CURLE_SSL_CONNECT_ERROR, disconnected),
    UNUM_CURL(CURLE_ABORTED_BY_CALLBACK, cancelled),
    UNUM_CURL(CURLE_GOT_NOTHING, disconnected),
    UNUM_CURL(CURLE_SEND_ERROR, disconnected),
    UNUM_CURL(CURLE_RECV_ERROR, disconnected),
    UNUM_CURL(CURLE_SSL_CERTPROBLEM, denied),
    UNUM_CURL(CURLE_SSL_CIPHER, denied),
    UNUM_CURL(CURLE_PEER_FAILED_VERIFICATION, denied),
    UNUM_CURL(CURLE_BAD_CONTENT_ENCODING, corrupt),
    UNUM_CURL(CURLE_FILESIZE_EXCEEDED, invalid),
    UNUM_CURL(CURLE_SEND_FAIL_REWIND, disconnected),
    UNUM_CURL(CURLE_SSL_CACERT_BADFILE, invalid),
    UNUM_CURL(CURLE_SSL_ISSUER_ERROR, denied),
    UNUM_CURL(CURLE_SSL_INVALIDCERTSTATUS, denied),
    UNUM_CURL(CURLE_HTTP2_STREAM, disconnected),
    UNUM_CURL(CURLE_PROXY, disconnected),
};

#undef UNUM_CURL

const Entry* find(CURLcode code) noexcept {
  const auto found = std::find_if(kEntries.begin(), kEntries.end(),
                                  [&](const Entry& entry) { return entry.code == code; });
  return found == kEntries.end() ? nullptr : &*found;
}

}  // namespace

std::string symbol_of(CURLcode code) {
  const Entry* entry = find(code);
  return entry != nullptr ? entry->symbol : "CURLE_" + std::to_string(static_cast<int>(code));
}

ErrorKind kind_of(CURLcode code) noexcept {
  const Entry* entry = find(code);
  return entry != nullptr ? entry->kind : ErrorKind::disconnected;
}

std::string name_of(const Request& request) {
  std::string name(to_string(request.method));
  name.append(" ").append(request.origin);
  return name.append(request.target.substr(0, request.target.find('?')));
}

}  // namespace unum::http
