// A redis-server of a test's own: started with any settings, killed and started again at will.
#pragma once

#include <string>
#include <vector>

#include "reactor/process.hpp"
#include "unit/reactor/ports.hpp"

namespace unum::test {

/// A TCP port of the loopback that was free a moment ago.
unsigned free_port();

class RedisServer {
 public:
  /// Starts it and waits until it accepts connections. `settings` are arguments of the command,
  /// behind those for port, directory and AOF.
  explicit RedisServer(Reactor& reactor, std::vector<std::string> settings = {});
  ~RedisServer();

  /// Why there can be none here, or an empty text.
  static std::string missing();

  unsigned port() const noexcept { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string unix_path() const { return scratch_ / "socket"; }
  std::string path(const std::string& name) const { return scratch_ / name; }

  /// kill -9.
  void kill();
  /// SIGSTOP and SIGCONT.
  void stop();
  void go_on();
  /// Starts it anew on the same port, with what the AOF kept.
  void start();
  /// Sends one command by a connection of its own and gives the reply's text.
  std::string command(std::vector<std::string> words);

 private:
  Task<void> wait_until_ready(int out);

  Reactor& reactor_;
  std::vector<std::string> settings_;
  Scratch scratch_;
  unsigned port_ = 0;
  Process process_;
};

}  // namespace unum::test
