// The client's face; what does the work is the dispatcher.
#include "reactor/http/client.hpp"

#include <strings.h>

#include "base/activity.hpp"
#include "reactor/gate.hpp"
#include "reactor/http/dispatcher.hpp"
#include "reactor/http/error.hpp"

namespace unum::http {

std::string_view to_string(Method method) noexcept {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::put: return "PUT";
    case Method::post: return "POST";
    case Method::del: return "DELETE";
  }
  return "GET";
}

bool may_have_been_sent(const Error& error) noexcept {
  const auto* told = dynamic_cast<const SendError*>(&error);
  return told == nullptr || told->may_have_been_sent();
}

std::string_view Response::header(std::string_view name) const noexcept {
  std::string_view rest(header_block);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    if (line.size() <= name.size() || line[name.size()] != ':' ||
        ::strncasecmp(line.data(), name.data(), name.size()) != 0) {
      continue;
    }
    line.remove_prefix(name.size() + 1);
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == line.npos) return {};
    return line.substr(first, line.find_last_not_of(" \t") - first + 1);
  }
  return {};
}

Client::Client(Reactor& reactor, const ClientOptions& options)
    : dispatcher_(std::make_unique<Dispatcher>(reactor, options)) {}
Client::~Client() = default;

Task<Response> Client::send(Request request, Wait wait) {
  const Gate::Pass pass = dispatcher_->enter();
  if (!pass) {
    constexpr CURLcode kCode = CURLE_ABORTED_BY_CALLBACK;
    throw SendError(kind_of(kCode), symbol_of(kCode),
                    name_of(request) + ": the HTTP client was closed", false);
  }
  Activity activity("request to", request.origin);
  activity.waits_for("its answer");
  Transfer transfer(*dispatcher_, std::move(request), wait);
  co_return co_await transfer;
}

Task<void> Client::close() { return dispatcher_->close(); }

ClientCounters Client::counters() const noexcept { return dispatcher_->counters(); }
const ClientOptions& Client::options() const noexcept { return dispatcher_->options(); }

}  // namespace unum::http
