// See store_types.hpp. A new store is a line in kTypes.
#include "base/store_types.hpp"

#include <algorithm>
#include <array>

#include "unum/assert.hpp"

namespace unum {
namespace {

// In the order of StoreType.
constexpr std::array<StoreTypeInfo, 5> kTypes = {{
    {StoreType::fs, "fs", "efs", "", false},
    {StoreType::memory, "memory", "", "", false},
    {StoreType::redis, "redis", "elasticache", "the server, such as localhost:6379", true},
    {StoreType::dynamodb, "dynamodb", "", "the table", false},
    {StoreType::s3, "s3", "", "the bucket, or bucket/prefix", false},
}};

constexpr std::size_t count_words() {
  std::size_t count = 0;
  for (const StoreTypeInfo& info : kTypes) count += info.alias.empty() ? 1 : 2;
  return count;
}

constexpr auto kWords = [] {
  std::array<std::string_view, count_words()> words{};
  std::size_t next = 0;
  for (const StoreTypeInfo& info : kTypes) {
    words[next++] = info.word;
    if (!info.alias.empty()) words[next++] = info.alias;
  }
  return words;
}();

// Services that pass messages on: what was sent cannot be read again by its name.
constexpr std::array<std::string_view, 20> kQueues = {
    "sqs",  "sns",    "kafka",    "msk",        "pubsub",    "eventbridge", "events",
    "mq",   "amqp",   "rabbitmq", "activemq",   "kinesis",   "firehose",    "nats",
    "mqtt", "zeromq", "pulsar",   "servicebus", "eventhubs", "redisstreams"};

}  // namespace

const StoreTypeInfo* find_store_type(std::string_view word) noexcept {
  if (word.empty()) return nullptr;
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](const StoreTypeInfo& info) {
    return word == info.word || word == info.alias;
  });
  return found == kTypes.end() ? nullptr : &*found;
}

const StoreTypeInfo& store_type_info(StoreType type) noexcept {
  const StoreTypeInfo& info = kTypes[static_cast<std::size_t>(type)];
  UNUM_ASSERT(info.type == type);
  return info;
}

std::string_view to_string(StoreType type) noexcept { return store_type_info(type).word; }

std::span<const std::string_view> store_type_words() noexcept { return kWords; }

std::optional<std::string> queue_refusal(std::string_view word) {
  std::string plain;
  for (const char c : word) {
    if (c == '-' || c == '_' || c == '/' || c == ' ') continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (std::find(kQueues.begin(), kQueues.end(), plain) == kQueues.end()) return std::nullopt;
  return "a queue or publish/subscribe service cannot be the data store, because a data store must "
         "be able to read and write single items by name. Use fs, redis, dynamodb or s3";
}

}  // namespace unum
