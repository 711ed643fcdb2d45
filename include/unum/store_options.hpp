// How a data store is opened.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace unum {

/// The consistency of `read_input`. Existence checks are strongly consistent either way.
enum class ReadConsistency : std::uint8_t {
  strong,
  /// Half the price on DynamoDB; reads from replicas of a Redis cluster. A recent value may be
  /// missed at first, so missing values are read again. Other stores read as with `strong`.
  eventual,
};

/// How a store is opened.
struct StoreOptions {
  /// Outcomes, inputs and reports are on disk before a write returns, and before `get` returns one.
  /// Claims, `wanted` and garbage-collection state are not waited for: a lost one is created again.
  /// Only for stores that offer the choice (fs).
  bool durable = true;
  /// The most values in flight while many are read. (fs: four times as many of those that are not
  /// in the page cache.)
  std::size_t in_flight_max = 64;
  ReadConsistency read_consistency = ReadConsistency::strong;
  /// A request to a network store that is not answered within this time counts as lost, and is
  /// retried by the store's policy. An earlier deadline of the call takes precedence.
  std::chrono::milliseconds request_timeout{30'000};
  /// How long a call keeps retrying while a network store is unreachable, silent or temporarily
  /// refusing, counted from the first failure. Then the call throws the last error.
  std::chrono::milliseconds patience{60'000};
  /// Called with one line of text, at most once every few seconds, while a call waits for the
  /// store. Must not throw. May be empty.
  std::function<void(std::string_view)> waiting{};
  /// Called while the store is opened, with one line of text for each of the server's settings that
  /// puts values at risk. Must not throw. May be empty.
  std::function<void(std::string_view)> warn{};
};

}  // namespace unum
