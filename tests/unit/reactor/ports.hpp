// Runs a test on both ports, and small things that many tests of the reactor need.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "support/scratch.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"
#include "unum/task_group.hpp"

namespace unum::test {

using Backend = Reactor::Backend;

inline Reactor::Options options_for(Backend backend) {
  Reactor::Options options;
  options.backend = backend;
  return options;
}

/// Why the kernel refuses this port, or an empty text. Other failures throw.
inline std::string refusal_of(Backend backend) {
  try {
    const Reactor reactor(options_for(backend));
    return {};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::denied) return error.message();
    throw;
  }
}

/// Begins the body of a test: it runs once on each port, which `name` then is a reactor on.
#define ON_EACH_PORT(name)                                                               \
  const auto backend = GENERATE(unum::test::Backend::uring, unum::test::Backend::epoll); \
  if (const std::string refusal = unum::test::refusal_of(backend); !refusal.empty()) {   \
    UNUM_SKIP(refusal);                                                                  \
  }                                                                                      \
  unum::Reactor name(unum::test::options_for(backend))

/// A point of time so far away that waiting for it would be a failure.
inline Deadline far_away() { return Clock::now() + std::chrono::minutes(5); }
inline Deadline soon(int milliseconds) {
  return Clock::now() + std::chrono::milliseconds(milliseconds);
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

/// The error that a task ends in; fails the test if it ends in none.
template <class T>
Error error_of(Reactor& reactor, Task<T> task) {
  try {
    reactor.run(std::move(task));
  } catch (const Error& error) {
    return error;
  }
  FAIL("an error was expected");
  throw Error(ErrorKind::bug, "test", "none", "unreachable");
}

}  // namespace unum::test
