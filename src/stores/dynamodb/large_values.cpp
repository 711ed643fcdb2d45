// Values that one item cannot hold: parts under names of the writer's own, then the head, which
// commits them.
//
// A value exists once its head does. Each writer's parts bear a random name of its own, so that of
// two writers the loser never touches the winner's parts. The loser takes its own away; those of a
// writer that died are collected by listings (listing.cpp).

#include <algorithm>

#include "base/limits.hpp"
#include "base/padded.hpp"
#include "base/wall_time.hpp"
#include "reactor/random_text.hpp"
#include "stores/dynamodb/dynamodb_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::dynamodb {
namespace {

// Below an item's 400 KB with room for key and attributes.
constexpr std::size_t kPartBytes = 384 * 1024;
// Parts in flight of one value: each costs about a megabyte while it is written as JSON.
constexpr std::size_t kPartsAtOnce = 16;

// Times that others take the item away between two of our reads, before the call fails.
constexpr unsigned kRemovalsMax = 5;

/// Where the value's parts begin, and its end. None begins within a UTF-8 character, so that parts
/// of a text are texts.
std::vector<std::size_t> part_offsets(std::string_view value) {
  std::vector<std::size_t> offsets{0};
  while (value.size() - offsets.back() > kPartBytes) {
    std::size_t end = offsets.back() + kPartBytes;
    for (int i = 0; i < 3 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80; ++i) --end;
    offsets.push_back(end);
  }
  offsets.push_back(value.size());
  return offsets;
}

}  // namespace

std::string part_key(std::string_view key, std::string_view writer, std::size_t index) {
  std::string part(key);
  part.append("/").append(writer).append(".").append(std::to_string(index));
  UNUM_ASSERT(part.size() <= kKeyBytesMax);
  return part;
}

Task<std::size_t> DynamoDbStore::write_parts(std::string_view key, std::string_view writer,
                                             std::string_view value, Wait wait) {
  const std::vector<std::size_t> offsets = part_offsets(value);
  const std::size_t parts = offsets.size() - 1;
  const auto write = [&](std::size_t i) -> Task<void> {
    const std::string name = part_key(key, writer, i);
    const std::string_view part = value.substr(offsets[i], offsets[i + 1] - offsets[i]);
    Attributes attributes(Attributes::Form::item, part.size() + part.size() / 8 + 512);
    attributes.add_string(attribute::kName, name);
    attributes.add_value(attribute::kUser, part);
    attributes.add_number(attribute::kOffset, static_cast<std::int64_t>(offsets[i]));
    attributes.add_number(attribute::kWritten, unix_ns(reactor().wall_time()));
    if (const auto expires = expires_at()) attributes.add_number(attribute::kExpiresAt, *expires);
    Table::Answer answer = co_await table_.call(
        Operation::put_item, put_item_body(table_.name(), attributes, Condition::none, false), name,
        {}, wait);
    table_.parser().item(answer.body);
  };
  co_await for_each_bounded(parts, kPartsAtOnce, write);
  co_return parts;
}

Task<std::optional<std::string>> DynamoDbStore::read_parts(std::string_view key, const Stored& head,
                                                           bool consistent, Wait wait) {
  if (head.bytes > kValueBytesMax || head.parts > head.bytes) {
    throw Error(ErrorKind::corrupt, "dynamodb", "Unum.BadHead",
                "table " + table_.name() + ", item " + std::string(key) + ": a value of " +
                    std::to_string(head.bytes) + " bytes in " + std::to_string(head.parts) +
                    " parts is none of ours");
  }
  std::string value;
  value.reserve(head.bytes + kValuePadding);
  value.resize(head.bytes);
  std::size_t bytes = 0;
  bool missing = false;
  const auto read = [&](std::size_t i) -> Task<void> {
    if (missing) co_return;
    const std::string name = part_key(key, head.writer, i);
    Table::Answer answer = co_await table_.call(
        Operation::get_item, get_item_body(table_.name(), name, consistent), name, {}, wait);
    const std::optional<Item> part = table_.parser().item(answer.body);
    if (!part || !part->value) {
      missing = true;
      co_return;
    }
    const std::size_t size = part->value->size();
    if (part->offset > value.size() || size > value.size() - part->offset) {
      throw Error(ErrorKind::corrupt, "dynamodb", "Unum.BadPart",
                  "table " + table_.name() + ", item " + name + ": " + std::to_string(size) +
                      " bytes at " + std::to_string(part->offset) +
                      " are beyond the end of a value of " + std::to_string(value.size()));
    }
    std::copy(part->value->begin(), part->value->end(),
              value.begin() + static_cast<std::ptrdiff_t>(part->offset));
    bytes += size;
  };
  co_await for_each_bounded(head.parts, kPartsAtOnce, read);
  if (missing) co_return std::nullopt;
  if (bytes != head.bytes) {
    throw Error(ErrorKind::corrupt, "dynamodb", "Unum.BadPart",
                "table " + table_.name() + ", item " + std::string(key) + ": the parts hold " +
                    std::to_string(bytes) + " bytes, the value has " + std::to_string(head.bytes));
  }
  co_return value;
}

Task<std::optional<std::string>> DynamoDbStore::read_part_of(std::string_view key,
                                                             const Stored& head, ByteRange range,
                                                             Wait wait) {
  std::string value;
  value.reserve(std::min<std::uint64_t>(range.bytes, head.bytes) + kValuePadding);
  const std::uint64_t end = std::min<std::uint64_t>(range.offset + range.bytes, head.bytes);
  // No part is longer than kPartBytes, so none before this one reaches up to the offset.
  for (std::uint64_t i = range.offset / kPartBytes, at = range.offset; at < end; ++i) {
    if (i >= head.parts) co_return std::nullopt;
    const std::string name = part_key(key, head.writer, static_cast<std::size_t>(i));
    Table::Answer answer = co_await table_.call(
        Operation::get_item, get_item_body(table_.name(), name, true), name, {}, wait);
    const std::optional<Item> part = table_.parser().item(answer.body);
    if (!part || !part->value || part->offset > at) co_return std::nullopt;
    const std::string_view bytes = part_of(*part->value, at - part->offset, end - at);
    value += bytes;
    at += bytes.size();
  }
  co_return value;
}

Task<void> DynamoDbStore::delete_parts(std::string_view key, std::string_view writer,
                                       std::size_t parts, Wait wait) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < parts; ++i) names.push_back(part_key(key, writer, i));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  co_await table_.delete_keys(keys, wait);
}

Task<WriteResult> DynamoDbStore::create_large(const SessionContext& context, const ItemId& item,
                                              std::string_view key, std::string_view value,
                                              Wait wait) {
  // Whoever finds the value there need not send its own.
  std::optional<std::string> there = co_await read_value(key, wait);
  if (there) co_return WriteResult{WriteResult::Status::already_there, std::move(*there)};
  wait.deadline = std::min(wait.deadline, reactor().now() + kPartsTimeMax);
  const std::string writer = random_hex(reactor(), kWriterBytes);
  const std::size_t parts = co_await write_parts(key, writer, value, wait);
  for (unsigned round = 0; round < kRemovalsMax; ++round) {
    std::optional<Stored> stored =
        co_await create_item(context, item, key, {value, writer, parts}, wait);
    // A request that was repeated finds its own head.
    if (!stored || stored->writer == writer) co_return WriteResult{};
    there = co_await value_of(key, std::move(*stored), true, wait);
    if (!there) continue;  // removed again: the name is free
    co_await delete_parts(key, writer, parts, wait);
    co_return WriteResult{WriteResult::Status::already_there, std::move(*there)};
  }
  throw Error(ErrorKind::conflict, type(), "Unum.ItemChanges",
              "table " + table_.name() + ", item " + std::string(key) +
                  ": others remove and write it again all the time");
}

}  // namespace unum::dynamodb
