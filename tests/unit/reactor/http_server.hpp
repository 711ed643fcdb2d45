// A server of the tests' own, on the reactor: it speaks HTTP/1.1 exactly as badly as a test wants.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ports.hpp"
#include "reactor/descriptor.hpp"
#include "reactor/http/client.hpp"
#include "unum/detail/wait_list.hpp"

namespace unum::test {

/// One accepted connection, in the hands of the script.
class Peer {
 public:
  Peer(Reactor& reactor, Descriptor socket, StopToken stop, std::size_t number)
      : reactor_(reactor), socket_(std::move(socket)), stop_(stop), number_(number) {
    reactor.prepare_stream(socket_.get());
  }

  /// Which of the server's connections this is, from 0 on.
  std::size_t number() const { return number_; }
  /// Reads until the request's header is complete, and the body that it announces. Nothing once the
  /// other end is gone or the server is stopped.
  Task<std::optional<std::string>> read_request();
  /// Reads until the header is complete, no further.
  Task<std::optional<std::string>> read_header();
  /// Whether the other end is gone: reads and drops until then, or until the server is stopped.
  Task<void> until_gone();
  Task<bool> send(std::string_view bytes);
  /// A response with that status line's rest and body, and its length.
  Task<bool> answer(std::string_view status, std::string_view body, std::string_view headers = {});
  void close() { socket_.reset(); }
  /// Closes with a reset instead of an end.
  void reset();
  /// Ends only what this end sends.
  void half_close();

 private:
  Task<bool> read_more();

  Reactor& reactor_;
  Descriptor socket_;
  StopToken stop_;
  std::size_t number_;
  std::string unread_;
};

/// Runs a script for each connection until it is stopped.
class Server {
 public:
  using Script = std::function<Task<void>(Peer&)>;

  /// On a port of 127.0.0.1 that the kernel chooses, or on a unix socket at `path`.
  Server(Reactor& reactor, Script script, const std::string& path = {});
  ~Server() = default;

  /// "http://127.0.0.1:PORT".
  const std::string& origin() const { return origin_; }
  int port() const { return port_; }
  std::size_t accepted() const { return accepted_; }
  std::size_t open() const { return open_; }
  /// Waits until none of its connections is open any more.
  Task<void> until_none_is_open();
  /// Ends all scripts and waits for them.
  Task<void> stop();

 private:
  Task<void> accept_all();
  Task<void> serve(Descriptor socket);

  Reactor& reactor_;
  Script script_;
  Descriptor listener_;
  std::string origin_;
  int port_ = 0;
  std::size_t accepted_ = 0;
  std::size_t open_ = 0;
  StopSource stop_;
  detail::WaitList closed_;
  TaskGroup group_;
};

/// The script of a well-behaved server: 200 and a body for each request, until the end.
Server::Script answers(std::string body);
/// The first line of a request: "GET /target HTTP/1.1".
std::string first_line(std::string_view request);
/// The value of a header of a request, or an empty text.
std::string header_of(std::string_view request, std::string_view name);
std::string body_of(std::string_view request);

/// What a request failed with, or nothing.
struct Failure {
  std::optional<ErrorKind> kind;
  std::string code;
  std::string message;
  bool may_have_been_sent = true;
};
Task<Failure> failure_of(Task<http::Response> sending);

/// Runs a test's body, then closes the client and stops the server, whatever happened.
template <class Body>
void with_client(Reactor& reactor, http::Client& client, Server& server, Body& body) {
  const auto all = [&]() -> Task<void> {
    std::exception_ptr failed;
    try {
      Task<void> task = body();
      co_await std::move(task);
    } catch (...) {
      failed = std::current_exception();
    }
    co_await client.close();
    co_await server.stop();
    if (failed) std::rethrow_exception(failed);
  };
  reactor.run(all());
}

}  // namespace unum::test
