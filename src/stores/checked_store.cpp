// The checks that every call of every store begins with.
#include <exception>
#include <utility>

#include "base/limits.hpp"
#include "stores/store_checks.hpp"
#include "unum/forwarding_store.hpp"

namespace unum {

void check_name(std::string_view name, std::string_view what) {
  if (name.empty()) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidName",
                std::string(what) + " has an empty name");
  }
  if (name.size() > kItemNameBytesMax) {
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidName",
                std::string(what) + " has a name of " + std::to_string(name.size()) +
                    " bytes; at most " + std::to_string(kItemNameBytesMax) + " are possible");
  }
}

void check_bound(std::string_view origin, const SessionContext& context) {
  if (!context.instance().empty()) return;
  throw Error(
      ErrorKind::bug, origin, "Unum.UnboundContext",
      "a return value is written under the instance that its context is bound to; this one is "
      "bound to none");
}

void check_wait(const Store& store, std::string_view doing, const Wait& wait) {
  if (wait.stop.stop_requested()) {
    throw Error(ErrorKind::cancelled, store.type(), "ECANCELED",
                std::string(doing) + " was given up: " + std::string(wait.stop.reason()));
  }
  if (wait.deadline != kNoDeadline && wait.deadline <= store.reactor().now()) {
    throw Error(ErrorKind::timeout, store.type(), "ETIME",
                std::string(doing) + " on the " + std::string(store.type()) + " store " +
                    store.name() + ": the deadline has passed");
  }
}

namespace {

/// What a call becomes that is refused. The only calls that cost a frame.
template <class T>
Task<T> refused(Task<T>* /*kind*/, std::exception_ptr error) {
  std::rethrow_exception(error);
  if constexpr (std::is_void_v<T>) {
    co_return;
  } else {
    co_return T();
  }
}

/// The inner store's own task if the checks pass, so that they cost no frame; else one that throws
/// what they threw, since callers expect errors where they await.
template <class Checks, class Call>
auto behind(const Checks& checks, const Call& call) -> decltype(call()) {
  try {
    checks();
  } catch (const Error&) {
    return refused(static_cast<decltype(call())*>(nullptr), std::current_exception());
  }
  return call();
}

class CheckedStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    return behind([&] { begin("get", item, wait); },
                  [&] { return inner().get(context, item, wait); });
  }
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override {
    const auto checks = [&] {
      begin("get_range", item, wait);
      check_range(item, range);
    };
    return behind(checks, [&] { return inner().get_range(context, item, range, wait); });
  }
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override {
    return behind([&] { begin_write("create", item, value, wait); },
                  [&] { return inner().create(context, item, value, wait); });
  }
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override {
    return behind([&] { begin_write("put", item, value, wait); },
                  [&] { return inner().put(context, item, value, wait); });
  }
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override {
    const auto checks = [&] {
      begin("remove", wait);
      for (const ItemId& item : items) check_name(item.name, "remove");
    };
    return behind(checks, [&] { return inner().remove(context, items, wait); });
  }
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override {
    return behind([&] { begin("list", wait); }, [&] { return inner().list(context, wait); });
  }
  Task<std::vector<std::string>> list_sessions(Wait wait) override {
    return behind([&] { begin("list_sessions", wait); },
                  [&] { return inner().list_sessions(wait); });
  }
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override {
    return behind([&] { begin("get_many", wait); },
                  [&] { return inner().get_many(context, pointers, wait); });
  }
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override {
    return behind([&] { begin("all_exist", wait); },
                  [&] { return inner().all_exist(context, pointers, wait); });
  }
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    const auto checks = [&] {
      begin("commit", wait);
      check_bound(type(), context);
      check_name(context.instance(), "commit");
      check_value(context.instance(), ItemKind::outcome, value);
      check_aggregators("commit", fan_ins);
    };
    return behind(checks, [&] { return inner().commit(context, value, fan_ins, wait); });
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    const auto checks = [&] {
      begin("join", wait);
      check_aggregators("join", fan_ins);
    };
    return behind(checks, [&] { return inner().join(context, fan_ins, wait); });
  }
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override {
    const auto checks = [&] {
      begin("collect", wait);
      for (const std::string& instance : instances) check_name(instance, "collect");
      for (const ItemId& item : items) check_name(item.name, "collect");
    };
    return behind(checks, [&] { return inner().collect(context, instances, items, wait); });
  }
  Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                 const std::string& instance, Wait wait) override {
    const auto checks = [&] {
      begin("redelivery_of", wait);
      check_name(instance, "redelivery_of");
    };
    return behind(checks, [&] { return inner().redelivery_of(context, instance, wait); });
  }
  Task<void> close() override {
    if (std::exchange(closed_, true)) return nothing();
    return inner().close();
  }

 private:
  void begin(std::string_view what, const Wait& wait) const {
    if (closed_) {
      throw Error(ErrorKind::bug, type(), "Unum.StoreClosed",
                  std::string(what) + " on the " + std::string(type()) + " store " + name() +
                      ", which was closed");
    }
    check_wait(*this, what, wait);
  }
  void begin(std::string_view what, const ItemId& item, const Wait& wait) const {
    begin(what, wait);
    check_name(item.name, what);
  }
  void begin_write(std::string_view what, const ItemId& item, std::string_view value,
                   const Wait& wait) const {
    begin(what, item, wait);
    check_value(item.name, item.kind, value);
  }
  void check_value(std::string_view item, ItemKind kind, std::string_view value) const {
    if (value.size() <= kValueBytesMax) return;
    throw Error(ErrorKind::exhausted, "stores", "Unum.ValueTooLarge",
                "the value of " + item_name(item, kind) + " has " + std::to_string(value.size()) +
                    " bytes; at most " + std::to_string(kValueBytesMax) + " are possible");
  }
  void check_range(const ItemId& item, ByteRange range) const {
    if (range.bytes <= kValueBytesMax && range.offset <= kRangeEndMax - range.bytes) return;
    throw Error(ErrorKind::invalid, "stores", "Unum.InvalidRange",
                std::to_string(range.bytes) + " bytes at " + std::to_string(range.offset) + " of " +
                    item_name(item.name, item.kind) + " are no part of a value: at most " +
                    std::to_string(kValueBytesMax) + " bytes can be asked for");
  }
  void check_aggregators(std::string_view what, std::span<const FanIn> fan_ins) const {
    for (const FanIn& fan_in : fan_ins) check_name(fan_in.aggregator, what);
  }
  static Task<void> nothing() { co_return; }

  bool closed_ = false;
};

}  // namespace

std::unique_ptr<Store> checked(std::unique_ptr<Store> store) {
  return std::make_unique<CheckedStore>(std::move(store));
}

}  // namespace unum
