// Which data stores there are, and how one is opened or made by its type and name.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/log.hpp"
#include "base/store_types.hpp"
#include "base/suggest.hpp"
#include "reactor/redis/address.hpp"
#include "stores/dynamodb/dynamodb_store.hpp"
#include "stores/fs/fs_store.hpp"
#include "stores/memory/memory_store.hpp"
#include "stores/redis/redis_store.hpp"
#include "stores/s3/s3_store.hpp"
#include "unum/store.hpp"

namespace unum {
namespace {

using StorePtr = std::unique_ptr<Store>;

/// How a type's stores are opened and made.
struct Makers {
  StoreType type;
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

constexpr std::array<Makers, 5> kMakers = {{
    {StoreType::fs, &open_fs, &create_fs},
    {StoreType::memory, &open_memory, &create_memory},
    {StoreType::redis, &redis::open_redis_store, &redis::create_redis_store},
    {StoreType::dynamodb, &dynamodb::open_dynamodb_store, &dynamodb::create_dynamodb_store},
    {StoreType::s3, &s3::open_s3_store, &s3::create_s3_store},
}};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

/// The name of a store of a type that is none may be a server's.
bool is_never_secret(std::string_view given) {
  const StoreTypeInfo* const type = find_store_type(lower(given));
  return type != nullptr && !type->may_hold_secret;
}

/// Throws `invalid` for what is no type of store.
const StoreTypeInfo& find_type(std::string_view given) {
  if (const StoreTypeInfo* const type = find_store_type(lower(given))) return *type;
  if (const auto refusal = queue_refusal(given)) {
    throw Error(ErrorKind::invalid, "stores", "Unum.NotADataStore",
                "there is no data store of type \"" + std::string(given) + "\": " + *refusal);
  }
  throw Error(ErrorKind::invalid, "stores", "Unum.UnknownStoreType",
              "there is no data store of type \"" + std::string(given) + "\"" +
                  did_you_mean(given, store_type_words()) +
                  "; there are fs, redis, dynamodb, s3 and memory");
}

const Makers& makers_of(StoreType type) {
  return *std::find_if(kMakers.begin(), kMakers.end(),
                       [&](const Makers& makers) { return makers.type == type; });
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

Task<StorePtr> open_named(Reactor& reactor, const StoreTypeInfo& type, std::string name,
                          StoreOptions options, Wait wait) {
  log::info(LogArea::store, "opens {}", shown_store(type.word, name));
  try {
    StorePtr opened = co_await makers_of(type.type).open(reactor, name, options, wait);
    co_return checked(std::move(opened));
  } catch (const Error& error) {
    throw_about(error, type.word, name);
  }
}

Task<bool> create_named(Reactor& reactor, const StoreTypeInfo& type, std::string name, Wait wait) {
  try {
    co_return co_await makers_of(type.type).create(reactor, name, wait);
  } catch (const Error& error) {
    throw_about(error, type.word, name);
  }
}

}  // namespace

Task<std::unique_ptr<Store>> open_store(Reactor& reactor, std::string_view type,
                                        std::string_view name, const StoreOptions& options,
                                        Wait wait) {
  const StoreTypeInfo& found = find_type(type);
  check_name(found.word, name);
  return open_named(reactor, found, std::string(name), options, wait);
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
  const StoreTypeInfo& found = find_type(type);
  check_name(found.word, name);
  return create_named(reactor, found, std::string(name), wait);
}

}  // namespace unum
