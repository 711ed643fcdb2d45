// Nodes for callbacks on the reactor's thread without a coroutine: for code that connects a foreign
// event-driven library to the loop.
//
// The owner keeps a node alive while it is queued or armed; nothing is allocated for it.
#pragma once

#include <cstddef>

#include "unum/assert.hpp"
#include "unum/time.hpp"

namespace unum {

/// A callback for Reactor::post. Derive from it, and cast back to the derived type in `run`.
struct Ready {
  Ready* next_ready;  ///< Owned by the queue.
  /// Called once for each post. May post this node again, or destroy it.
  void (*run)(Ready&) noexcept;
};

/// A one-shot timer for Reactor::add_timer. Derive from it, and cast back to the derived type in
/// `fire`. Neither moved nor destroyed while armed.
struct Timer {
  Deadline when = kNoDeadline;          ///< Not changed while armed.
  std::size_t heap_index = kNotInHeap;  ///< Owned by the reactor; kNotInHeap while not armed.
  /// Called once at `when` or later, disarmed. May arm this timer again, or destroy it.
  void (*fire)(Timer&) noexcept = nullptr;

  ~Timer() { UNUM_ASSERT(heap_index == kNotInHeap); }

  static constexpr std::size_t kNotInHeap = static_cast<std::size_t>(-1);
};

}  // namespace unum
