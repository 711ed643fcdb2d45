// Many outcomes at once: values by BatchGetItem, all batches in flight; existence by keys alone.
#include <algorithm>
#include <map>
#include <numeric>

#include "base/padded.hpp"
#include "stores/dynamodb/dynamodb_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::dynamodb {
namespace {

// A batch's response may hold 16 MB: this bounds what responses take together.
constexpr std::size_t kBatchesAtOnce = 16;
// Responses of keys alone are small.
constexpr std::size_t kChecksAtOnce = 64;
// Large values of one read that are put together at once; each has parts in flight of its own.
constexpr std::size_t kLargeAtOnce = 4;
// So long eventual reads are asked again for what they do not show before a strong one settles it.
// A copy lags by less than a second, usually (docs: "Read consistency").
constexpr std::chrono::milliseconds kLagMax{2'000};

KeyTable outcome_keys(const SessionContext& context, std::span<const Pointer> pointers) {
  KeyTable keys(session_prefix(context.session()), pointers.size());
  for (const Pointer& pointer : pointers) keys.add(pointer.name(), ItemKind::outcome);
  return keys;
}

}  // namespace

/// What was found of the outcomes, by their indices in the table of keys.
struct DynamoDbStore::Found {
  explicit Found(std::size_t count) : values(count) {}

  std::vector<std::optional<std::string>> values;
  std::map<std::size_t, Stored> heads;  ///< Of values in parts: seldom any.

  bool has(std::size_t index) const { return values[index] || heads.contains(index); }
  std::vector<std::size_t> missing() const {
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!has(i)) missing.push_back(i);
    }
    return missing;
  }
};

Task<void> DynamoDbStore::read_batches(const KeyTable& keys, std::span<const std::size_t> wanted,
                                       bool consistent, Found& found, Wait wait) {
  const ResponseParser::OnItem take = [&](Item& item) {
    const std::size_t index = keys.find(item.name);
    if (index == KeyTable::kNone) return;
    if (item.value) {
      found.values[index] = std::move(item.value);
    } else if (item.parts > 0) {
      found.heads[index] = Stored::of(item);
    }
  };
  const auto read = [&](std::size_t batch) -> Task<void> {
    const std::size_t begin = batch * kKeysABatch;
    const auto part = wanted.subspan(begin, std::min(kKeysABatch, wanted.size() - begin));
    std::array<std::string_view, kKeysABatch> asked;
    std::transform(part.begin(), part.end(), asked.begin(),
                   [&](std::size_t index) { return keys.key(index); });
    co_await table_.batch_get(std::span(asked).first(part.size()), Projection::values, consistent,
                              take, wait);
  };
  const std::size_t batches = (wanted.size() + kKeysABatch - 1) / kKeysABatch;
  co_await for_each_bounded(batches, kBatchesAtOnce, read);
}

Task<void> DynamoDbStore::ask_for_missing(const KeyTable& keys, Found& found, Wait wait) {
  const Deadline lag_ends = reactor().now() + kLagMax;
  Pauses pauses(std::chrono::milliseconds(5));
  std::vector<std::size_t> missing = found.missing();
  while (!missing.empty()) {
    const bool settle = reactor().now() >= lag_ends;
    co_await pauses.next(reactor(), wait, "an input that is not to be seen yet");
    co_await read_batches(keys, missing, settle, found, wait);
    if (settle) co_return;
    missing = found.missing();
  }
}

Task<std::vector<std::optional<std::string>>> DynamoDbStore::get_many(
    const SessionContext& context, std::span<const Pointer> pointers, Wait wait) {
  const KeyTable keys = outcome_keys(context, pointers);
  const bool consistent = settings_.options.read_consistency == ReadConsistency::strong;
  Found found(keys.size());
  std::vector<std::size_t> all(keys.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  co_await read_batches(keys, all, consistent, found, wait);
  if (!consistent) co_await ask_for_missing(keys, found, wait);

  std::vector<std::optional<std::string>>& values = found.values;
  std::vector<std::size_t> large;
  large.reserve(found.heads.size());
  for (const auto& [index, head] : found.heads) large.push_back(index);
  const auto assemble = [&](std::size_t i) -> Task<void> {
    const std::size_t index = large[i];
    values[index] = co_await value_of(keys.key(index), found.heads[index], consistent, wait);
  };
  co_await for_each_bounded(large.size(), kLargeAtOnce, assemble);
  if (keys.size() == pointers.size()) co_return std::move(values);

  // Some pointers are there more than once.
  const std::string prefix = session_prefix(context.session());
  std::vector<std::optional<std::string>> in_order(pointers.size());
  std::string key;
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    key = prefix;
    append_item_part(key, pointers[i].name(), ItemKind::outcome);
    const std::optional<std::string>& value = values[keys.find(key)];
    if (value) in_order[i] = padded_copy(*value);
  }
  co_return in_order;
}

Task<bool> DynamoDbStore::all_exist(const SessionContext& context,
                                    std::span<const Pointer> pointers, Wait wait) {
  const KeyTable keys = outcome_keys(context, pointers);
  co_return co_await all_exist(keys, wait);
}

/// One batch, then two at once, then four, ...: whoever asks too early pays for one request.
Task<bool> DynamoDbStore::all_exist(const KeyTable& keys, Wait wait) {
  std::size_t found = 0;
  const ResponseParser::OnItem count = [&](Item&) { ++found; };
  const std::size_t batches = (keys.size() + kKeysABatch - 1) / kKeysABatch;
  std::size_t at_once = 1;
  for (std::size_t begin = 0; begin < batches;) {
    const std::size_t round = std::min(at_once, batches - begin);
    const auto check = [&](std::size_t i) -> Task<void> {
      const std::size_t first = (begin + i) * kKeysABatch;
      const std::size_t size = std::min(kKeysABatch, keys.size() - first);
      std::array<std::string_view, kKeysABatch> asked;
      for (std::size_t at = 0; at < size; ++at) asked[at] = keys.key(first + at);
      co_await table_.batch_get(std::span(asked).first(size), Projection::key, true, count, wait);
    };
    co_await for_each_bounded(round, kChecksAtOnce, check);
    begin += round;
    if (found < std::min(begin * kKeysABatch, keys.size())) co_return false;
    at_once = std::min(at_once * 2, kChecksAtOnce);
  }
  co_return true;
}

}  // namespace unum::dynamodb
