// Accepting, reading commands, answering as the test says.
#include "support/scripted_redis.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <optional>

#include "unum/assert.hpp"

namespace unum::test {
namespace {

/// Takes a whole command off the front of what came.
std::optional<std::vector<std::string>> take_command(std::string& came) {
  std::size_t at = 0;
  const auto number = [&](char mark) -> std::optional<std::size_t> {
    const std::size_t end = came.find("\r\n", at);
    if (end == std::string::npos) return std::nullopt;
    UNUM_ASSERT(came[at] == mark);
    const std::size_t value = std::stoul(came.substr(at + 1, end - at - 1));
    at = end + 2;
    return value;
  };
  const auto count = number('*');
  if (!count) return std::nullopt;
  std::vector<std::string> words;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto length = number('$');
    if (!length || came.size() < at + *length + 2) return std::nullopt;
    words.push_back(came.substr(at, *length));
    at += *length + 2;
  }
  came.erase(0, at);
  return words;
}

}  // namespace

ScriptedRedis::ScriptedRedis(Reactor& reactor, Script script)
    : reactor_(reactor),
      script_(std::move(script)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  UNUM_ASSERT(::bind(listener_.get(), generic, length) == 0);
  UNUM_ASSERT(::listen(listener_.get(), 64) == 0);
  UNUM_ASSERT(::getsockname(listener_.get(), generic, &length) == 0);
  port_ = ntohs(address.sin_port);
  tasks_.spawn(accept_all());
}

ScriptedRedis::~ScriptedRedis() {
  stop_.request("the test is over");
  reactor_.run(tasks_.drain());
}

void ScriptedRedis::release() { released_.wake_all(); }

Task<void> ScriptedRedis::accept_all() {
  const Wait wait{kNoDeadline, stop_.token()};
  while (co_await reactor_.poll(listener_.get(), POLLIN, wait) >= 0) {
    Descriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    reactor_.prepare_stream(fd.get());
    tasks_.spawn(serve(std::move(fd), connections_++));
  }
}

Task<void> ScriptedRedis::serve(Descriptor fd, std::size_t number) {
  const Wait wait{kNoDeadline, stop_.token()};
  std::string came;
  std::array<std::byte, 16'384> buffer;
  for (;;) {
    const int got = co_await reactor_.stream_read(fd.get(), buffer, wait);
    if (got <= 0) co_return;
    came.append(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(got));
    while (std::optional<std::vector<std::string>> words = take_command(came)) {
      ++commands_;
      const Command command{number, std::move(*words)};
      const Answer answer = script_(command);
      if (answer.hold && co_await released_.wait(reactor_, wait) < 0) co_return;
      std::string_view rest = answer.bytes;
      while (!rest.empty()) {
        const int sent = co_await reactor_.stream_write(
            fd.get(), std::as_bytes(std::span(rest.data(), rest.size())), wait);
        if (sent <= 0) co_return;
        rest.remove_prefix(static_cast<std::size_t>(sent));
      }
      if (answer.close) co_return;
    }
  }
}

}  // namespace unum::test
