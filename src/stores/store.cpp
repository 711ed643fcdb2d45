// The five calls of the data-store document, made of a store's own few.
#include "unum/store.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/limits.hpp"
#include "reactor/random_text.hpp"
#include "stores/store_checks.hpp"
#include "unum/task_group.hpp"

namespace unum {
namespace {

// Values that a streamed read holds at once: enough to keep a network busy.
constexpr std::size_t kStreamedAtOnce = 64;
constexpr std::size_t kTombstonesAtOnce = 64;

[[noreturn]] void throw_missing(const SessionContext& context,
                                const std::vector<std::string_view>& missing, std::size_t asked) {
  std::string message = std::to_string(missing.size()) + " of " + std::to_string(asked) +
                        " inputs are missing in session " + context.session() + ": ";
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (i > 0) message += ", ";
    message += missing[i];
  }
  throw Error(ErrorKind::not_found, "stores", "Unum.MissingInput", std::move(message));
}

}  // namespace

SessionContext create_session_context(Store& store) {
  return SessionContext(random_uuid(store.reactor()), {});
}

SessionContext session_context(std::string_view session) {
  if (session.empty()) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidSession",
                "a session's id must not be empty");
  }
  if (session.size() > kSessionBytesMax) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidSession",
                "a session's id has " + std::to_string(session.size()) + " bytes; at most " +
                    std::to_string(kSessionBytesMax) + " are possible");
  }
  return SessionContext(std::string(session), {});
}

Pointer pointer(const SessionContext&, std::string_view instance) {
  check_name(instance, "a pointer");
  return Pointer(std::string(instance));
}

Task<WriteResult> write_return_value(Store& store, const SessionContext& context,
                                     std::string_view value, Wait wait) {
  check_bound(store.type(), context);
  const ItemId item{context.instance(), ItemKind::outcome};
  co_return co_await store.create(context, item, value, wait);
}

Task<void> put_tombstones(Store& store, const SessionContext& context,
                          std::span<const std::string> instances, Wait wait) {
  const auto bury = [&](std::size_t i) -> Task<void> {
    const ItemId outcome{instances[i], ItemKind::outcome};
    co_await store.put(context, outcome, kTombstone, wait);
  };
  co_await for_each_bounded(instances.size(), kTombstonesAtOnce, bury);
}

Task<void> Store::collect(const SessionContext& context, std::span<const std::string> instances,
                          std::span<const ItemId> items, Wait wait) {
  co_await put_tombstones(*this, context, instances, wait);
  std::vector<ItemId> removed(items.begin(), items.end());
  for (const std::string& instance : instances) removed.push_back({instance, ItemKind::garbage});
  if (!removed.empty()) co_await remove(context, removed, wait);
}

Task<std::optional<std::string>> Store::redelivery_of(const SessionContext& context,
                                                      const std::string& instance, Wait wait) {
  const ItemId item{instance, ItemKind::garbage};
  co_return co_await get(context, item, wait);
}

Task<std::vector<std::string>> read_input(Store& store, const SessionContext& context,
                                          std::span<const Pointer> pointers, Wait wait) {
  std::vector<std::optional<std::string>> found = co_await store.get_many(context, pointers, wait);
  std::vector<std::string> values;
  std::vector<std::string_view> missing;
  values.reserve(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i]) {
      values.push_back(std::move(*found[i]));
    } else {
      missing.push_back(pointers[i].name());
    }
  }
  if (!missing.empty()) throw_missing(context, missing, pointers.size());
  co_return values;
}

Task<void> read_input_stream(Store& store, const SessionContext& context,
                             std::span<const Pointer> pointers,
                             std::function<void(std::size_t, std::string)> consume, Wait wait) {
  std::vector<std::string_view> missing;
  for (std::size_t begin = 0; begin < pointers.size(); begin += kStreamedAtOnce) {
    const auto part = pointers.subspan(begin, std::min(kStreamedAtOnce, pointers.size() - begin));
    std::vector<std::optional<std::string>> found = co_await store.get_many(context, part, wait);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i]) {
        missing.push_back(part[i].name());
      } else if (missing.empty()) {
        consume(begin + i, std::move(*found[i]));
        found[i].reset();
      }
    }
  }
  if (!missing.empty()) throw_missing(context, missing, pointers.size());
}

Task<bool> check_value_exist(Store& store, const SessionContext& context, const Pointer& pointer,
                             Wait wait) {
  return store.all_exist(context, std::span(&pointer, 1), wait);
}

Task<bool> check_values_exist(Store& store, const SessionContext& context,
                              std::span<const Pointer> pointers, Wait wait) {
  return store.all_exist(context, pointers, wait);
}

}  // namespace unum
