// Signals of this process as something to await.
#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>

#include "reactor/descriptor.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum {

/// Takes signals while it lives, instead of their handlers: they are blocked in this thread (make
/// it before other threads start, they inherit that) and read from a signalfd. At its end the
/// thread's mask is as it was, and a signal that nobody fetched has its usual effect. SIGHUP stays
/// ignored if it was (nohup). Children from `Process::spawn` do not inherit the mask.
class Signals {
 public:
  explicit Signals(std::initializer_list<int> signals);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// The next signal's number; nothing when the wait ended first.
  Task<std::optional<int>> next(Reactor& reactor, Wait wait = {});
  /// The same without waiting.
  std::optional<int> take();

 private:
  sigset_t before_;
  Descriptor fd_;
};

}  // namespace unum
