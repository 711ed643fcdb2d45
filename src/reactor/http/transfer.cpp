// How a request waits, what comes of it, and how its failure is told.
#include "reactor/http/transfer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include "base/limits.hpp"
#include "base/padded.hpp"
#include "reactor/http/dispatcher.hpp"
#include "reactor/http/error.hpp"
#include "unum/assert.hpp"

namespace unum::http {
namespace {

[[noreturn]] void reject(const Request& request, const char* what) {
  throw Error(ErrorKind::invalid, "http", "CURLE_URL_MALFORMAT", name_of(request) + ": " + what);
}

bool is_visible(char c) noexcept { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; }

void check(const Request& request) {
  const std::size_t scheme = request.origin.starts_with("https://")  ? 8
                             : request.origin.starts_with("http://") ? 7
                                                                     : 0;
  const std::string_view host = request.origin.substr(scheme);
  if (scheme == 0 || host.empty() || host.find_first_of("/?#@") != std::string_view::npos ||
      !std::all_of(host.begin(), host.end(), is_visible)) {
    reject(request, "the origin must be \"https://HOST[:PORT]\" or \"http://HOST[:PORT]\"");
  }
  if (!request.target.starts_with('/') ||
      !std::all_of(request.target.begin(), request.target.end(), is_visible)) {
    reject(request, "the target must begin with '/' and be encoded");
  }
  for (const std::string& line : request.headers) {
    if (line.find('\n') != std::string::npos || line.find('\r') != std::string::npos ||
        line.find(':') == std::string::npos) {
      reject(request, "a header must be one line, \"Name: value\"");
    }
  }
  const bool takes_body = request.method == Method::put || request.method == Method::post;
  if (!takes_body && (!request.body.empty() || request.source)) {
    reject(request, "only PUT and POST have a body");
  }
}

/// That of "HTTP/1.1 404 Not Found"; 0 if it has none.
int status_in(std::string_view line) noexcept {
  constexpr std::size_t kDigits = 3;
  const std::size_t space = line.find(' ');
  if (space == line.npos || line.size() < space + 1 + kDigits) return 0;
  int status = 0;
  for (const char c : line.substr(space + 1, kDigits)) {
    if (c < '0' || c > '9') return 0;
    status = 10 * status + (c - '0');
  }
  return status;
}

}  // namespace

Transfer::Transfer(Dispatcher& dispatcher, Request request, const Wait& wait)
    : detail::BoundedWait(dispatcher.reactor(), wait, &on_given_up),
      dispatcher_(dispatcher),
      request_((check(request), std::move(request))),
      wait_(wait),
      origin_(dispatcher.enter(request_.origin)),
      source_bytes_left_(request_.source_bytes) {
  run = [](Ready& ready) noexcept { static_cast<Transfer&>(ready).resume(); };
}

Transfer::~Transfer() {
  UNUM_ASSERT(phase_ == Phase::made || phase_ == Phase::over);
  dispatcher_.leave(origin_);
}

bool Transfer::await_ready() noexcept {
  if (wait_.stop.stop_requested()) {
    end_ = End::stopped;
  } else if (wait_.deadline <= dispatcher_.reactor().now()) {
    end_ = End::deadline;
  }
  return end_ != End::none;
}

void Transfer::await_suspend(std::coroutine_handle<> waiter) {
  begin_wait(waiter);  // may throw: nothing else was done yet
  dispatcher_.submit(*this);
}

void Transfer::on_given_up(detail::BoundedWait& wait, int why) noexcept {
  auto& self = static_cast<Transfer&>(wait);
  self.dispatcher_.give_up(self, why == -ETIME ? End::deadline : End::stopped);
}

void Transfer::end(End how, CURLcode code) noexcept {
  ended_in_ = phase_;
  phase_ = Phase::over;
  end_ = how;
  code_ = code;
  end_wait();
  reactor().post(*this);
}

void Transfer::keep_words(const char* words) noexcept {
  try {
    curl_says_ = words;
  } catch (const std::exception&) {
    curl_says_.clear();  // the code says enough
  }
}

void Transfer::end_by_curl(CURLcode code) noexcept {
  if (code == CURLE_OK && !header_is_whole_) {
    // To curl an end within the header is one of the body.
    code = CURLE_PARTIAL_FILE;
    keep_words("the connection ended in the middle of the header");
  }
  end(End::by_curl, code);
}

Response Transfer::await_resume() {
  if (end_ == End::by_curl && code_ == CURLE_OK) return std::move(response_);
  throw error();
}

// --- What comes -------------------------------------------------------------------------------

bool Transfer::on_header(std::string_view line) {
  if (abandoned_) return false;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.empty()) {
    header_is_whole_ = response_.status >= 200;
    return true;
  }
  std::string& block = response_.header_block;
  if (line.starts_with("HTTP/")) {
    // Another one: that of a 1xx before it is forgotten.
    block.clear();
    header_is_whole_ = false;
    response_.status = status_in(line);
    if (response_.status == 0) {
      end_ = End::not_http;
      return false;
    }
    origin_.multiplexes = line.starts_with("HTTP/2") || line.starts_with("HTTP/3");
    return true;
  }
  if (block.size() + line.size() + 1 > kHttpHeaderBytesMax) {
    end_ = End::headers_too_long;
    return false;
  }
  constexpr std::size_t kUsualBytes = 500;
  if (block.empty()) block.reserve(kUsualBytes);
  block.append(line).push_back('\n');
  return true;
}

bool Transfer::on_body(std::span<const std::byte> bytes) {
  if (abandoned_) return false;
  const std::uint64_t most =
      request_.body_bytes_max != 0 ? request_.body_bytes_max : kHttpBodyBytesMax;
  response_.body_bytes += bytes.size();
  if (response_.body_bytes > most) {
    end_ = End::body_too_long;
    return false;
  }
  if (request_.sink && response_.status / 100 == 2) {
    if (request_.sink(bytes)) return true;
    end_ = End::sink_broke_off;
    return false;
  }
  std::string& body = response_.body;
  if (body.empty()) {
    curl_off_t announced = -1;
    curl_easy_getinfo(handle_->easy(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    const std::uint64_t length = std::max<std::uint64_t>(
        bytes.size(), announced > 0 ? static_cast<std::uint64_t>(announced) : 0);
    if (length > most) {
      end_ = End::body_too_long;
      return false;
    }
    body.reserve(length + kValuePadding);
  } else if (body.capacity() - body.size() < bytes.size() + kValuePadding) {
    body.reserve(std::max(2 * body.size(), body.size() + bytes.size() + kValuePadding));
  }
  body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return true;
}

std::size_t Transfer::on_source(std::span<std::byte> room) {
  if (abandoned_ || !request_.source) return CURL_READFUNC_ABORT;
  const std::size_t most =
      static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), source_bytes_left_));
  if (most == 0) return 0;
  const std::size_t count = request_.source(room.first(most));
  UNUM_ASSERT(count > 0 && count <= most);
  source_bytes_left_ -= count;
  return count;
}

// --- What failed ------------------------------------------------------------------------------

SendError Transfer::error() const {
  const bool sent = ended_in_ == Phase::sent;
  const auto make = [&](CURLcode code, const std::string& detail) {
    return SendError(kind_of(code), symbol_of(code), name_of(request_) + ": " + detail, sent);
  };
  switch (end_) {
    case End::none:
    case End::by_curl: break;
    case End::deadline:
      return make(CURLE_OPERATION_TIMEDOUT, std::string("the deadline passed ") + where());
    case End::connect_timeout:
      return make(CURLE_OPERATION_TIMEDOUT,
                  "not connected within " + dispatcher_.connect_timeout_text());
    case End::stalled:
      return make(CURLE_OPERATION_TIMEDOUT,
                  "nothing moved for " + dispatcher_.stall_timeout_text() + " " + where());
    case End::trickles:
      return make(CURLE_OPERATION_TIMEDOUT, "next to nothing moved for three times " +
                                                dispatcher_.stall_timeout_text() + " " + where() +
                                                ", so that it would not end");
    case End::stopped:
      return make(CURLE_ABORTED_BY_CALLBACK,
                  "a stop was requested: " + std::string(wait_.stop.reason()));
    case End::closed: return make(CURLE_ABORTED_BY_CALLBACK, "the HTTP client was closed");
    case End::sink_broke_off:
      return make(CURLE_ABORTED_BY_CALLBACK, "whoever reads the body wanted no more of it");
    case End::body_too_long:
      return make(CURLE_FILESIZE_EXCEEDED,
                  "the body is longer than " +
                      std::to_string(request_.body_bytes_max != 0 ? request_.body_bytes_max
                                                                  : kHttpBodyBytesMax) +
                      " bytes");
    case End::headers_too_long:
      return make(CURLE_FILESIZE_EXCEEDED, "the response's headers are longer than " +
                                               std::to_string(kHttpHeaderBytesMax) + " bytes");
    case End::not_http:
      return make(CURLE_WEIRD_SERVER_REPLY, "what came is not a response of HTTP");
    case End::source_was_read:
      return make(CURLE_SEND_FAIL_REWIND,
                  "the connection was gone after a part of the body had been read");
    case End::out_of_memory: return make(CURLE_OUT_OF_MEMORY, "out of memory");
  }
  // A line beyond its limit is "out of memory" to libcurl before 8.6, and "too large" since.
  constexpr auto kTooLarge = static_cast<CURLcode>(100);
  const bool in_header = sent && !header_is_whole_;
  if (in_header && (code_ == CURLE_OUT_OF_MEMORY || code_ == kTooLarge)) {
    return make(CURLE_FILESIZE_EXCEEDED, "a line of the response's header is longer than " +
                                             std::to_string(kHttpHeaderLineBytesMax) +
                                             " bytes, or memory ran out");
  }
  return make(code_, curl_says_.empty() ? curl_easy_strerror(code_) : curl_says_);
}

const char* Transfer::where() const noexcept {
  switch (ended_in_) {
    case Phase::queued: return "while it waited for a free connection";
    case Phase::connecting: return "while connecting";
    case Phase::sent:
      return response_.status == 0 ? "before a response came" : "in the middle of the response";
    default: return "before the request was made";
  }
}

}  // namespace unum::http
