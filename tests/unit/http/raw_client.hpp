// A client for tests of the HTTP server: it sends what it is told to, byte by byte if need be.
#pragma once

#include <string>
#include <string_view>

#include "reactor/descriptor.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::test {

class RawClient {
 public:
  /// Connects to a port of 127.0.0.1, or to a unix socket.
  RawClient(Reactor& reactor, int port);
  RawClient(Reactor& reactor, const std::string& path);

  Task<void> send(std::string_view bytes);
  /// Reads one response; what comes behind it is kept. An empty text at the end of the connection.
  Task<std::string> read_response(bool has_body = true);
  /// All that comes until the connection ends.
  Task<std::string> read_to_end();
  void close() { socket_.reset(); }

 private:
  Task<bool> read_more();

  Reactor& reactor_;
  Descriptor socket_;
  std::string unread_;
};

/// "200" of a response, or an empty text.
std::string status_of(std::string_view response);
std::string body_of_response(std::string_view response);

}  // namespace unum::test
