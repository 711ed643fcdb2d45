// A server that speaks the Redis protocol just well enough to misbehave: a test decides each
// answer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "reactor/descriptor.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/task_group.hpp"

namespace unum::test {

class ScriptedRedis {
 public:
  struct Command {
    std::size_t connection = 0;  ///< How many connections came before this command's.
    std::vector<std::string> words;
  };
  struct Answer {
    std::string bytes;
    bool close = false;  ///< Ends the connection behind the bytes.
    bool hold = false;   ///< Waits for `release` before it is sent.
  };
  using Script = std::function<Answer(const Command&)>;

  ScriptedRedis(Reactor& reactor, Script script);
  ~ScriptedRedis();

  unsigned port() const noexcept { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::size_t connections() const noexcept { return connections_; }
  std::size_t commands() const noexcept { return commands_; }
  /// Sends what is held.
  void release();

 private:
  Task<void> accept_all();
  Task<void> serve(Descriptor fd, std::size_t number);

  Reactor& reactor_;
  Script script_;
  Descriptor listener_;
  unsigned port_ = 0;
  std::size_t connections_ = 0;
  std::size_t commands_ = 0;
  StopSource stop_;
  detail::WaitList released_;
  TaskGroup tasks_;
};

/// "$5\r\nhello\r\n".
inline std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

}  // namespace unum::test
