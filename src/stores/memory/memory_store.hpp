// A data store in this process's memory, for tests and for workflows that need not outlive it.
//
// Stores are known by name in the whole process: `memory:x` opened twice is one store, also from
// reactors of two threads. It lasts as long as the process.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "unum/store.hpp"

namespace unum::memory {

/// Throws `not_found` when nobody made a store of this name.
std::unique_ptr<Store> open_memory_store(Reactor& reactor, std::string_view name);
/// Whether it was made; false if it was there.
bool create_memory_store(std::string_view name);

}  // namespace unum::memory
