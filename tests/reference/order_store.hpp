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
#include "unum/data_store.hpp"

namespace unum::test {

/// What a store that died throws from then on.
struct ProcessDied {};

class OrderStore final : public DataStore {
 public:
  /// `interleave`: fan-ins go call by call, as in stores that have nothing better, and each call
  /// waits for its turn. Else commits and joins are the inner store's own.
  /// `label` marks its calls in orders.
  OrderStore(Reactor& reactor, DataStore& inner, bool interleave, std::string label = "")
      : DataStore(reactor), inner_(inner), interleave_(interleave), label_(std::move(label)) {}

  void begin(Scheduler& scheduler) { scheduler_ = &scheduler; }
  /// From this place of the run's calls and their returns on, all fail: before a call takes effect
  /// or after.
  void die_at(std::size_t place) { dies_at_ = place; }
  /// How many places there were.
  std::size_t places() const noexcept { return places_; }
  /// The instances whose outcome is stored.
  const std::set<std::string>& stored() const noexcept { return stored_; }
  const std::string& label() const noexcept { return label_; }

  std::string_view type() const noexcept override { return inner_.type(); }
  const std::string& name() const noexcept override { return inner_.name(); }
  StoreCounters counters() const noexcept override { return inner_.counters(); }

  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    if (interleave_) co_return co_await DataStore::commit(context, value, fan_ins, wait);
    const Scheduler::Moving moving(*scheduler_);
    CommitResult result = co_await inner_.commit(context, value, fan_ins, wait);
    stored_.insert(context.instance());
    co_return result;
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    if (interleave_) co_return co_await DataStore::join(context, fan_ins, wait);
    const Scheduler::Moving moving(*scheduler_);
    co_return co_await inner_.join(context, fan_ins, wait);
  }

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    co_await turn(context, "get", item);
    const Scheduler::Moving moving(*scheduler_);
    std::optional<std::string> value = co_await inner_.get(context, item, wait);
    pass();
    co_return value;
  }
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override {
    co_await turn(context, "create", item);
    const Scheduler::Moving moving(*scheduler_);
    WriteResult result = co_await inner_.create(context, item, value, wait);
    if (item.kind == ItemKind::outcome) stored_.insert(item.name);
    pass();
    co_return result;
  }
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override {
    co_await turn(context, "put", item);
    const Scheduler::Moving moving(*scheduler_);
    co_await inner_.put(context, item, value, wait);
    pass();
  }
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override {
    const Scheduler::Moving moving(*scheduler_);
    co_await inner_.remove(context, items, wait);
  }
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override {
    const Scheduler::Moving moving(*scheduler_);
    co_return co_await inner_.list(context, wait);
  }
  Task<std::vector<std::string>> list_sessions(Wait wait) override {
    const Scheduler::Moving moving(*scheduler_);
    co_return co_await inner_.list_sessions(wait);
  }
  Task<void> close() override { co_return; }

 protected:
  Task<std::vector<std::optional<std::string>>> get_outcomes(const SessionContext& context,
                                                             std::span<const Pointer> pointers,
                                                             Wait wait) override {
    std::vector<std::optional<std::string>> values;
    for (const Pointer& pointer : pointers) {
      const ItemId item{pointer.name(), ItemKind::outcome};
      co_await turn(context, "get", item);
      const Scheduler::Moving moving(*scheduler_);
      values.push_back(co_await inner_.get(context, item, wait));
    }
    co_return values;
  }
  Task<bool> outcomes_exist(const SessionContext& context, std::span<const Pointer> pointers,
                            Wait wait) override {
    bool exist = true;
    for (const Pointer& pointer : pointers) {
      const ItemId item{pointer.name(), ItemKind::outcome};
      co_await turn(context, "look for", item);
      const Scheduler::Moving moving(*scheduler_);
      exist = co_await inner_.check_value_exist(context, pointer, wait);
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

  DataStore& inner_;
  const bool interleave_;
  const std::string label_;
  Scheduler* scheduler_ = nullptr;
  std::set<std::string> stored_;
  std::size_t places_ = 0;
  std::size_t dies_at_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace unum::test
