// Single items of the DynamoDB store: read, create, write over, remove.
#include <algorithm>
#include <ctime>

#include "base/padded.hpp"
#include "base/wall_time.hpp"
#include "reactor/random_text.hpp"
#include "stores/dynamodb/dynamodb_store_impl.hpp"
#include "stores/store_checks.hpp"
#include "unum/task_group.hpp"

namespace unum::dynamodb {
namespace {

// DynamoDB's limit for an item, names and values of attributes together ("Constraints", item size).
constexpr std::size_t kItemBytesMax = 400 * 1024;
// What the other attributes take, a root's marks among them.
constexpr std::size_t kOtherBytes = 1024;
// Rounds in which an item changes under our eyes before we say so.
constexpr unsigned kChangesMax = 5;
constexpr std::array<std::string_view, 1> kFailedCondition = {kConditionFailed};

[[noreturn]] void throw_changing(std::string_view table, std::string_view key) {
  throw Error(ErrorKind::conflict, "dynamodb", "Unum.ItemChanges",
              "table " + std::string(table) + ", item " + std::string(key) +
                  ": others remove and write it again all the time");
}

/// Where the parts of a value stand.
void append_part_keys(const Item& item, std::vector<std::string>& keys) {
  for (std::size_t part = 0; part < item.parts; ++part) {
    keys.push_back(part_key(item.name, item.writer, part));
  }
}

}  // namespace

DynamoDbStore::DynamoDbStore(Reactor& reactor, aws::OpenService opened, std::string name,
                             Settings settings)
    : reactor_(reactor),
      aws_(std::move(opened)),
      settings_(std::move(settings)),
      table_(reactor, *aws_.service, std::move(name)) {}

StoreCounters DynamoDbStore::counters() const noexcept {
  StoreCounters counters;
  counters.requests = aws_.service->counters().requests;
  counters.connections = aws_.http->counters().connections;
  counters.capacity_units = table_.capacity_units();
  return counters;
}

Task<void> DynamoDbStore::close() { return aws_.close(); }

// --- Reading ------------------------------------------------------------------------------------

Task<std::optional<std::string>> DynamoDbStore::get(const SessionContext& context,
                                                    const ItemId& item, Wait wait) {
  const std::string key = item_key(context.session(), item);
  co_return co_await read_value(key, wait);
}

Task<std::optional<std::string>> DynamoDbStore::get_range(const SessionContext& context,
                                                          const ItemId& item, ByteRange range,
                                                          Wait wait) {
  const std::string key = item_key(context.session(), item);
  std::optional<Stored> stored = co_await get_stored(key, wait);
  if (!stored) co_return std::nullopt;
  if (!stored->value) {
    std::optional<std::string> part = co_await read_part_of(key, *stored, range, wait);
    if (part) co_return part;
  }
  // It stands in the item itself, or was written over meanwhile.
  const std::optional<std::string> value = co_await value_of(key, std::move(*stored), true, wait);
  if (!value) co_return std::nullopt;
  co_return padded_copy(part_of(*value, range.offset, range.bytes));
}

Task<std::optional<Stored>> DynamoDbStore::get_stored(std::string_view key, Wait wait) {
  Table::Answer answer = co_await table_.call(
      Operation::get_item, get_item_body(table_.name(), key, true), key, {}, wait);
  std::optional<Item> item = table_.parser().item(answer.body);
  if (!item || !item->has_value()) co_return std::nullopt;
  co_return Stored::of(*item);
}

Task<std::optional<std::string>> DynamoDbStore::read_value(std::string_view key, Wait wait) {
  std::optional<Stored> stored = co_await get_stored(key, wait);
  if (!stored) co_return std::nullopt;
  co_return co_await value_of(key, std::move(*stored), true, wait);
}

Task<std::optional<std::string>> DynamoDbStore::value_of(std::string_view key, Stored stored,
                                                         bool consistent, Wait wait) {
  for (unsigned round = 0; round < kChangesMax; ++round) {
    if (stored.value) co_return std::move(stored.value);
    std::optional<std::string> value = co_await read_parts(key, stored, consistent, wait);
    if (value) co_return value;
    // A part is missing: the item was removed or written over meanwhile, or it is damaged.
    std::optional<Stored> now = co_await get_stored(key, wait);
    if (!now) co_return std::nullopt;
    if (!now->value && now->writer == stored.writer && consistent) {
      throw Error(ErrorKind::corrupt, "dynamodb", "Unum.MissingPart",
                  "table " + table_.name() + ", item " + std::string(key) + ": of the value's " +
                      std::to_string(stored.parts) + " parts some are missing");
    }
    consistent = true;
    stored = std::move(*now);
  }
  throw_changing(table_.name(), key);
}

// --- Writing ------------------------------------------------------------------------------------

std::optional<std::int64_t> DynamoDbStore::expires_at() const {
  if (!settings_.time_to_live) return std::nullopt;
  return unix_ns(reactor().wall_time()) / 1'000'000'000 + settings_.time_to_live->count();
}

bool DynamoDbStore::fits_in_item(const SessionContext& context, const ItemId& item,
                                 std::string_view key, std::string_view value) const {
  const std::size_t full = full_name(context.session(), item).size();
  return value.size() + key.size() + full + context.redelivery().size() + kOtherBytes <=
         kItemBytesMax;
}

Attributes DynamoDbStore::attributes_of(const SessionContext& context, const ItemId& item,
                                        Attributes::Form form, Content content) const {
  Attributes attributes(form, content.value.size() + content.value.size() / 8 + 512);
  if (form == Attributes::Form::item) {
    attributes.add_string(attribute::kName, item_key(context.session(), item));
  }
  if (content.parts == 0) {
    attributes.add_value(attribute::kUser, content.value);
  } else {
    attributes.add_string(attribute::kWriter, content.writer);
    attributes.add_number(attribute::kParts, static_cast<std::int64_t>(content.parts));
  }
  attributes.add_number(attribute::kBytes, static_cast<std::int64_t>(content.value.size()));
  attributes.add_number(attribute::kWritten, unix_ns(reactor().wall_time()));
  if (const std::string full = full_name(context.session(), item); !full.empty()) {
    attributes.add_string(attribute::kFullName, full);
  }
  if (const auto expires = expires_at()) attributes.add_number(attribute::kExpiresAt, *expires);
  if (item.kind == ItemKind::outcome && !context.redelivery().empty()) {
    attributes.add_string(attribute::kRedelivery, context.redelivery());
  }
  return attributes;
}

Task<std::optional<Stored>> DynamoDbStore::create_item(const SessionContext& context,
                                                       const ItemId& item, std::string_view key,
                                                       Content content, Wait wait) {
  // A claim's item may be there as the root of its tree: then only its value is missing.
  const bool root = item.kind == ItemKind::claim;
  for (unsigned round = 0; round < kChangesMax; ++round) {
    const Attributes attributes = attributes_of(
        context, item, root ? Attributes::Form::placeholders : Attributes::Form::item, content);
    std::string body = root ? set_value_body(table_.name(), key, attributes, true)
                            : put_item_body(table_.name(), attributes, Condition::absent, true);
    Table::Answer answer = co_await table_.call(root ? Operation::update_item : Operation::put_item,
                                                std::move(body), key, kFailedCondition, wait);
    if (answer.error_code.empty()) {
      table_.parser().item(answer.body);
      co_return std::nullopt;
    }
    std::optional<Item> old = table_.parser().item(answer.body);
    if (old && old->has_value()) co_return Stored::of(*old);
    // A server that does not send the old item along is asked for it.
    std::optional<Stored> stored = co_await get_stored(key, wait);
    if (stored) co_return stored;
  }
  throw_changing(table_.name(), key);
}

Task<WriteResult> DynamoDbStore::create(const SessionContext& context, const ItemId& item,
                                        std::string_view value, Wait wait) {
  const std::string key = item_key(context.session(), item);
  if (!fits_in_item(context, item, key, value)) {
    co_return co_await create_large(context, item, key, value, wait);
  }
  for (unsigned round = 0; round < kChangesMax; ++round) {
    std::optional<Stored> stored = co_await create_item(context, item, key, {value}, wait);
    if (!stored) co_return WriteResult{};
    std::optional<std::string> theirs = co_await value_of(key, std::move(*stored), true, wait);
    if (theirs) co_return WriteResult{WriteResult::Status::already_there, std::move(*theirs)};
  }
  throw_changing(table_.name(), key);
}

Task<void> DynamoDbStore::put(const SessionContext& context, const ItemId& item,
                              std::string_view value, Wait wait) {
  const std::string key = item_key(context.session(), item);
  Content content{value};
  std::string writer;
  if (!fits_in_item(context, item, key, value)) {
    writer = random_hex(reactor(), kWriterBytes);
    content.writer = writer;
    wait.deadline = std::min(wait.deadline, reactor().now() + kPartsTimeMax);
    content.parts = co_await write_parts(key, writer, value, wait);
  }
  const bool root = item.kind == ItemKind::claim;
  const Attributes attributes = attributes_of(
      context, item, root ? Attributes::Form::placeholders : Attributes::Form::item, content);
  std::string body = root ? set_value_body(table_.name(), key, attributes, false)
                          : put_item_body(table_.name(), attributes, Condition::none, true);
  Table::Answer answer = co_await table_.call(root ? Operation::update_item : Operation::put_item,
                                              std::move(body), key, {}, wait);
  const std::optional<Item> old = table_.parser().item(answer.body);
  if (!old || old->parts == 0 || old->writer == writer) co_return;
  const std::string old_writer(old->writer);
  co_await delete_parts(key, old_writer, old->parts, wait);
}

// --- Collecting ---------------------------------------------------------------------------------

/// What stands beside an outcome is an attribute of its item, which a tombstone has not.
Task<void> DynamoDbStore::collect(const SessionContext& context,
                                  std::span<const std::string> instances,
                                  std::span<const ItemId> items, Wait wait) {
  if (instances.size() == 1) {
    co_await put_tombstones(*this, context, instances, wait);
  } else if (!instances.empty()) {
    co_await put_all_tombstones(context, instances, wait);
  }
  if (!items.empty()) co_await remove(context, items, wait);
}

/// A batch of writes tells nothing of what stood there before: where parts stand is read first.
Task<void> DynamoDbStore::put_all_tombstones(const SessionContext& context,
                                             std::span<const std::string> instances, Wait wait) {
  std::vector<std::string> keys;
  std::vector<std::string> tombstones;
  for (const std::string& instance : instances) {
    const ItemId outcome{instance, ItemKind::outcome};
    keys.push_back(item_key(context.session(), outcome));
    tombstones.push_back(
        attributes_of(context, outcome, Attributes::Form::item, {kTombstone}).text());
  }
  const std::vector<std::string_view> asked(keys.begin(), keys.end());
  std::vector<std::string> parts;
  const ResponseParser::OnItem take = [&](Item& item) { append_part_keys(item, parts); };
  co_await table_.list_keys(asked, take, wait);
  std::vector<BatchWrite> writes;
  for (std::size_t i = 0; i < keys.size(); ++i) writes.push_back({keys[i], tombstones[i]});
  co_await table_.write_all(writes, wait);
  const std::vector<std::string_view> removed(parts.begin(), parts.end());
  co_await table_.delete_keys(removed, wait);
}

Task<std::optional<std::string>> DynamoDbStore::redelivery_of(const SessionContext& context,
                                                              const std::string& instance,
                                                              Wait wait) {
  const ItemId outcome{instance, ItemKind::outcome};
  const std::string key = item_key(context.session(), outcome);
  const std::string_view asked = key;
  std::optional<std::string> kept;
  const ResponseParser::OnItem take = [&](Item& item) {
    if (!item.redelivery.empty()) kept.emplace(item.redelivery);
  };
  co_await table_.batch_get(std::span(&asked, 1), Projection::beside, true, take, wait);
  co_return kept;
}

// --- Removing -----------------------------------------------------------------------------------

Task<void> DynamoDbStore::remove(const SessionContext& context, std::span<const ItemId> items,
                                 Wait wait) {
  KeyTable keys(session_prefix(context.session()), items.size());
  for (const ItemId& item : items) {
    keys.add(item.name, item.kind);
  }
  // What belongs to the items: parts of values and nodes of trees.
  std::vector<std::string> belongings;
  std::vector<std::string_view> all;
  const ResponseParser::OnItem take = [&](Item& item) {
    append_part_keys(item, belongings);
    for (std::string& node : node_keys(item.name, item.size)) {
      belongings.push_back(std::move(node));
    }
  };
  for (std::size_t index = 0; index < keys.size(); ++index) all.push_back(keys.key(index));
  co_await table_.list_keys(all, take, wait);
  // The items first: a value whose parts are gone would look damaged.
  co_await table_.delete_keys(all, wait);
  const std::vector<std::string_view> inner(belongings.begin(), belongings.end());
  co_await table_.delete_keys(inner, wait);
  requested_.forget(items);
}

}  // namespace unum::dynamodb
