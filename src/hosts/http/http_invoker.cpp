// See http_invoker.hpp.
#include "hosts/http/http_invoker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "base/backoff.hpp"
#include "base/digest.hpp"
#include "unum/error.hpp"

namespace unum::http_host {
namespace {

using std::chrono::milliseconds;

constexpr Backoff kBackoff{milliseconds(50), milliseconds(5'000)};
constexpr std::chrono::seconds kRetryAfterMax{30};

[[noreturn]] void refuse(std::string text) {
  throw Error(ErrorKind::invalid, "host", "invoke", std::move(text));
}

/// A DNS label, as Kubernetes' services have for names.
std::string dns_label(std::string_view function) {
  std::string label(function);
  for (char& byte : label) {
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
    if (byte == '_') byte = '-';
  }
  return label;
}

std::string filled(std::string_view url, std::string_view function) {
  std::string out;
  while (!url.empty()) {
    const std::size_t brace = url.find('{');
    out.append(url.substr(0, brace));
    if (brace == url.npos) break;
    const std::size_t end = url.find('}', brace);  // parse_invoke_url has seen that there is one
    const std::string_view name = url.substr(brace + 1, end - brace - 1);
    out.append(name == "name" ? dns_label(function) : std::string(function));
    url.remove_prefix(end + 1);
  }
  return out;
}

void check_url(std::string_view url) {
  const bool has_scheme = url.starts_with("http://") || url.starts_with("https://");
  const std::size_t host = url.find("//") + 2;
  if (!has_scheme || host >= url.size() || url[host] == '/') {
    refuse(fmt::format("\"{}\" is not a URL to invoke functions at; write http://HOST:PORT/PATH",
                       url));
  }
  const bool is_printable =
      std::ranges::all_of(url, [](char byte) { return byte > ' ' && byte < '\x7f'; });
  const std::string_view authority = url.substr(host, url.find('/', host) - host);
  if (!is_printable || authority.find('@') != authority.npos || url.find('#') != url.npos) {
    // Not repeated: what stands before an @ may be a password.
    refuse("the URL to invoke functions at is percent-encoded, without a user and without a #");
  }
}

/// Scheme, host and port, and what stands behind them.
struct Place {
  std::string origin;
  std::string target;
};
Place split(std::string url) {
  const std::size_t path = url.find('/', url.find("//") + 2);
  if (path == url.npos) return {std::move(url), "/"};
  return {url.substr(0, path), url.substr(path)};
}

bool comes_again(int status) noexcept {
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

ErrorKind kind_of(int status) noexcept {
  switch (status) {
    case 401:
    case 403: return ErrorKind::denied;
    case 404: return ErrorKind::not_found;
    case 408:
    case 504: return ErrorKind::timeout;
    case 413: return ErrorKind::exhausted;
    case 425:
    case 429:
    case 503: return ErrorKind::throttled;
    default: return status >= 500 ? ErrorKind::disconnected : ErrorKind::invalid;
  }
}

bool is_unclear(const Error& error) noexcept {
  return error.kind() == ErrorKind::disconnected || error.kind() == ErrorKind::timeout;
}

std::vector<std::string> headers_of(const HttpInvokerOptions& options,
                                    const Invocation& invocation) {
  std::vector<std::string> headers{"Content-Type: application/json"};
  if (!options.target.is_event) return headers;
  // The same for every sending of one invocation, so that a broker can tell duplicates.
  std::string identity = invocation.instance + '\0' + invocation.origin + '\0' +
                         std::to_string(invocation.attempt) + '\0' + invocation.payload.text();
  headers.push_back("ce-specversion: 1.0");
  headers.push_back("ce-type: unum.invocation");
  headers.push_back("ce-source: /unum/" + options.application);
  headers.push_back("ce-id: " + digest(identity));
  headers.push_back("ce-unumfunction: " + std::string(invocation.function));
  return headers;
}

}  // namespace

InvokeTarget parse_invoke_url(std::string_view url) {
  check_url(url);
  InvokeTarget target;
  target.url = url;
  bool has_name = false;
  for (std::size_t at = url.find('{'); at != url.npos; at = url.find('{', at + 1)) {
    const std::string_view rest = url.substr(at);
    if (!rest.starts_with("{function}") && !rest.starts_with("{name}")) {
      refuse(
          fmt::format("\"{}\": the placeholders of --invoke-url are {{function}}, the function's "
                      "name, and {{name}}, the same as a DNS label",
                      url));
    }
    has_name = true;
  }
  if (!has_name) {
    refuse(
        fmt::format("\"{}\" has neither {{function}} nor {{name}}: all functions would be "
                    "invoked at one URL",
                    url));
  }
  return target;
}

InvokeTarget parse_invoke(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view type = text.substr(0, colon);
  std::string_view url = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  while (url.ends_with('/')) url.remove_suffix(1);
  if (type == "openfaas") {
    check_url(url);
    InvokeTarget target = parse_invoke_url(std::string(url) + "/async-function/{name}");
    target.is_queue = true;
    return target;
  }
  if (type == "knative") {
    check_url(url);
    if (url.find('{') != url.npos) refuse("a broker has one URL for all functions");
    return InvokeTarget{std::string(url), true, true};
  }
  refuse(
      "--invoke is openfaas:URL of a gateway or knative:URL of a broker; other places have a "
      "URL for each function, which --invoke-url says");
}

void check_names(const InvokeTarget& target, std::span<const std::string> functions) {
  if (target.is_event) return;
  std::map<std::string, std::string> places;
  for (const std::string& function : functions) {
    const auto [other, is_new] = places.emplace(filled(target.url, function), function);
    if (!is_new) {
      refuse(fmt::format("functions {} and {} would both be invoked at {}", other->second, function,
                         other->first));
    }
  }
}

HttpInvoker::HttpInvoker(Reactor& reactor, http::Client& client, Metrics& metrics,
                         HttpInvokerOptions options)
    : reactor_(reactor), client_(client), metrics_(metrics), options_(std::move(options)) {}

Task<void> HttpInvoker::invoke(Invocation invocation, Wait wait) {
  if (options_.stop) wait.stop = *options_.stop;
  // A delay is kept by this delivery, which is not acknowledged before it is over.
  const auto delay = invocation.not_before - reactor_.wall_time();
  if (invocation.attempt > 1 && delay > delay.zero()) {
    const Deadline until = reactor_.now() + std::chrono::duration_cast<Clock::duration>(delay);
    const bool is_over = co_await reactor_.sleep_until(std::min(until, wait.deadline), wait.stop);
    if (!is_over) {
      throw Error(ErrorKind::cancelled, "http", "Unum.Cancelled",
                  fmt::format("the pause before attempt {} of {} was given up", invocation.attempt,
                              invocation.instance));
    }
  }
  wait.deadline = std::min(wait.deadline, reactor_.now() + options_.timeout);
  bool accepted = false;
  try {
    co_await send(invocation, wait);
    accepted = true;
  } catch (...) {
    metrics_.invoked(false);
    throw;
  }
  metrics_.invoked(accepted);
}

Task<void> HttpInvoker::send(const Invocation& invocation, const Wait& wait) {
  const Place place = split(filled(options_.target.url, invocation.function));
  const std::vector<std::string> headers = headers_of(options_, invocation);
  http::Request request;
  request.method = http::Method::post;
  request.origin = place.origin;
  request.target = place.target;
  request.headers = headers;
  request.body = invocation.payload.text();
  std::exception_ptr failed;  // the last answer, which says more than that the time was up
  for (unsigned failures = 0;; ++failures) {
    std::string retry_after;
    try {
      const http::Response response = co_await client_.send(request, wait);
      if (response.status >= 200 && response.status < 300) co_return;
      retry_after = response.header("retry-after");
      throw Error(kind_of(response.status), "http", std::to_string(response.status),
                  fmt::format("invoking {} at {}{}: status {}", invocation.function, place.origin,
                              place.target, response.status));
    } catch (const Error& error) {
      int status = 0;
      const std::string& code = error.code();
      std::from_chars(code.data(), code.data() + code.size(), status);
      const bool again = status != 0 ? comes_again(status) : is_unclear(error);
      const bool is_over = reactor_.now() >= wait.deadline || wait.stop.stop_requested();
      if (is_over && status == 0 && failed) std::rethrow_exception(failed);
      if (!again || is_over) throw;
      failed = std::current_exception();
    }
    metrics_.invoke_retried();
    co_await pause(failures, retry_after, wait);
    if (reactor_.now() >= wait.deadline || wait.stop.stop_requested()) {
      std::rethrow_exception(failed);
    }
  }
}

Task<void> HttpInvoker::pause(unsigned failures, std::string_view retry_after, const Wait& wait) {
  Clock::duration time = kBackoff.pause(failures, reactor_.random_fraction());
  int seconds = 0;
  const auto parsed =
      std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  if (parsed.ec == std::errc() && seconds > 0) {
    time += std::min<Clock::duration>(std::chrono::seconds(seconds), kRetryAfterMax);
  }
  co_await reactor_.sleep_until(std::min(reactor_.now() + time, wait.deadline), wait.stop);
}

}  // namespace unum::http_host
