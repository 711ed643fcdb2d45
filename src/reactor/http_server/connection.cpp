// Reading, handling and answering, one request after the other.
#include "reactor/http_server/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <exception>
#include <span>
#include <utility>

namespace unum::http_server {
namespace {

constexpr std::size_t kReadBytes = 16u * 1024;
/// Shorter bodies leave with their head, in one system call.
constexpr std::size_t kBytesCopied = 64u * 1024;
/// What a client that was refused may still send, and for how long, until it has read why.
constexpr std::size_t kLingerBytesMax = 256u * 1024;
constexpr std::chrono::milliseconds kLinger{1'000};

Response refusal_response(const Refusal& refusal) {
  Response response;
  response.status = refusal.status;
  response.headers.push_back(Header{"Content-Type", "text/plain; charset=utf-8"});
  response.body = refusal.text + "\n";
  return response;
}

}  // namespace

Server::Connection::Connection(Server& server, Descriptor socket)
    : server_(server),
      reactor_(server.reactor_),
      socket_(std::move(socket)),
      parser_(server.options_.limits) {
  reactor_.prepare_stream(socket_.get());
}

Wait Server::Connection::bounded(std::chrono::milliseconds time) const {
  return Wait{reactor_.now() + time, server_.stopping_.token()};
}

Task<void> Server::Connection::run() {
  while (true) {
    const bool came = co_await read_request();
    if (!came) co_return;
    if (parser_.state() == RequestParser::State::refused) {
      const Response refused = refusal_response(parser_.refusal());
      const bool told = co_await answer(refused, false, true);
      if (told) co_await linger();
      co_return;
    }
    const bool is_head = parser_.request().method == "HEAD";
    const Response response = co_await handle();
    const bool keeps_alive = parser_.keeps_alive() && !server_.closing_.requested();
    const bool sent = co_await answer(response, keeps_alive, !is_head);
    if (!sent || !keeps_alive) co_return;
    parser_.next();
  }
}

/// What a handler throws is its own affair: it has told people about it. The client learns no more
/// than that it may come again.
Task<Response> Server::Connection::handle() {
  Response response;
  try {
    response =
        co_await server_.handler_(parser_.request(), Wait{kNoDeadline, server_.stopping_.token()});
  } catch (const std::exception&) {
    response = Response();
    response.status = 500;
  }
  co_return response;
}

/// How long the next bytes may take. Until there is a first one, the connection is idle.
Wait Server::Connection::wait_for_bytes(Deadline head_until, Deadline body_began) const {
  const ServerOptions& options = server_.options_;
  if (!parser_.begun()) {
    return Wait{reactor_.now() + options.idle_timeout, server_.closing_.token()};
  }
  if (parser_.state() == RequestParser::State::head) {
    return Wait{head_until, server_.stopping_.token()};
  }
  const std::size_t bytes = parser_.body_bytes();
  const auto pace = std::chrono::seconds(bytes / options.body_bytes_per_second_min);
  return Wait{
      std::min(reactor_.now() + options.stall_timeout, body_began + options.stall_timeout + pace),
      server_.stopping_.token()};
}

Task<bool> Server::Connection::read_request() {
  using State = RequestParser::State;
  Deadline head_until = kNoDeadline;
  Deadline body_began = kNoDeadline;
  bool told_to_continue = false;
  while (true) {
    if (!unread_.empty()) {
      const std::size_t used = parser_.feed(unread_);
      unread_.erase(0, used);
    }
    const State state = parser_.state();
    if (state == State::complete || state == State::refused) co_return true;
    if (parser_.begun() && head_until == kNoDeadline) {
      head_until = reactor_.now() + server_.options_.head_timeout;
    }
    if (state == State::body && body_began == kNoDeadline) body_began = reactor_.now();
    if (state == State::body && parser_.expects_continue() && !told_to_continue) {
      told_to_continue = true;
      const bool told = co_await write("HTTP/1.1 100 Continue\r\n\r\n");
      if (!told) co_return false;
    }
    const bool more = co_await read_some(wait_for_bytes(head_until, body_began));
    if (!more) co_return false;
  }
}

Task<bool> Server::Connection::read_some(Wait wait) {
  std::array<char, kReadBytes> buffer;
  const int count =
      co_await reactor_.stream_read(socket_.get(), std::as_writable_bytes(std::span(buffer)), wait);
  if (count <= 0) co_return false;
  unread_.append(buffer.data(), static_cast<std::size_t>(count));
  co_return true;
}

Task<bool> Server::Connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const int count = co_await reactor_.stream_write(socket_.get(), std::as_bytes(std::span(bytes)),
                                                     bounded(server_.options_.stall_timeout));
    if (count < 0) co_return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  co_return true;
}

Task<bool> Server::Connection::answer(const Response& response, bool keeps_alive, bool has_body) {
  std::string head = head_of(response, server_.date(), keeps_alive);
  const bool is_bodiless = !has_body || response.status == 204 || response.status == 304;
  std::string_view body = is_bodiless ? std::string_view() : std::string_view(response.body);
  if (body.size() <= kBytesCopied) head.append(std::exchange(body, {}));
  const bool sent = co_await write(head);
  if (!sent) co_return false;
  co_return co_await write(body);
}

Task<void> Server::Connection::linger() {
  if (::shutdown(socket_.get(), SHUT_WR) != 0) co_return;
  const Wait until = bounded(kLinger);
  std::size_t dropped = 0;
  while (dropped < kLingerBytesMax) {
    unread_.clear();
    const bool more = co_await read_some(until);
    if (!more) co_return;
    dropped += unread_.size();
  }
}

}  // namespace unum::http_server
