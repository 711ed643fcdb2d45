// The pool of coroutine frames: free lists by size, one set a thread.
#include <array>
#include <cstddef>
#include <new>

#include "unum/task.hpp"

namespace unum::detail {

namespace {

// Under AddressSanitizer each frame is a block of its own, so that a use after its end is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPooled = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif
#else
constexpr bool kPooled = true;
#endif

constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kClasses = 64;  // frames up to 4 KiB; larger ones are rare and go to the heap
constexpr std::size_t kFreeMax =
    4096;  // of one class, so that a burst does not keep its memory for ever

struct FreeFrame {
  FreeFrame* next;
};

// Plain data, so that reaching it needs no guard.
struct Pool {
  std::array<FreeFrame*, kClasses> first;
  std::array<std::size_t, kClasses> count;
  bool closed;
};
constinit thread_local Pool pool{};

/// Gives the frames back at the thread's end. Made with the thread's first frame.
struct Cleaner {
  Cleaner() noexcept = default;
  ~Cleaner() {
    // Emptied, not only freed: an object of static duration may still run coroutines.
    for (FreeFrame*& first : pool.first) {
      while (FreeFrame* const frame = first) {
        first = frame->next;
        ::operator delete(frame);
      }
    }
    pool.closed = true;
  }
  void make_sure_that_it_is_made() const noexcept {}
};
thread_local Cleaner cleaner;

std::size_t class_of(std::size_t size) { return (size - 1) / kClassBytes; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = class_of(size);
  if (!kPooled || index >= kClasses) return ::operator new(size);
  if (FreeFrame* frame = pool.first[index]; frame != nullptr) {
    pool.first[index] = frame->next;
    --pool.count[index];
    return frame;
  }
  cleaner.make_sure_that_it_is_made();
  return ::operator new((index + 1) * kClassBytes);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = class_of(size);
  if (!kPooled || index >= kClasses || pool.closed || pool.count[index] >= kFreeMax) {
    ::operator delete(frame);
    return;
  }
  auto* free = static_cast<FreeFrame*>(frame);
  free->next = pool.first[index];
  pool.first[index] = free;
  ++pool.count[index];
}

}  // namespace unum::detail
