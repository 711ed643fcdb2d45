#include "raw_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <span>

#include "reactor/files.hpp"
#include "unum/assert.hpp"

namespace unum::test {

RawClient::RawClient(Reactor& reactor, int port)
    : reactor_(reactor), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  address.sin_port = ::htons(static_cast<std::uint16_t>(port));
  UNUM_ASSERT(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  reactor_.prepare_stream(socket_.get());
}

RawClient::RawClient(Reactor& reactor, const std::string& path)
    : reactor_(reactor), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  UNUM_ASSERT(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  UNUM_ASSERT(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  reactor_.prepare_stream(socket_.get());
}

Task<void> RawClient::send(std::string_view bytes) {
  co_await write_stream(reactor_, socket_.get(), bytes);
}

Task<bool> RawClient::read_more() {
  std::array<char, 16 * 1024> buffer;
  const int count =
      co_await reactor_.stream_read(socket_.get(), std::as_writable_bytes(std::span(buffer)));
  if (count <= 0) co_return false;
  unread_.append(buffer.data(), static_cast<std::size_t>(count));
  co_return true;
}

Task<std::string> RawClient::read_response(bool has_body) {
  std::size_t end = std::string::npos;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    const bool more = co_await read_more();
    if (!more) co_return std::string();
  }
  end += 4;
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = unread_.find(kLength);
  if (has_body && at < end) {
    const std::size_t size = end + std::stoul(unread_.substr(at + kLength.size()));
    while (unread_.size() < size) {
      const bool more = co_await read_more();
      if (!more) co_return std::string();
    }
    end = size;
  }
  std::string response = unread_.substr(0, end);
  unread_.erase(0, end);
  co_return response;
}

Task<std::string> RawClient::read_to_end() {
  while (true) {
    const bool more = co_await read_more();
    if (!more) co_return std::move(unread_);
  }
}

std::string status_of(std::string_view response) {
  return std::string(response.size() > 12 ? response.substr(9, 3) : std::string_view());
}

std::string body_of_response(std::string_view response) {
  const std::size_t end = response.find("\r\n\r\n");
  return std::string(end == response.npos ? std::string_view() : response.substr(end + 4));
}

}  // namespace unum::test
