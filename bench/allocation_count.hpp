// Counts what the program takes from the heap by `new`. It replaces the operators, so it may be
// included in one source of a program only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace unum::bench {

inline std::atomic<std::size_t> allocation_count{0};

// Not inline: a compiler that sees malloc in one of the operators and not in the other warns.
[[gnu::noinline]] inline void* counted_allocation(std::size_t size) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] inline void release(void* block) noexcept { std::free(block); }

}  // namespace unum::bench

void* operator new(std::size_t size) { return unum::bench::counted_allocation(size); }
void operator delete(void* block) noexcept { unum::bench::release(block); }
void operator delete(void* block, std::size_t) noexcept { unum::bench::release(block); }
