// Which data stores there are, and how one is opened or made by its type and name.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/log.hpp"
#include "base/suggest.hpp"
#include "reactor/redis/address.hpp"
#include "stores/dynamodb/dynamodb_store.hpp"
#include "stores/fs/fs_store.hpp"
#include "stores/memory/memory_store.hpp"
#include "stores/redis/redis_store.hpp"
#include "stores/s3/s3_store.hpp"
#include "unum/data_store.hpp"

namespace unum {
namespace {

using StorePtr = std::unique_ptr<DataStore>;

/// A type of store.
struct StoreType {
  std::string_view type;
  Task<StorePtr> (*open)(Reactor&, std::string_view name, const StoreOptions&, Wait);
  Task<bool> (*create)(Reactor&, std::string_view name, Wait);
};

// The local stores wait for nobody.
Task<StorePtr> open_fs(Reactor& reactor, std::string_view name, const StoreOptions& options, Wait) {
  return fs::open_fs_store(reactor, name, options);
}

Task<bool> create_fs(Reactor& reactor, std::string_view name, Wait) {
  return fs::create_fs_store(reactor, name);
}

Task<StorePtr> open_memory(Reactor& reactor, std::string_view name, const StoreOptions&, Wait) {
  co_return memory::open_memory_store(reactor, name);
}

Task<bool> create_memory(Reactor&, std::string_view name, Wait) {
  co_return memory::create_memory_store(name);
}

constexpr std::array<StoreType, 5> kStoreTypes = {{
    {"fs", &open_fs, &create_fs},
    {"memory", &open_memory, &create_memory},
    {"redis", &redis::open_redis_store, &redis::create_redis_store},
    {"dynamodb", &dynamodb::open_dynamodb_store, &dynamodb::create_dynamodb_store},
    {"s3", &s3::open_s3_store, &s3::create_s3_store},
}};

struct Alias {
  std::string_view alias;
  std::string_view type;
};
constexpr std::array<Alias, 2> kAliases = {{{"efs", "fs"}, {"elasticache", "redis"}}};

// Services that pass messages on: what was sent cannot be read again by its name.
constexpr std::array<std::string_view, 20> kQueues = {
    "sqs",    "sns",  "kafka",  "msk",      "pubsub",     "pub/sub",      "eventbridge",
    "events", "mq",   "amqp",   "rabbitmq", "activemq",   "kinesis",      "firehose",
    "nats",   "mqtt", "zeromq", "pulsar",   "servicebus", "redis-streams"};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

/// The type's own name, for an alias of it and any case.
std::string plain_type(std::string_view given) {
  std::string type = lower(given);
  for (const Alias& alias : kAliases) {
    if (type == alias.alias) type = alias.type;
  }
  return type;
}

/// Names of these types hold no secret; those of a type that is none may be a server's.
bool is_never_secret(std::string_view given) {
  static constexpr std::array<std::string_view, 4> kPlain = {"fs", "memory", "dynamodb", "s3"};
  return std::find(kPlain.begin(), kPlain.end(), plain_type(given)) != kPlain.end();
}

/// The store's entry in the table; throws `invalid` for what is none.
const StoreType& find_type(std::string_view given) {
  const std::string type = plain_type(given);
  for (const StoreType& store : kStoreTypes) {
    if (store.type == type) return store;
  }
  if (std::find(kQueues.begin(), kQueues.end(), type) != kQueues.end()) {
    throw Error(ErrorKind::invalid, "stores", "Unum.NotADataStore",
                "\"" + std::string(given) +
                    "\" cannot be a data store: it passes messages on, and a data store must be "
                    "able to read "
                    "and write single items by name; use fs, redis, dynamodb or s3");
  }
  static constexpr std::array<std::string_view, 7> kKnown = {
      "fs", "memory", "redis", "dynamodb", "s3", "efs", "elasticache"};
  throw Error(ErrorKind::invalid, "stores", "Unum.UnknownStoreType",
              "there is no data store of type \"" + std::string(given) + "\"" +
                  did_you_mean(given, kKnown) + "; there are fs, redis, dynamodb, s3 and memory");
}

void check_name(std::string_view type, std::string_view name) {
  if (name.empty()) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidStoreName",
                "a data store of type \"" + std::string(type) +
                    "\" needs a name: " + std::string(type) + ":NAME");
  }
  if (name.find('\0') != std::string_view::npos) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidStoreName",
                "the name of a data store must not hold a NUL byte");
  }
}

/// Settings and credentials are those of all stores of a service: errors about them do not know
/// which one is being opened.
[[noreturn]] void throw_about(const Error& error, std::string_view type, const std::string& name) {
  if (error.origin() != "aws") throw error;
  throw Error(
      error.kind(), error.origin(), error.code(),
      "the data store " + shown_store(type, name) + " cannot be opened: " + error.message());
}

Task<StorePtr> open_named(Reactor& reactor, const StoreType& store, std::string name,
                          StoreOptions options, Wait wait) {
  log::info(LogArea::store, "opens {}", shown_store(store.type, name));
  try {
    co_return co_await store.open(reactor, name, options, wait);
  } catch (const Error& error) {
    throw_about(error, store.type, name);
  }
}

Task<bool> create_named(Reactor& reactor, const StoreType& store, std::string name, Wait wait) {
  try {
    co_return co_await store.create(reactor, name, wait);
  } catch (const Error& error) {
    throw_about(error, store.type, name);
  }
}

}  // namespace

Task<std::unique_ptr<DataStore>> open_store(Reactor& reactor, std::string_view type,
                                            std::string_view name, const StoreOptions& options,
                                            Wait wait) {
  const StoreType& store = find_type(type);
  check_name(store.type, name);
  return open_named(reactor, store, std::string(name), options, wait);
}

std::string shown_store(std::string_view type, std::string_view name) {
  return std::string(type) + ":" +
         (is_never_secret(type) ? std::string(name) : redis::without_secret(name));
}

std::string store_without_secret(std::string_view type, std::string_view name) {
  const bool has_one = !is_never_secret(type) && redis::without_secret(name) != name;
  return std::string(type) + ":" + (has_one ? redis::without_password(name) : std::string(name));
}

Task<bool> create_store(Reactor& reactor, std::string_view type, std::string_view name, Wait wait) {
  const StoreType& store = find_type(type);
  check_name(store.type, name);
  return create_named(reactor, store, std::string(name), wait);
}

}  // namespace unum
