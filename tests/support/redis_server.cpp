// Starting a redis-server and waiting for what it says.
#include "support/redis_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "reactor/descriptor.hpp"
#include "reactor/redis/client.hpp"

namespace unum::test {

unsigned free_port() {
  const Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  UNUM_ASSERT(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  UNUM_ASSERT(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  return ntohs(address.sin_port);
}

std::string RedisServer::missing() {
  const bool there = std::system("command -v redis-server >/dev/null 2>&1") == 0;
  return there ? "" : "redis-server is not installed";
}

RedisServer::RedisServer(Reactor& reactor, std::vector<std::string> settings)
    : reactor_(reactor), settings_(std::move(settings)), port_(free_port()) {
  start();
}

RedisServer::~RedisServer() { process_.end_now(); }

void RedisServer::kill() { process_.end_now(); }

void RedisServer::stop() { UNUM_ASSERT(::kill(process_.pid(), SIGSTOP) == 0); }

void RedisServer::go_on() { UNUM_ASSERT(::kill(process_.pid(), SIGCONT) == 0); }

void RedisServer::start() {
  std::array<int, 2> ends{};
  UNUM_ASSERT(::pipe2(ends.data(), O_CLOEXEC) == 0);
  Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  SpawnOptions options;
  options.argv = {"redis-server",  "--port",       std::to_string(port_),
                  "--bind",        "127.0.0.1",    "--dir",
                  scratch_.path(), "--unixsocket", unix_path(),
                  "--appendonly",  "yes",          "--appendfsync",
                  "always",        "--save",       ""};
  options.argv.insert(options.argv.end(), settings_.begin(), settings_.end());
  options.descriptors = {{1, write_end.get()}};
  process_ = Process::spawn(options);
  write_end.reset();
  reactor_.prepare_stream(read_end.get());
  reactor_.run(wait_until_ready(read_end.get()));
}

/// The pipe is closed behind it: the server ignores that it cannot write its log any more.
Task<void> RedisServer::wait_until_ready(int out) {
  std::string said;
  std::array<std::byte, 4096> buffer;
  Wait wait;
  wait.deadline = far_away();
  while (said.find("eady to accept connections") == std::string::npos) {
    const int got = co_await reactor_.stream_read(out, buffer, wait);
    if (got <= 0) throw std::runtime_error("redis-server did not start: " + said);
    said.append(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(got));
  }
}

std::string RedisServer::command(std::vector<std::string> words) {
  redis::Client client(reactor_, redis::parse_address("unix:" + unix_path()));
  const std::vector<std::string_view> arguments(words.begin(), words.end());
  const redis::Reply reply = reactor_.run(Task<redis::Reply>(client.call({}, arguments)));
  return reply.type == redis::Reply::Type::integer ? std::to_string(reply.integer) : reply.text;
}

}  // namespace unum::test
