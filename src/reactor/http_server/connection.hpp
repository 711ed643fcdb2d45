// One connection of the server, from its first request to its end.
#pragma once

#include <string>
#include <string_view>

#include "reactor/http_server/server.hpp"

namespace unum::http_server {

class Server::Connection {
 public:
  Connection(Server& server, Descriptor socket);

  Task<void> run();

 private:
  /// Reads until there is a request, complete or refused; false: the client is gone or too slow, or
  /// the server is closing.
  Task<bool> read_request();
  /// Reads once; false at the end.
  Task<bool> read_some(Wait wait);
  Task<bool> write(std::string_view bytes);
  Task<bool> answer(const Response& response, bool keeps_alive, bool has_body);
  Task<Response> handle();
  /// Lets the client read a refusal before the connection is reset by what it still sends.
  Task<void> linger();
  Wait bounded(std::chrono::milliseconds time) const;
  Wait wait_for_bytes(Deadline head_until, Deadline body_began) const;

  Server& server_;
  Reactor& reactor_;
  Descriptor socket_;
  RequestParser parser_;
  std::string unread_;  ///< Came behind the request that is answered.
};

}  // namespace unum::http_server
