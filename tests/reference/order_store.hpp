// A store in front of another one: it tells the scheduler of every call, and in interleavings holds
// each until its turn. It can die at a call, as a process does.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reference/order_scheduler.hpp"
#include "unum/forwarding_store.hpp"
#include "unum/scan_and_claim.hpp"

namespace unum::test {

/// What a store that died throws from then on.
struct ProcessDied {};

class OrderStore final : public ForwardingStore {
 public:
  /// `interleave`: fan-ins go call by call, as in stores that have nothing better, and each call
  /// waits for its turn. Else commits and joins are the inner store's own.
  /// `label` marks its calls in orders.
  OrderStore(Store& inner, bool interleave, std::string label = "")
      : ForwardingStore(inner), interleave_(interleave), label_(std::move(label)) {}

  void begin(Scheduler& scheduler) { scheduler_ = &scheduler; }
  /// From this place of the run's calls and their returns on, all fail: before a call takes effect
  /// or after.
  void die_at(std::size_t place) { dies_at_ = place; }
  /// How many places there were.
  std::size_t places() const noexcept { return places_; }
  /// The instances whose outcome is stored.
  const std::set<std::string>& stored() const noexcept { return stored_; }
  const std::string& label() const noexcept { return label_; }

  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    if (interleave_) co_return co_await write_then_join(*this, context, value, fan_ins, wait);
    const Scheduler::Moving moving(*scheduler_);
    CommitResult result = co_await inner().commit(context, value, fan_ins, wait);
    stored_.insert(context.instance());
    co_return result;
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    if (interleave_) co_return co_await fan_in_.join(context, fan_ins, wait);
    const Scheduler::Moving moving(*scheduler_);
    co_return co_await inner().join(context, fan_ins, wait);
  }

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    co_await turn(context, "get", item);
    const Scheduler::Moving moving(*scheduler_);
    std::optional<std::string> value = co_await inner().get(context, item, wait);
    pass();
    co_return value;
  }
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override {
    co_await turn(context, "create", item);
    const Scheduler::Moving moving(*scheduler_);
    WriteResult result = co_await inner().create(context, item, value, wait);
    if (item.kind == ItemKind::outcome) stored_.insert(item.name);
    pass();
    co_return result;
  }
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override {
    co_await turn(context, "put", item);
    const Scheduler::Moving moving(*scheduler_);
    co_await inner().put(context, item, value, wait);
    pass();
  }
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override {
    const Scheduler::Moving moving(*scheduler_);
    co_await inner().remove(context, items, wait);
  }
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override {
    return Store::collect(context, instances, items, wait);
  }
  Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                 const std::string& instance, Wait wait) override {
    const ItemId beside{instance, ItemKind::garbage};
    co_await turn(context, "get", beside);
    const Scheduler::Moving moving(*scheduler_);
    std::optional<std::string> kept = co_await inner().redelivery_of(context, instance, wait);
    pass();
    co_return kept;
  }
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override {
    const Scheduler::Moving moving(*scheduler_);
    co_return co_await inner().list(context, wait);
  }
  Task<std::vector<std::string>> list_sessions(Wait wait) override {
    const Scheduler::Moving moving(*scheduler_);
    co_return co_await inner().list_sessions(wait);
  }
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override {
    std::vector<std::optional<std::string>> values;
    for (const Pointer& pointer : pointers) {
      const ItemId item{pointer.name(), ItemKind::outcome};
      co_await turn(context, "get", item);
      const Scheduler::Moving moving(*scheduler_);
      values.push_back(co_await inner().get(context, item, wait));
    }
    co_return values;
  }
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override {
    bool exist = true;
    for (const Pointer& pointer : pointers) {
      const ItemId item{pointer.name(), ItemKind::outcome};
      co_await turn(context, "look for", item);
      const Scheduler::Moving moving(*scheduler_);
      exist = co_await check_value_exist(inner(), context, pointer, wait);
      if (!exist) break;
    }
    co_return exist;
  }

 private:
  Task<void> turn(const SessionContext& context, std::string_view call, const ItemId& item) {
    if (!interleave_) co_return;
    Scheduler::Hold hold(*scheduler_, context.instance() + label_,
                         std::string(call) + " " + item_name(item.name, item.kind));
    co_await hold;
    pass();
  }
  void pass() {
    if (places_++ >= dies_at_) throw ProcessDied{};
  }

  const bool interleave_;
  const std::string label_;
  Scheduler* scheduler_ = nullptr;
  std::set<std::string> stored_;
  std::size_t places_ = 0;
  std::size_t dies_at_ = std::numeric_limits<std::size_t>::max();
  ScanAndClaim fan_in_{*this};
};

}  // namespace unum::test
