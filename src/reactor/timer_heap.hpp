// The reactor's timers: one binary heap of nodes that live in their owners.
#pragma once

#include <cstddef>
#include <vector>

#include "unum/reactor.hpp"

namespace unum {

class TimerHeap {
 public:
  void add(Timer& timer) {
    UNUM_ASSERT(timer.heap_index == Timer::kNotInHeap);
    heap_.push_back(&timer);
    timer.heap_index = heap_.size() - 1;
    sift_up(timer.heap_index);
  }

  void remove(Timer& timer) noexcept {
    const std::size_t index = timer.heap_index;
    if (index == Timer::kNotInHeap) return;
    timer.heap_index = Timer::kNotInHeap;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (last == &timer) return;
    heap_[index] = last;
    last->heap_index = index;
    sift_up(index);
    sift_down(last->heap_index);
  }

  std::size_t size() const noexcept { return heap_.size(); }
  bool empty() const noexcept { return heap_.empty(); }
  Deadline nearest() const noexcept { return heap_.empty() ? kNoDeadline : heap_.front()->when; }

  /// Takes out the nearest timer if it is due.
  Timer* pop_due(Deadline now) noexcept {
    if (heap_.empty() || heap_.front()->when > now) return nullptr;
    Timer* timer = heap_.front();
    remove(*timer);
    return timer;
  }

 private:
  void place(std::size_t index, Timer* timer) noexcept {
    heap_[index] = timer;
    timer->heap_index = index;
  }
  void sift_up(std::size_t index) noexcept {
    Timer* timer = heap_[index];
    while (index > 0) {
      const std::size_t parent = (index - 1) / 2;
      if (heap_[parent]->when <= timer->when) break;
      place(index, heap_[parent]);
      index = parent;
    }
    place(index, timer);
  }
  void sift_down(std::size_t index) noexcept {
    Timer* timer = heap_[index];
    while (true) {
      std::size_t child = 2 * index + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1]->when < heap_[child]->when) ++child;
      if (timer->when <= heap_[child]->when) break;
      place(index, heap_[child]);
      index = child;
    }
    place(index, timer);
  }

  std::vector<Timer*> heap_;
};

}  // namespace unum
