// The parser's callbacks, and the checks around it.
#include "reactor/http_server/request_parser.hpp"

#ifdef UNUM_LLHTTP
#include <llhttp.h>
#else
#include <http_parser.h>
#endif

#include <algorithm>

#include "base/padded.hpp"

namespace unum::http_server {
namespace {

// The two parsers differ in names only, llhttp being the other's successor.
#ifdef UNUM_LLHTTP
using Parser = llhttp_t;
using Settings = llhttp_settings_t;
void init(Parser& parser, const Settings& settings) {
  ::llhttp_init(&parser, ::HTTP_REQUEST, &settings);
}
/// How much was read; the parser stops behind a complete request, and before what it refuses.
std::size_t execute(Parser& parser, const Settings&, std::string_view bytes) {
  const llhttp_errno_t error = ::llhttp_execute(&parser, bytes.data(), bytes.size());
  if (error == HPE_OK) return bytes.size();
  return static_cast<std::size_t>(::llhttp_get_error_pos(&parser) - bytes.data());
}
bool has_failed(const Parser& parser) {
  const auto error = ::llhttp_get_errno(&parser);
  return error != HPE_OK && error != HPE_PAUSED;
}
std::string_view why(const Parser& parser) { return ::llhttp_get_error_reason(&parser); }
std::string_view method_of(const Parser& parser) {
  return ::llhttp_method_name(static_cast<llhttp_method_t>(parser.method));
}
bool should_keep_alive(const Parser& parser) { return ::llhttp_should_keep_alive(&parser) != 0; }
constexpr int kPause = HPE_PAUSED;
int pause(Parser&) { return kPause; }
#else
using Parser = ::http_parser;
using Settings = ::http_parser_settings;
void init(Parser& parser, const Settings&) {
  void* const data = parser.data;
  ::http_parser_init(&parser, ::HTTP_REQUEST);
  parser.data = data;
}
std::size_t execute(Parser& parser, const Settings& settings, std::string_view bytes) {
  return ::http_parser_execute(&parser, &settings, bytes.data(), bytes.size());
}
bool has_failed(const Parser& parser) {
  const auto error = HTTP_PARSER_ERRNO(&parser);
  return error != HPE_OK && error != HPE_PAUSED;
}
std::string_view why(const Parser& parser) {
  return ::http_errno_description(HTTP_PARSER_ERRNO(&parser));
}
std::string_view method_of(const Parser& parser) {
  return ::http_method_str(static_cast<::http_method>(parser.method));
}
bool should_keep_alive(const Parser& parser) { return ::http_should_keep_alive(&parser) != 0; }
int pause(Parser& parser) {
  ::http_parser_pause(&parser, 1);
  return 0;
}
#endif

constexpr int kStop = -1;  // of a callback: the request is refused

/// What a name may consist of (RFC 9110, 5.6.2). http-parser takes "Content-Length " with a space.
bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(byte) != std::string_view::npos;
  });
}
bool is_control(char byte) noexcept {
  return (static_cast<unsigned char>(byte) < ' ' && byte != '\t') || byte == '\x7f';
}
bool is_printable(char byte) noexcept { return byte > ' ' && byte < '\x7f'; }

}  // namespace

struct RequestParser::Impl {
  explicit Impl(const RequestLimits& given) : limits(given) {
    settings.on_url = &on_url;
    settings.on_header_field = &on_field;
    settings.on_header_value = &on_value;
    settings.on_headers_complete = &on_head;
    settings.on_body = &on_body;
    settings.on_message_complete = &on_complete;
    restart();
  }

  void restart() {
    init(parser, settings);
    parser.data = this;
    state = State::head;
    request = Request();
    in_value = keeps_alive = expects_continue = begun = false;
    framing_bytes = 0;
    previous = 0;
  }

  int refuse(int status, std::string text) {
    if (state == State::refused) return kStop;
    state = State::refused;
    refusal.status = status;
    refusal.text = std::move(text);
    keeps_alive = false;
    return kStop;
  }

  /// Everything but the body's own bytes: lines end in CRLF and do not go on in the next one.
  void check_lines(std::string_view bytes) {
    for (const char byte : bytes) {
      const bool is_bad = (byte == '\n') != (previous == '\r') ||
                          (previous == '\n' && (byte == ' ' || byte == '\t')) || byte == '\0';
      if (is_bad) {
        refuse(400, "lines end in CR LF, and a header is one line");
        return;
      }
      if (byte != '\r' && byte != '\n') begun = true;
      previous = byte;
    }
    framing_bytes += bytes.size();
    // A chunk of one byte has five around it.
    if (framing_bytes > limits.head_bytes_max + 8 * request.body.size()) {
      refuse(431, "the request's headers are longer than " + std::to_string(limits.head_bytes_max) +
                      " bytes");
    }
  }

  std::size_t feed(std::string_view bytes) {
    unchecked = bytes.data();
    const std::size_t used = execute(parser, settings, bytes);
    if (state == State::refused) return used;
    check_lines(std::string_view(unchecked, bytes.data() + used));
    if (state != State::refused && has_failed(parser)) {
      refuse(400, "this is not HTTP/1.1: " + std::string(why(parser)));
    }
    return used;
  }

  // --- Callbacks --------------------------------------------------------------------------------

  static Impl& of(Parser* parser) { return *static_cast<Impl*>(parser->data); }

  static int on_url(Parser* parser, const char* at, std::size_t size) noexcept {
    return of(parser).guarded([&](Impl& self) {
      self.request.target.append(at, size);
      return self.bounded(self.request.target.size());
    });
  }

  static int on_field(Parser* parser, const char* at, std::size_t size) noexcept {
    return of(parser).guarded([&](Impl& self) {
      if (self.state != State::head) return 0;  // behind the chunks: of no use to anybody
      if (self.in_value || self.request.headers.empty()) {
        if (self.request.headers.size() == self.limits.headers_max) {
          return self.refuse(431,
                             "more than " + std::to_string(self.limits.headers_max) + " headers");
        }
        self.request.headers.emplace_back();
        self.in_value = false;
      }
      self.request.headers.back().name.append(at, size);
      return self.bounded(self.request.headers.back().name.size());
    });
  }

  static int on_value(Parser* parser, const char* at, std::size_t size) noexcept {
    return of(parser).guarded([&](Impl& self) {
      if (self.state != State::head) return 0;
      self.in_value = true;
      self.request.headers.back().value.append(at, size);
      return self.bounded(self.request.headers.back().value.size());
    });
  }

  static int on_head(Parser* parser) noexcept {
    return of(parser).guarded([&](Impl& self) {
      parser->upgrade = 0;  // "Upgrade: h2c" is an offer, which may be ignored
      self.request.method = method_of(*parser);
      self.keeps_alive = should_keep_alive(*parser);
      const int checked = self.check_head();
      if (checked == 0) self.state = State::body;
      return checked;
    });
  }

  static int on_body(Parser* parser, const char* at, std::size_t size) noexcept {
    return of(parser).guarded([&](Impl& self) {
      self.check_lines(std::string_view(self.unchecked, at));
      self.unchecked = at + size;
      self.previous = 0;
      if (self.state == State::refused) return kStop;
      std::string& body = self.request.body;
      if (size > self.limits.body_bytes_max - body.size()) return self.refuse_body();
      // Grown by doubling, not by what was announced: nobody gets memory for bytes not sent.
      const std::size_t needed = body.size() + size + kValuePadding;
      if (needed > body.capacity()) body.reserve(std::max(needed, 2 * body.capacity()));
      body.append(at, size);
      return 0;
    });
  }

  static int on_complete(Parser* parser) noexcept {
    Impl& self = of(parser);
    if (self.state == State::refused) return kStop;
    self.state = State::complete;
    return pause(*parser);  // what follows is another request
  }

  template <class Body>
  int guarded(Body body) noexcept {
    try {
      return body(*this);
    } catch (const std::exception&) {  // of memory
      state = State::refused;
      refusal.status = 503;
      return kStop;
    }
  }

  int bounded(std::size_t bytes) {
    if (bytes <= limits.head_bytes_max) return 0;
    return refuse(431, "the request's headers are longer than " +
                           std::to_string(limits.head_bytes_max) + " bytes");
  }
  int refuse_body() {
    return refuse(413,
                  "the body is longer than " + std::to_string(limits.body_bytes_max) + " bytes");
  }
  std::size_t count(std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        request.headers, [name](const Header& header) { return same_word(header.name, name); }));
  }

  /// What can be read in two ways, or is not served.
  int check_head() {
    if (parser.http_major != 1 || parser.http_minor > 1) {
      return refuse(505, "HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    for (const Header& header : request.headers) {
      if (!is_token(header.name) || std::ranges::any_of(header.value, is_control)) {
        return refuse(400, "a header is a name, a colon and a value without control characters");
      }
    }
    if (request.method == "CONNECT") return refuse(501, "this is no proxy");
    const bool is_1_1 = parser.http_minor == 1;
    const std::size_t hosts = count("host");
    if (hosts > 1 || (is_1_1 && hosts == 0)) return refuse(400, "a request has one Host header");
    const std::size_t lengths = count("content-length");
    const std::size_t encodings = count("transfer-encoding");
    if (lengths + encodings > 1) {
      return refuse(400, "a request has one Content-Length or one Transfer-Encoding");
    }
    if (encodings == 1 && (!is_1_1 || !same_word(request.header("transfer-encoding"), "chunked"))) {
      return refuse(is_1_1 ? 501 : 400, "the only transfer encoding is chunked, of HTTP/1.1");
    }
    if (lengths == 1) {
      const std::string_view length = request.header("content-length");
      if (length.empty() || length.find_first_not_of("0123456789") != length.npos) {
        return refuse(400, "Content-Length is a number");
      }
      if (length.size() > 18 || std::stoull(std::string(length)) > limits.body_bytes_max) {
        return refuse_body();
      }
    }
    if (const std::string_view expectation = request.header("expect"); !expectation.empty()) {
      if (!same_word(expectation, "100-continue")) {
        return refuse(417, "the only expectation is 100-continue");
      }
      expects_continue = is_1_1;
    }
    return check_target();
  }

  int check_target() {
    std::string& target = request.target;
    if (target.starts_with("http://") || target.starts_with("https://")) {
      const std::size_t path = target.find('/', target.find("//") + 2);
      target = path == target.npos ? "/" : target.substr(path);
    }
    const bool has_form = target.starts_with('/') || target == "*";
    if (!has_form || !std::ranges::all_of(target, is_printable)) {
      return refuse(400, "a target begins with / and is percent-encoded");
    }
    return 0;
  }

  const RequestLimits limits;
  Settings settings{};
  Parser parser{};
  State state = State::head;
  Request request;
  Refusal refusal;
  bool in_value = false;
  bool keeps_alive = false;
  bool expects_continue = false;
  bool begun = false;
  std::size_t framing_bytes = 0;  ///< All that is not the body's.
  const char* unchecked = nullptr;
  char previous = 0;
};

RequestParser::RequestParser(const RequestLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
std::size_t RequestParser::feed(std::string_view bytes) { return impl_->feed(bytes); }
RequestParser::State RequestParser::state() const noexcept { return impl_->state; }
bool RequestParser::begun() const noexcept { return impl_->begun; }
std::size_t RequestParser::body_bytes() const noexcept { return impl_->request.body.size(); }
const Refusal& RequestParser::refusal() const noexcept { return impl_->refusal; }
Request& RequestParser::request() noexcept { return impl_->request; }
bool RequestParser::keeps_alive() const noexcept { return impl_->keeps_alive; }
bool RequestParser::expects_continue() const noexcept { return impl_->expects_continue; }
void RequestParser::next() { impl_->restart(); }

}  // namespace unum::http_server
