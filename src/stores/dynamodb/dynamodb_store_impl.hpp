// The DynamoDB store's class, whose parts stand in several files: single items in
// dynamodb_store.cpp, many at once in batch_read.cpp, values in parts in large_values.cpp, fan-ins
// in fan_in_tree.cpp, listings and what they collect in listing.cpp, opening in open.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aws/open_service.hpp"
#include "stores/dynamodb/dynamodb_store.hpp"
#include "stores/dynamodb/key.hpp"
#include "stores/dynamodb/key_table.hpp"
#include "stores/dynamodb/table.hpp"
#include "stores/fan_in_record.hpp"
#include "unum/scan_and_claim.hpp"

namespace unum::dynamodb {

/// What an item holds of its value: the value, or where its parts are.
struct Stored {
  std::optional<std::string> value;
  std::string writer;
  std::uint64_t parts = 0;
  std::uint64_t bytes = 0;

  static Stored of(Item& item) {
    return {std::move(item.value), std::string(item.writer), item.parts, item.bytes.value_or(0)};
  }
};

/// What is to be written as an item's value: the value itself, or `parts` parts of `writer`.
struct Content {
  std::string_view value;
  std::string_view writer{};
  std::size_t parts = 0;
};

class DynamoDbStore final : public Store {
 public:
  struct Settings {
    StoreOptions options;
    Tuning tuning;
    std::optional<std::chrono::seconds> time_to_live;
    std::uint64_t table_bytes = 0;  ///< As the table was described; hours old.
  };
  DynamoDbStore(Reactor& reactor, aws::OpenService opened, std::string name, Settings settings);

  std::string_view type() const noexcept override { return "dynamodb"; }
  const std::string& name() const noexcept override { return table_.name(); }
  Reactor& reactor() const noexcept override { return reactor_; }
  StoreCounters counters() const noexcept override;
  bool is_held_back() const noexcept override { return aws_.service->is_held_back(); }

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override;
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override;
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override;
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override;
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override;
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override;
  Task<std::vector<std::string>> list_sessions(Wait wait) override;
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return write_then_join(*this, context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override;
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override;
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override;
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override;
  Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                 const std::string& instance, Wait wait) override;
  Task<void> close() override;

 private:
  // --- Single items
  Task<std::optional<std::string>> read_value(std::string_view key, Wait wait);
  Task<std::optional<Stored>> get_stored(std::string_view key, Wait wait);
  /// The value that stands there now; nothing if the item was created.
  Task<std::optional<Stored>> create_item(const SessionContext& context, const ItemId& item,
                                          std::string_view key, Content content, Wait wait);
  Attributes attributes_of(const SessionContext& context, const ItemId& item, Attributes::Form form,
                           Content content) const;
  std::optional<std::int64_t> expires_at() const;
  bool fits_in_item(const SessionContext& context, const ItemId& item, std::string_view key,
                    std::string_view value) const;

  // --- Many at once
  Task<bool> all_exist(const KeyTable& keys, Wait wait);
  struct Found;
  Task<void> read_batches(const KeyTable& keys, std::span<const std::size_t> wanted,
                          bool consistent, Found& found, Wait wait);
  Task<void> ask_for_missing(const KeyTable& keys, Found& found, Wait wait);

  // --- Values in parts
  Task<std::size_t> write_parts(std::string_view key, std::string_view writer,
                                std::string_view value, Wait wait);
  /// Nothing if a part is missing.
  Task<std::optional<std::string>> read_parts(std::string_view key, const Stored& head,
                                              bool consistent, Wait wait);
  /// Nothing if one of the parts is missing.
  Task<std::optional<std::string>> read_part_of(std::string_view key, const Stored& head,
                                                ByteRange range, Wait wait);
  Task<void> delete_parts(std::string_view key, std::string_view writer, std::size_t parts,
                          Wait wait);
  Task<WriteResult> create_large(const SessionContext& context, const ItemId& item,
                                 std::string_view key, std::string_view value, Wait wait);
  /// The value of what is stored, read from its parts if it is in parts.
  Task<std::optional<std::string>> value_of(std::string_view key, Stored stored, bool consistent,
                                            Wait wait);

  // --- Fan-in
  struct Climb;
  Task<FanInState> join_one(const SessionContext& context, const FanIn& fan_in, Wait wait);
  Task<std::optional<FanInState>> climb_from_each(const SessionContext& context,
                                                  const FanIn& fan_in, const FanInRecord& mine,
                                                  Wait wait);
  Task<std::optional<FanInState>> climb(Climb& way, Wait wait);
  Task<std::optional<FanInState>> mark(Climb& way, std::span<const unsigned> slots, Wait wait);
  Task<std::optional<FanInState>> mark_those_only_read(Climb& way, Wait wait);
  Task<std::vector<unsigned>> slots_that_exist(const Climb& way, std::vector<unsigned> candidates,
                                               Wait wait);
  Task<bool> others_exist(const SessionContext& context, const FanIn& fan_in, Wait wait);
  Task<FanInState> claim(const SessionContext& context, const FanIn& fan_in,
                         const FanInRecord& mine, Wait wait);

  Task<void> put_all_tombstones(const SessionContext& context,
                                std::span<const std::string> instances, Wait wait);

  // --- Listings
  Task<void> collect_orphans(const class Orphans& orphans, Wait wait);
  std::size_t scan_segments() const noexcept;

  Reactor& reactor_;
  aws::OpenService aws_;
  const Settings settings_;
  Table table_;
  ScanAndClaim requested_{*this, {.shared_from = 1}};  // a check is a request
};

/// Keys of the nodes, without the root, of a tree over `size` names.
std::vector<std::string> node_keys(std::string_view root_key, std::size_t size);
/// Key of one part of a writer's value.
std::string part_key(std::string_view key, std::string_view writer, std::size_t index);
/// Random bytes in the name of the parts of one value.
inline constexpr std::size_t kWriterBytes = 16;
/// How long a value's parts may take until its head is written: well below the age at which parts
/// without a head count as orphans, so that nobody collects what is still being written.
inline constexpr std::chrono::minutes kPartsTimeMax{30};

}  // namespace unum::dynamodb
