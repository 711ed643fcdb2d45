// The system's clocks and its generator of random bytes: nothing else asks them.
#include <sys/random.h>

#include <cerrno>

#include "reactor/port.hpp"
#include "unum/error.hpp"

namespace unum {

Deadline SystemPort::now() noexcept { return Clock::now(); }

WallTime SystemPort::wall_time() noexcept { return std::chrono::system_clock::now(); }

void SystemPort::random_bytes(std::span<std::byte> out) {
  while (!out.empty()) {
    // A signal may cut a request for more than 256 bytes short.
    const ssize_t count = ::getrandom(out.data(), out.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error("reactor", errno, "getrandom, for random bytes");
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

}  // namespace unum
