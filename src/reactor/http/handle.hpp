// An easy handle that is used again: what stays the same is set once, what differs from the last
// request is set for the next. Nothing is ever reset, which costs more than a small request.
#pragma once

#include <curl/curl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "reactor/http/multi.hpp"
#include "reactor/http/settings.hpp"
#include "reactor/http/transfer.hpp"

namespace unum::http {

class Handle {
 public:
  /// Throws `exhausted` when there is no memory.
  Handle(Multi& multi, const Settings& settings, CURLSH* share, std::string_view origin);
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  static Handle& of(CURL* easy) noexcept;
  CURL* easy() const noexcept { return easy_; }
  Transfer* transfer() const noexcept { return transfer_; }
  const char* message() const noexcept { return message_.data(); }

  /// Sets what the transfer's request asks for.
  CURLcode prepare(Transfer& transfer);
  void release() noexcept { transfer_ = nullptr; }

 private:
  CURLcode set_up(Multi& multi, const Settings& settings, CURLSH* share);
  CURLcode set_headers(const Request& request);
  CURLcode set_method(const Request& request);
  CURLcode set_body(const Request& request);

  static std::size_t on_header(char* line, std::size_t size, std::size_t count,
                               void* self) noexcept;
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t on_source(char* room, std::size_t size, std::size_t count,
                               void* self) noexcept;
  static int on_request(void* self, char*, char*, int, int) noexcept;

  CURL* easy_ = nullptr;
  Transfer* transfer_ = nullptr;
  const std::string origin_;
  std::string target_;
  std::vector<curl_slist> headers_;  ///< They point to the request's own lines.
  const curl_slist* headers_set_ = nullptr;
  Method method_ = Method::get;  ///< As curl is set to at present.
  bool whole_url_ = false;       ///< A proxy sees plain requests as they are written.
  bool waits_for_multiplexing_ = false;
  bool reads_much_ = false;
  std::array<char, CURL_ERROR_SIZE> message_{};
};

}  // namespace unum::http
