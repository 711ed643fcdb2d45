// The stores that the conformance suite runs over, on both ports of the reactor.
//
// A later store adds one entry to `stores_under_test` and passes every test here unchanged.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/reactor.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum::test {

/// A store of the suite's own, empty at first, gone with this object.
struct StoreUnderTest {
  std::string label;
  /// Why it cannot be tested here, or empty.
  std::string missing;
  /// Opens it; may be called several times, also for several stores open at once.
  std::function<std::unique_ptr<Store>(Reactor&)> open;
  /// Widest fan-in that ends in reasonable time.
  std::size_t fan_in_width_max = 10'000;
  /// Whether thousands of writes one after the other end in reasonable time.
  bool cheap_writes = true;
  /// Whether the server keeps connections open.
  bool keeps_connections = true;
  bool one_port = false;  ///< Where another test has seen both.
  /// Keeps alive what the store lives in.
  std::shared_ptr<void> home;
};

/// One maker for each store.
using MakeStore = std::function<StoreUnderTest()>;
const std::vector<MakeStore>& stores_under_test();

/// An item's id. A function rather than braces: GCC 12 destroys a braced temporary in a co_await
/// twice.
inline ItemId id(std::string name, ItemKind kind) { return ItemId{std::move(name), kind}; }

/// Writes an outcome and says whether it was new.
inline Task<bool> write(Store& store, const SessionContext& context, std::string instance,
                        std::string value) {
  const WriteResult result = co_await write_return_value(store, context.bound_to(instance), value);
  co_return result.status == WriteResult::Status::written;
}

}  // namespace unum::test

/// Awaits, then checks a condition on `it`. Catch2 names its expression twice, and GCC 12 then
/// awaits twice: so no co_await inside CHECK itself.
#define CHECK_AWAITED(awaited, ...)   \
  do {                                \
    const auto it = co_await awaited; \
    CHECK(__VA_ARGS__);               \
  } while (false)
#define REQUIRE_AWAITED(awaited, ...) \
  do {                                \
    const auto it = co_await awaited; \
    REQUIRE(__VA_ARGS__);             \
  } while (false)

/// Begins the body of a test: it runs once for each store on each port. `reactor`, `subject` (the
/// StoreUnderTest) and `store` (a Store&, open) are then there, and `context`, a session of its
/// own.
#define ON_EACH_STORE()                                                                      \
  const auto store_index =                                                                   \
      GENERATE(range(std::size_t{0}, unum::test::stores_under_test().size()));               \
  ON_EACH_PORT(reactor);                                                                     \
  const unum::test::StoreUnderTest subject = unum::test::stores_under_test()[store_index](); \
  if (!subject.missing.empty()) UNUM_SKIP(subject.label + ": " + subject.missing);           \
  if (subject.one_port && backend == unum::test::Backend::epoll) return;                     \
  INFO("store: " << subject.label);                                                          \
  const std::unique_ptr<unum::Store> opened = subject.open(reactor);                         \
  unum::Store& store = *opened;                                                              \
  const unum::SessionContext context = create_session_context(store)
