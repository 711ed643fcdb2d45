// A store that forwards every call to another: the base of decorators, which override the calls
// they change.
//
// A decorator sees `commit` and `join` as single calls. To see the individual reads and writes of a
// fan-in, it owns a ScanAndClaim over itself and returns `write_then_join(*this, ...)` from
// `commit`.
#pragma once

#include <memory>
#include <utility>

#include "unum/api.hpp"
#include "unum/store.hpp"

namespace unum {

class UNUM_API ForwardingStore : public Store {
 public:
  /// Does not own `inner`, which must outlive this object.
  explicit ForwardingStore(Store& inner) noexcept : inner_(inner) {}
  /// Owns `inner`.
  explicit ForwardingStore(std::unique_ptr<Store> inner) noexcept
      : owned_(std::move(inner)), inner_(*owned_) {}

  std::string_view type() const noexcept override { return inner_.type(); }
  const std::string& name() const noexcept override { return inner_.name(); }
  Reactor& reactor() const noexcept override { return inner_.reactor(); }

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    return inner_.get(context, item, wait);
  }
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override {
    return inner_.get_range(context, item, range, wait);
  }
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override {
    return inner_.create(context, item, value, wait);
  }
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override {
    return inner_.put(context, item, value, wait);
  }
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override {
    return inner_.remove(context, items, wait);
  }
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override {
    return inner_.list(context, wait);
  }
  Task<std::vector<std::string>> list_sessions(Wait wait) override {
    return inner_.list_sessions(wait);
  }
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override {
    return inner_.get_many(context, pointers, wait);
  }
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override {
    return inner_.all_exist(context, pointers, wait);
  }
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return inner_.commit(context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return inner_.join(context, fan_ins, wait);
  }
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override {
    return inner_.collect(context, instances, items, wait);
  }
  Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                 const std::string& instance, Wait wait) override {
    return inner_.redelivery_of(context, instance, wait);
  }
  Task<void> close() override { return inner_.close(); }
  StoreCounters counters() const noexcept override { return inner_.counters(); }
  bool is_held_back() const noexcept override { return inner_.is_held_back(); }

 protected:
  Store& inner() const noexcept { return inner_; }

 private:
  std::unique_ptr<Store> owned_;
  Store& inner_;
};

}  // namespace unum
