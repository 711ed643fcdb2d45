// Requests and responses as texts.
#include "reactor/http_server/message.hpp"

#include <strings.h>

#include <algorithm>

namespace unum::http_server {

bool same_word(std::string_view one, std::string_view other) noexcept {
  return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

std::string_view header_of(const std::vector<Header>& headers, std::string_view name) noexcept {
  const auto found = std::ranges::find_if(
      headers, [name](const Header& header) { return same_word(header.name, name); });
  return found == headers.end() ? std::string_view() : std::string_view(found->value);
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return status < 400 ? "OK" : "Error";
  }
}

std::string head_of(const Response& response, std::string_view date, bool keeps_alive) {
  std::string out = "HTTP/1.1 ";
  out.append(std::to_string(response.status)).append(" ").append(reason_of(response.status));
  out.append("\r\nDate: ").append(date);
  if (response.status != 204 && response.status != 304) {
    out.append("\r\nContent-Length: ").append(std::to_string(response.body.size()));
  }
  constexpr std::string_view kBreaks("\r\n\0", 3);
  for (const Header& header : response.headers) {
    // A line end here would let a value forge headers, or a whole response.
    if (header.name.find_first_of(kBreaks) != header.name.npos ||
        header.value.find_first_of(kBreaks) != header.value.npos) {
      continue;
    }
    out.append("\r\n").append(header.name).append(": ").append(header.value);
  }
  if (!keeps_alive) out.append("\r\nConnection: close");
  out.append("\r\n\r\n");
  return out;
}

}  // namespace unum::http_server
