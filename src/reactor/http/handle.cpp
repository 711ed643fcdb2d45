// What is set on an easy handle, and curl's callbacks.
#include "reactor/http/handle.hpp"

#include <strings.h>

#include <exception>
#include <utility>

#include "reactor/http/dispatcher.hpp"
#include "unum/assert.hpp"

namespace unum::http {
namespace {

// Bytes a read at once where a body is long, as one for a sink is: an eighth of the calls.
constexpr long kLargeReadBytes = 128 * 1024;

/// Sets options and keeps the first failure.
class Setter {
 public:
  explicit Setter(CURL* easy) noexcept : easy_(easy) {}
  template <class Value>
  Setter& set(CURLoption option, Value value) noexcept {
    if (code_ == CURLE_OK) code_ = curl_easy_setopt(easy_, option, value);
    return *this;
  }
  CURLcode code() const noexcept { return code_; }

 private:
  CURL* easy_;
  CURLcode code_ = CURLE_OK;
};

const char* or_null(const std::string& text) noexcept {
  return text.empty() ? nullptr : text.c_str();
}

bool has_header(const Request& request, std::string_view name) noexcept {
  for (const std::string& line : request.headers) {
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.data(), name.data(), name.size()) == 0) {
      return true;
    }
  }
  return false;
}

// What curl would add by itself, taken away: a line without a value.
char no_accept[] = "Accept:";
char no_content_type[] = "Content-Type:";
char no_expect[] = "Expect:";

}  // namespace

Handle::Handle(Multi& multi, const Settings& settings, CURLSH* share, std::string_view origin)
    : origin_(origin) {
  easy_ = curl_easy_init();
  if (easy_ == nullptr || set_up(multi, settings, share) != CURLE_OK) {
    if (easy_ != nullptr) curl_easy_cleanup(easy_);
    throw Error(ErrorKind::exhausted, "http", "CURLE_OUT_OF_MEMORY",
                "no memory for a request to " + origin_);
  }
}

Handle::~Handle() {
  UNUM_ASSERT(transfer_ == nullptr);
  curl_easy_cleanup(easy_);
}

Handle& Handle::of(CURL* easy) noexcept {
  Handle* handle = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &handle);
  return *handle;
}

std::uint64_t Handle::bytes_moved() const noexcept {
  curl_off_t sent = 0;
  curl_off_t received = 0;
  long headers = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_easy_getinfo(easy_, CURLINFO_SIZE_DOWNLOAD_T, &received);
  curl_easy_getinfo(easy_, CURLINFO_HEADER_SIZE, &headers);
  return static_cast<std::uint64_t>(sent + received + headers);
}

CURLcode Handle::set_up(Multi& multi, const Settings& settings, CURLSH* share) {
  const bool tls = origin_.starts_with("https:");
  whole_url_ = !tls && settings.proxy_for_http;
  const bool proxied = tls ? settings.proxy_for_https : settings.proxy_for_http;
  multi.adopt(easy_);
  Setter setter(easy_);
  setter.set(CURLOPT_PRIVATE, this)
      .set(CURLOPT_URL, origin_.c_str())
      .set(CURLOPT_PROTOCOLS_STR, "http,https")
      .set(CURLOPT_PATH_AS_IS, 1L)
      .set(CURLOPT_NOSIGNAL, 1L)
      // A name that is still being resolved is left to its thread when its request ends; else curl
      // waits for the thread, and everybody with it.
      .set(CURLOPT_QUICK_EXIT, 1L)
      .set(CURLOPT_ERRORBUFFER, message_.data())
      .set(CURLOPT_WRITEFUNCTION, &on_body)
      .set(CURLOPT_WRITEDATA, this)
      .set(CURLOPT_HEADERFUNCTION, &on_header)
      .set(CURLOPT_HEADERDATA, this)
      .set(CURLOPT_READFUNCTION, &on_source)
      .set(CURLOPT_READDATA, this)
      .set(CURLOPT_PREREQFUNCTION, &on_request)
      .set(CURLOPT_PREREQDATA, this)
      .set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L)
      .set(CURLOPT_NOPROXY, proxied ? nullptr : "*")
      .set(CURLOPT_UNIX_SOCKET_PATH, or_null(settings.unix_socket));
  if (tls || proxied) {
    setter.set(CURLOPT_SHARE, share)
        .set(CURLOPT_CAINFO, or_null(settings.ca_file))
        .set(CURLOPT_CAPATH, or_null(settings.ca_path));
  }
  if (proxied) {
    setter.set(CURLOPT_PROXY_CAINFO, or_null(settings.ca_file))
        .set(CURLOPT_PROXY_CAPATH, or_null(settings.ca_path));
  }
  return setter.code();
}

CURLcode Handle::prepare(Transfer& transfer) {
  const Request& request = transfer.request();
  transfer_ = &transfer;
  message_[0] = '\0';
  Setter setter(easy_);
  if (whole_url_) {
    target_.assign(origin_).append(request.target);
    setter.set(CURLOPT_URL, target_.c_str());
  } else {
    target_.assign(request.target);
    setter.set(CURLOPT_REQUEST_TARGET, target_.c_str());
  }
  if (transfer.origin().multiplexes != waits_for_multiplexing_) {
    waits_for_multiplexing_ = transfer.origin().multiplexes;
    setter.set(CURLOPT_PIPEWAIT, waits_for_multiplexing_ ? 1L : 0L);
  }
  if (const bool large = request.sink || request.long_body; large != reads_much_) {
    reads_much_ = large;
    setter.set(CURLOPT_BUFFERSIZE, large ? kLargeReadBytes : long{CURL_MAX_WRITE_SIZE});
  }
  if (setter.code() != CURLE_OK) return setter.code();
  if (const CURLcode code = set_headers(request); code != CURLE_OK) return code;
  return set_method(request);
}

CURLcode Handle::set_headers(const Request& request) {
  headers_.clear();
  // curl only reads them.
  for (const std::string& line : request.headers) {
    headers_.push_back({const_cast<char*>(line.c_str()), nullptr});
  }
  if (!has_header(request, "accept")) headers_.push_back({no_accept, nullptr});
  if (request.method == Method::put || request.method == Method::post) {
    if (!has_header(request, "content-type")) headers_.push_back({no_content_type, nullptr});
    if (!has_header(request, "expect")) headers_.push_back({no_expect, nullptr});
  }
  if (headers_.empty()) headers_.push_back({no_accept, nullptr});
  for (std::size_t i = 0; i + 1 < headers_.size(); ++i) headers_[i].next = &headers_[i + 1];
  if (headers_set_ == headers_.data()) return CURLE_OK;
  headers_set_ = headers_.data();
  return curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_.data());
}

CURLcode Handle::set_method(const Request& request) {
  const bool body = request.method == Method::put || request.method == Method::post;
  Setter setter(easy_);
  if (request.method != method_) {
    switch (request.method) {
      case Method::get:
      case Method::del: setter.set(CURLOPT_HTTPGET, 1L); break;
      case Method::head: setter.set(CURLOPT_NOBODY, 1L); break;
      case Method::put:
      case Method::post: setter.set(CURLOPT_POST, 1L); break;
    }
    const bool custom = request.method == Method::put || request.method == Method::del;
    setter.set(CURLOPT_CUSTOMREQUEST,
               custom ? to_string(request.method).data() : static_cast<const char*>(nullptr));
    method_ = request.method;
  }
  if (setter.code() != CURLE_OK || !body) return setter.code();
  return set_body(request);
}

CURLcode Handle::set_body(const Request& request) {
  Setter setter(easy_);
  if (request.source) {
    setter.set(CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr))
        .set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.source_bytes));
  } else {
    // In one send with the headers, which a read callback is not.
    setter.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()))
        .set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  }
  return setter.code();
}

// --- Callbacks --------------------------------------------------------------------------------

std::size_t Handle::on_header(char* line, std::size_t size, std::size_t count,
                              void* self) noexcept {
  Transfer* transfer = static_cast<Handle*>(self)->transfer_;
  const std::size_t bytes = size * count;
  try {
    return transfer->on_header({line, bytes}) ? bytes : 0;
  } catch (const std::exception&) {
    transfer->end_ = End::out_of_memory;
    return 0;
  }
}

std::size_t Handle::on_body(char* bytes, std::size_t size, std::size_t count, void* self) noexcept {
  Transfer* transfer = static_cast<Handle*>(self)->transfer_;
  const std::size_t length = size * count;
  try {
    return transfer->on_body(std::as_bytes(std::span(bytes, length))) ? length : 0;
  } catch (const std::exception&) {
    transfer->end_ = End::out_of_memory;
    return 0;
  }
}

std::size_t Handle::on_source(char* room, std::size_t size, std::size_t count,
                              void* self) noexcept {
  Transfer* transfer = static_cast<Handle*>(self)->transfer_;
  return transfer->on_source(std::as_writable_bytes(std::span(room, size * count)));
}

int Handle::on_request(void* self, char*, char*, int, int) noexcept {
  Transfer& transfer = *static_cast<Handle*>(self)->transfer_;
  return transfer.dispatcher_.on_request(transfer) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

}  // namespace unum::http
