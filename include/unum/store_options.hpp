// How a data store is opened.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace unum {

/// How `read_input` reads. Looks at whether values exist are strongly consistent either way.
enum class ReadConsistency : std::uint8_t {
  strong,
  /// From DynamoDB at half the price, from a Redis cluster's replicas: a value that exists may be
  /// missed at first, so what is missing is asked for again. Other stores read as with `strong`.
  eventual,
};

/// How a store is opened.
struct StoreOptions {
  /// Outcomes, inputs and reports are on disk when a write returns, and before a read of one by
  /// name does. Claims, `wanted` and garbage state are never waited for: who loses one makes it
  /// again. Only for stores that have the choice (fs).
  bool durable = true;
  /// Values in flight at once in reads of many. (fs: four times as many of those that are not
  /// cached.)
  std::size_t in_flight_max = 64;
  ReadConsistency read_consistency = ReadConsistency::strong;
  /// A request of a network store that has no answer after this long counts as lost; it is sent
  /// again as the store's policy of retries says. A nearer deadline of the call counts.
  std::chrono::milliseconds request_timeout{30'000};
  /// How long a network store that is unreachable, silent or refusing for a while is waited for,
  /// from the first failure on. After it the call throws what it met last.
  std::chrono::milliseconds patience{60'000};
  /// Called with one line, at most once in some seconds, while a call waits for the store. Empty:
  /// nobody is told.
  std::function<void(std::string_view)> waiting{};
  /// Called while the store is opened with what its settings put at risk, one line each. Empty:
  /// nobody is told.
  std::function<void(std::string_view)> warn{};
};

}  // namespace unum
