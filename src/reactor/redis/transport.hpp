// Bytes to and from a server: a socket that does not block, with TLS over it where wanted.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "reactor/descriptor.hpp"
#include "reactor/redis/address.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::redis {

class Transport {
 public:
  /// Resolves (on a thread of its own), connects and, if the address says so, greets by TLS: the
  /// peer's certificate must be trusted and be the host's. Throws `timeout`, `cancelled`,
  /// `disconnected`, `denied` (TLS), `invalid` (TLS wanted of a build without it).
  static Task<std::unique_ptr<Transport>> open(Reactor& reactor, const Address& address, Wait wait);

  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// The bytes read or written; 0 of a read: the peer has ended; -EAGAIN: not now; another negative
  /// errno: it is broken, and `why` tells more.
  virtual long read(std::span<char> buffer) noexcept;
  virtual long write(std::string_view bytes) noexcept;
  /// Whether bytes that came are held here, so that no readiness of the socket will tell of them.
  virtual bool holds_bytes() const noexcept { return false; }
  /// What broke it, for messages.
  virtual std::string why(long result) const;

  int fd() const noexcept { return fd_.get(); }

 protected:
  explicit Transport(Descriptor fd) noexcept : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

/// What `open` does for TLS over a connected socket; throws `invalid` in a build without it.
Task<std::unique_ptr<Transport>> greet_by_tls(Reactor& reactor, Descriptor fd,
                                              const Address& address, Wait wait);

/// Throws what a wait's early end means, naming what was done.
[[noreturn]] void throw_wait_ended(int result, const Wait& wait, std::string_view what);

}  // namespace unum::redis
