// What an HTTP server's handler gets and gives.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unum::http_server {

struct Header {
  std::string name;  ///< As it came; compare names without case.
  std::string value;
};

/// The value of the first header of that name (in any case), or nothing. Lives as long as they do.
std::string_view header_of(const std::vector<Header>& headers, std::string_view name) noexcept;
/// Whether two names of headers, or two of their keywords, are the same.
bool same_word(std::string_view one, std::string_view other) noexcept;

/// A whole request. Its body is text with room for a JSON parser behind its end (kValuePadding).
struct Request {
  std::string method;  ///< "GET", "POST", ...
  /// Path and query as they came, percent-encoding included. Begins with '/', or is "*".
  std::string target;
  std::vector<Header> headers;
  std::string body;

  std::string_view path() const noexcept {
    return std::string_view(target).substr(0, target.find('?'));
  }
  /// What stands behind the '?'; may be empty.
  std::string_view query() const noexcept {
    const std::size_t mark = target.find('?');
    return mark == target.npos ? std::string_view() : std::string_view(target).substr(mark + 1);
  }
  std::string_view header(std::string_view name) const noexcept { return header_of(headers, name); }
};

struct Response {
  int status = 200;
  /// Beside Date, Connection and Content-Length, which are the server's business. Neither names nor
  /// values may contain line ends: what does is left out.
  std::vector<Header> headers{};
  std::string body{};
};

/// The usual words for a status: "Not Found".
std::string_view reason_of(int status) noexcept;

/// What goes out before the body. `date`: the value of its Date header.
std::string head_of(const Response& response, std::string_view date, bool keeps_alive);

}  // namespace unum::http_server
