// Calls of one DynamoDB table: sent, repeated where the service left something undone, read.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aws/open_service.hpp"
#include "aws/retry.hpp"
#include "stores/dynamodb/request.hpp"
#include "stores/dynamodb/response.hpp"
#include "unum/reactor.hpp"
#include "unum/store.hpp"

namespace unum::dynamodb {

inline constexpr std::string_view kConditionFailed = "ConditionalCheckFailedException";

/// Pauses between rounds for what the service left undone: with full jitter, doubled from round to
/// round, a second at most.
class Pauses {
 public:
  explicit Pauses(std::chrono::milliseconds first = std::chrono::milliseconds(20)) noexcept
      : backoff_{first, std::chrono::milliseconds(1000)} {}
  /// Waits; throws `timeout` or `cancelled`, naming `what`, when the wait ends first.
  Task<void> next(Reactor& reactor, Wait wait, std::string_view what);
  unsigned count() const noexcept { return count_; }

 private:
  Backoff backoff_;
  unsigned count_ = 0;
};

enum class Operation : std::uint8_t {
  get_item,
  put_item,
  update_item,
  delete_item,
  batch_get,
  batch_write,
  scan,
  describe_table,
  create_table,
  time_to_live,
};

class Table {
 public:
  /// The service and the reactor must outlive it.
  Table(Reactor& reactor, aws::ServiceClient& service, std::string name);

  const std::string& name() const noexcept { return name_; }
  ResponseParser& parser() noexcept { return parser_; }
  double capacity_units() const noexcept { return parser_.capacity_units(); }

  struct Answer {
    std::string body;
    std::string error_code;  ///< One of the expected ones, or empty.
  };
  /// One call; `what`, a key or a count, is for messages. Reads may be hedged.
  Task<Answer> call(Operation operation, std::string body, std::string_view what,
                    std::span<const std::string_view> expected, Wait wait);

  /// Looks all keys up, none of them twice in `keys`, in one request and as many more as the
  /// service leaves keys undone. Throws `throttled` when it leaves all of them undone too often.
  Task<void> batch_get(std::span<const std::string_view> keys, Projection projection,
                       bool consistent, const ResponseParser::OnItem& on_item, Wait wait);
  /// Looks any number of keys up, none of them twice, for all but their values.
  Task<void> list_keys(std::span<const std::string_view> keys,
                       const ResponseParser::OnItem& on_item, Wait wait);
  /// Writes all, no key twice.
  Task<void> write_all(std::span<const BatchWrite> writes, Wait wait);
  /// Deletes all keys, none of them twice in `keys`.
  Task<void> delete_keys(std::span<const std::string_view> keys, Wait wait);
  /// All items whose key begins with `prefix` (empty: all), in `segments` walks beside each other.
  Task<void> scan(std::string_view prefix, std::size_t segments,
                  const ResponseParser::OnItem& on_item, Wait wait);

 private:
  Task<void> write_batch(std::vector<BatchWrite> writes, Wait wait);
  Task<void> scan_segment(std::string_view prefix, Segment segment,
                          const ResponseParser::OnItem& on_item, Wait wait);

  Reactor& reactor_;
  aws::ServiceClient& service_;
  const std::string name_;
  ResponseParser parser_;
  bool batches_are_long_ = false;  ///< The last one's response was.
};

/// Keys that BatchGetItem takes at most, and writes that BatchWriteItem does (API reference).
inline constexpr std::size_t kKeysABatch = 100;
inline constexpr std::size_t kWritesABatch = 25;

}  // namespace unum::dynamodb
