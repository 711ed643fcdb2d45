// An HTTP/1.1 server on the reactor: TCP and unix sockets, one coroutine a connection.
//
// For hosts, behind a platform's proxy or on a socket of this machine: no TLS, no HTTP/2, no files.
// Connections are kept; requests that come one behind the other are answered in their order, each
// one handled when the one before it was answered. Everything that a client decides is bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reactor/descriptor.hpp"
#include "reactor/gate.hpp"
#include "reactor/http_server/message.hpp"
#include "reactor/http_server/request_parser.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"
#include "unum/task_group.hpp"

namespace unum::http_server {

/// Answers one request, which it may move from. `wait` has no deadline; its stop is requested when
/// the server is closed and its grace is over. A handler whose client goes away meanwhile is not
/// told: it ends as if its response were read. What it throws becomes 500 without a text.
using Handler = std::function<Task<Response>(Request&, Wait wait)>;

struct ServerOptions {
  RequestLimits limits{};
  /// Open at once; more wait in the kernel's queue. Where there are few descriptors a quarter of
  /// them is the bound.
  std::size_t connections_max = 1024;
  /// From the first byte of a request to the end of its headers.
  std::chrono::milliseconds head_timeout{10'000};
  /// A body, or a client that reads its response, may stand still for this long, ...
  std::chrono::milliseconds stall_timeout{30'000};
  /// ... and this many bytes of a body a second come on the average: fewer are no slow network.
  std::size_t body_bytes_per_second_min = 1024;
  /// Between two requests; also from the opening of a connection to its first byte.
  std::chrono::milliseconds idle_timeout{75'000};
};

class Server {
 public:
  Server(Reactor& reactor, Handler handler, ServerOptions options = {});
  /// `close` must have ended.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens from now on; returns the port, which the kernel chooses for 0. `host` is an address in
  /// numbers ("0.0.0.0", "::1"). Throws `invalid` for one that is none, `conflict` for an address
  /// in use, else what the kernel says; origin "http".
  int listen_tcp(const std::string& host, int port);
  /// The same on a unix socket, whose file `close` removes. One that was left by a dead process is
  /// replaced; one that answers is `conflict`. `mode`: of the file; only its owner by default.
  void listen_unix(const std::string& path, unsigned mode = 0600);

  /// Accepts nothing any more, ends idle connections, waits until those with a request are done.
  /// After `grace` asks their handlers to stop, and waits for them. To be called once.
  Task<void> close(std::chrono::milliseconds grace);

  std::size_t connections() const noexcept { return connections_.running(); }

 private:
  class Connection;
  struct Listener {
    Descriptor socket;
    std::string path;  ///< Of a unix socket.
  };
  void listen(Descriptor socket, const void* address, std::size_t size, const std::string& name,
              std::string path);
  Task<void> accept_all(int listener);
  Task<void> serve(Descriptor socket);
  Task<void> end_after(Deadline when, StopToken ended);
  const std::string& date();

  Reactor& reactor_;
  const Handler handler_;
  ServerOptions options_;
  std::vector<Listener> listeners_;
  StopSource closing_;   ///< Heard by who waits for a connection or for a request.
  StopSource stopping_;  ///< Heard by handlers, and by who reads or writes a message.
  TaskGroup acceptors_;
  TaskGroup connections_;
  detail::WaitList ended_;  ///< Acceptors that wait for a connection to end.
  std::string date_;
  std::time_t date_second_ = 0;
};

}  // namespace unum::http_server
