// A server that answers every POST with the same 200 bytes, a turn of the loop later: unum's side
// of bench/http_server/measure.py. Prints its port, and ends with its standard input.
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "reactor/http_server/server.hpp"

using namespace unum;

int main() {
  Reactor reactor;
  const std::string bytes(200, 'x');
  http_server::Server server(reactor,
                             [&](http_server::Request&, Wait) -> Task<http_server::Response> {
                               co_await reactor.yield();
                               http_server::Response response;
                               response.body = bytes;
                               co_return response;
                             });
  std::printf("%d\n", server.listen_tcp("127.0.0.1", 0));
  std::fflush(stdout);
  const auto until_told = [&]() -> Task<void> {
    co_await reactor.poll(STDIN_FILENO, POLLIN);
    co_await server.close(std::chrono::seconds(0));
  };
  reactor.run(until_told());
}
