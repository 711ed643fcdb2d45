// A port for tests: time passes only when the reactor waits, and then at once; what is random comes
// from a script.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "reactor/port.hpp"
#include "unum/assert.hpp"

namespace unum::test {

/// What a test sets and sees of a port that a reactor owns.
struct Script {
  Deadline now = Deadline() + std::chrono::hours(1);
  WallTime wall_time = WallTime(std::chrono::seconds(1'800'000'000));
  unsigned char next_byte = 0;  ///< Random bytes count up from here.
  std::size_t bytes_given = 0;
  /// What it says it is.
  Reactor::Backend backend = Reactor::Backend::simulated;
};

/// Files are real; pipes, sockets and polls never become ready.
class ScriptedPort final : public Port {
 public:
  explicit ScriptedPort(Script& script) noexcept : script_(script) {}

  void wait(Deadline until) noexcept override {
    while (Operation* operation = queued_.pop_front()) {
      complete(*operation, execute_blocking(operation->request));
    }
    while (Operation* operation = queued_waiting_.pop_front()) begin(*operation);
    if (!ready.empty() || until == kAlreadyPassed) return;
    UNUM_ASSERT(until != kNoDeadline);  // nothing would ever end this wait
    const Clock::duration passed = std::max(until - script_.now, Clock::duration::zero());
    script_.now += passed;
    script_.wall_time += std::chrono::duration_cast<WallTime::duration>(passed);
  }
  Deadline now() noexcept override { return script_.now; }
  WallTime wall_time() noexcept override { return script_.wall_time; }
  void random_bytes(std::span<std::byte> out) override {
    for (std::byte& byte : out) byte = std::byte{script_.next_byte++};
    script_.bytes_given += out.size();
  }
  void prepare_stream(int) override {}
  int pollable_fd() override { return -1; }
  Reactor::Backend backend() const noexcept override { return script_.backend; }

 private:
  void cancel_in_flight(Operation& operation) noexcept override { end(operation, -ECANCELED); }

  Script& script_;
};

inline Reactor scripted_reactor(Script& script) {
  return reactor_on(std::make_unique<ScriptedPort>(script), "a script");
}

}  // namespace unum::test
