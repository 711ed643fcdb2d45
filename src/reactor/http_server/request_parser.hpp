// Bytes to requests: llhttp, or http-parser where the system has no llhttp, with what they tolerate
// refused.
//
// Whoever stands in front of this server must see the same requests in the same bytes, or else one
// client's bytes become another's request. So a request that can be read in two ways is refused:
// Content-Length beside Transfer-Encoding, either of them twice, any encoding but "chunked", a line
// that ends in a lone LF or continues on the next, a Host that is missing or stands there twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "reactor/http_server/message.hpp"

namespace unum::http_server {

struct RequestLimits {
  /// Of the request line and the headers; also of what stands between and behind the chunks.
  std::size_t head_bytes_max = 64u * 1024;
  std::size_t headers_max = 100;
  std::size_t body_bytes_max = 64u * 1024 * 1024;
};

/// Why a request is refused: the status and a sentence for its response.
struct Refusal {
  int status = 400;
  std::string text;
};

class RequestParser {
 public:
  explicit RequestParser(const RequestLimits& limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  enum class State : std::uint8_t { head, body, complete, refused };

  /// Takes bytes up to the end of the request and returns how many; the rest is the next one's.
  std::size_t feed(std::string_view bytes);
  State state() const noexcept;
  /// Whether anything of the request has come, but for an empty line before it.
  bool begun() const noexcept;
  /// Of the body, so far.
  std::size_t body_bytes() const noexcept;
  /// Of a request that was refused.
  const Refusal& refusal() const noexcept;
  /// Of a request that is complete; to be moved from.
  Request& request() noexcept;
  /// Whether the connection can be used for another request, by what the head says.
  bool keeps_alive() const noexcept;
  /// Whether the client waits for "100 Continue" before it sends the body.
  bool expects_continue() const noexcept;
  /// Begins the next request.
  void next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unum::http_server
