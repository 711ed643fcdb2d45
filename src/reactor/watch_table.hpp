// Watches on descriptors of foreign libraries: a table of one-shot polls, keyed by slot and
// generation.
#pragma once

#include <memory>
#include <vector>

#include "reactor/port.hpp"

namespace unum {

class WatchTable {
 public:
  explicit WatchTable(Reactor& reactor) noexcept : reactor_(reactor) {}

  WatchId add(int fd, unsigned events, Reactor::WatchCallback callback, void* context);
  void change(WatchId id, unsigned events);
  void remove(WatchId id);
  /// Whether all that the kernel has are polls of watches that were removed.
  bool only_removed_in_flight(std::size_t in_flight) const noexcept;

 private:
  /// A slot is free when nobody watches and the kernel has no poll of it.
  struct Slot : Operation {
    WatchTable* table = nullptr;
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
    bool wanted = false;
    bool polling = false;
    unsigned events = 0;
    unsigned polled_events = 0;
    Reactor::WatchCallback callback = nullptr;
    void* context = nullptr;
  };

  static void on_polled(Ready& ready) noexcept;
  void arm(Slot& slot) noexcept;
  Slot* find(WatchId id) noexcept;

  Reactor& reactor_;
  std::vector<std::unique_ptr<Slot>> slots_;  // their addresses must stay
  std::vector<std::uint32_t> free_;
};

}  // namespace unum
