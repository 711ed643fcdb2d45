// Watches: each slot has at most one poll with the kernel; it is armed again after the callback,
// and only if the watch still stands.
#include "reactor/watch_table.hpp"

#include <poll.h>
#include <cerrno>

namespace unum {

WatchTable::Slot* WatchTable::find(WatchId id) noexcept {
  if (id.slot >= slots_.size()) return nullptr;
  Slot& slot = *slots_[id.slot];
  return slot.generation == id.generation && slot.wanted ? &slot : nullptr;
}

WatchId WatchTable::add(int fd, unsigned events, Reactor::WatchCallback callback, void* context) {
  if (free_.empty()) {
    // So that giving a slot back cannot fail.
    if (free_.capacity() <= slots_.size()) free_.reserve(2 * slots_.size() + 8);
    Slot& slot = *slots_.emplace_back(std::make_unique<Slot>());
    slot.table = this;
    slot.index = static_cast<std::uint32_t>(slots_.size() - 1);
    slot.run = &on_polled;
    free_.push_back(slot.index);
  }
  Slot& slot = *slots_[free_.back()];
  free_.pop_back();
  ++slot.generation;
  slot.wanted = true;
  slot.events = events;
  slot.callback = callback;
  slot.context = context;
  slot.request = Request{.opcode = Opcode::poll, .fd = fd};
  arm(slot);
  return {slot.index, slot.generation};
}

void WatchTable::arm(Slot& slot) noexcept {
  if (slot.polling || slot.events == 0) return;
  slot.polling = true;
  slot.polled_events = slot.events;
  slot.request.mode = slot.events;
  reactor_.port_->submit(slot);
}

void WatchTable::change(WatchId id, unsigned events) {
  Slot* slot = find(id);
  if (slot == nullptr || slot->events == events) return;
  slot->events = events;
  if (slot->polling) {
    reactor_.port_->cancel(
        *slot);  // armed with the new events once the kernel has let go of the old
  } else {
    arm(*slot);
  }
}

void WatchTable::remove(WatchId id) {
  Slot* slot = find(id);
  if (slot == nullptr) return;
  slot->wanted = false;
  if (slot->polling) {
    reactor_.port_->cancel(*slot);
  } else {
    free_.push_back(slot->index);
  }
}

bool WatchTable::only_removed_in_flight(std::size_t in_flight) const noexcept {
  std::size_t removed = 0;
  for (const auto& slot : slots_) removed += slot->polling && !slot->wanted ? 1 : 0;
  return in_flight <= removed;
}

void WatchTable::on_polled(Ready& ready) noexcept {
  Slot& slot = static_cast<Slot&>(ready);
  slot.polling = false;
  if (!slot.wanted) {
    slot.table->free_.push_back(slot.index);
    return;
  }
  // The wish may have changed while the poll was on its way: a paused watch hears nothing, and one
  // for other events only of the end.
  const unsigned came = slot.result == -ECANCELED ? 0u
                        : slot.result < 0         ? unsigned{POLLERR}
                                                  : static_cast<unsigned>(slot.result);
  const unsigned wished = slot.events | POLLERR | POLLHUP | POLLNVAL;
  if (slot.events != 0 && (came & wished) != 0) {
    const std::uint32_t generation = slot.generation;
    slot.callback(slot.context, came & wished);
    if (slot.generation != generation || !slot.wanted) return;
  }
  slot.table->arm(slot);
}

}  // namespace unum
