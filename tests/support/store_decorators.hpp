// Stores in front of another one, for tests. Each does one thing to the calls that production makes
// and passes them on; they stack in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unum/forwarding_store.hpp"
#include "unum/scan_and_claim.hpp"

namespace unum::test {

/// Tells a decorator of each call before it is made and after it took effect.
class InterposedStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    return around(named("get", item), inner().get(context, item, wait), wait);
  }
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override {
    return around(named("get_range", item), inner().get_range(context, item, range, wait), wait);
  }
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override {
    return around(named("create", item), inner().create(context, item, value, wait), wait);
  }
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override {
    return around(named("put", item), inner().put(context, item, value, wait), wait);
  }
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override {
    return around("remove", inner().remove(context, items, wait), wait);
  }
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override {
    return around("list", inner().list(context, wait), wait);
  }
  Task<std::vector<std::string>> list_sessions(Wait wait) override {
    return around("list_sessions", inner().list_sessions(wait), wait);
  }
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override {
    return around("get_many", inner().get_many(context, pointers, wait), wait);
  }
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override {
    return around("all_exist", inner().all_exist(context, pointers, wait), wait);
  }
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return around("commit", inner().commit(context, value, fan_ins, wait), wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return around("join", inner().join(context, fan_ins, wait), wait);
  }
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override {
    return around("collect", inner().collect(context, instances, items, wait), wait);
  }
  Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                 const std::string& instance, Wait wait) override {
    return around("redelivery_of", inner().redelivery_of(context, instance, wait), wait);
  }

 protected:
  /// `call` is "get F-output", "join", ... May wait, or throw in the call's place.
  virtual Task<void> before(std::string_view call, Wait wait) = 0;
  /// The same when the call took effect and before its caller hears of it.
  virtual void after(std::string_view call) = 0;

 private:
  static std::string named(std::string_view call, const ItemId& item) {
    return std::string(call) + " " + item_name(item.name, item.kind);
  }
  template <class T>
  Task<T> around(std::string call, Task<T> made, Wait wait) {
    co_await before(call, wait);
    if constexpr (std::is_void_v<T>) {
      co_await std::move(made);
      after(call);
    } else {
      T result = co_await std::move(made);
      after(call);
      co_return result;
    }
  }
};

/// Fails one call with an error, before it takes effect or after.
class FaultyStore final : public InterposedStore {
 public:
  enum class When : std::uint8_t { before_effect, after_effect };
  template <class Inner>
  FaultyStore(Inner&& inner, std::size_t nth, When when, Error error)
      : InterposedStore(std::forward<Inner>(inner)),
        nth_(nth),
        when_(when),
        error_(std::move(error)) {}

  /// Whether there was an n-th call.
  bool failed() const noexcept { return failed_; }

 protected:
  Task<void> before(std::string_view, Wait) override {
    if (when_ == When::before_effect) count();
    co_return;
  }
  void after(std::string_view) override {
    if (when_ == When::after_effect) count();
  }

 private:
  void count() {
    if (calls_++ != nth_) return;
    failed_ = true;
    throw error_;
  }

  const std::size_t nth_;
  const When when_;
  const Error error_;
  std::size_t calls_ = 0;
  bool failed_ = false;
};

/// Each call waits for none to three turns of the reactor, as a seed says, so that calls that came
/// together reach the store in another order.
class DelayedStore final : public InterposedStore {
 public:
  template <class Inner>
  DelayedStore(Inner&& inner, std::uint32_t seed)
      : InterposedStore(std::forward<Inner>(inner)), random_(seed) {}

 protected:
  Task<void> before(std::string_view call, Wait wait) override {
    for (auto turns = random_() % 4; turns > 0; --turns) co_await reactor().yield();
    check_wait(*this, call, wait);
  }
  void after(std::string_view) override {}

 private:
  std::mt19937 random_;
};

/// Each call in a line, when it began and when it had taken effect: "> get F-output".
class TracedStore final : public InterposedStore {
 public:
  using InterposedStore::InterposedStore;
  const std::vector<std::string>& lines() const noexcept { return lines_; }

 protected:
  Task<void> before(std::string_view call, Wait) override {
    lines_.push_back("> " + std::string(call));
    co_return;
  }
  void after(std::string_view call) override { lines_.push_back("< " + std::string(call)); }

 private:
  std::vector<std::string> lines_;
};

/// How often each kind of call was made, by its first word.
class CountingStore final : public InterposedStore {
 public:
  using InterposedStore::InterposedStore;
  std::size_t count(std::string_view call) const {
    const auto found = counts_.find(call);
    return found == counts_.end() ? 0 : found->second;
  }

 protected:
  Task<void> before(std::string_view call, Wait) override {
    ++counts_[std::string(call.substr(0, call.find(' ')))];
    co_return;
  }
  void after(std::string_view) override {}

 private:
  std::map<std::string, std::size_t, std::less<>> counts_;
};

/// The first reads of an item say that it is absent, as a replica does that has not heard of it
/// yet. `applies("get" or "get_many", kind)` says which reads. Existence checks stay strong: the
/// contract demands that.
class StaleReadStore final : public ForwardingStore {
 public:
  using Applies = std::function<bool(std::string_view, ItemKind)>;
  template <class Inner>
  StaleReadStore(Inner&& inner, std::size_t reads, Applies applies)
      : ForwardingStore(std::forward<Inner>(inner)), reads_(reads), applies_(std::move(applies)) {}

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    std::optional<std::string> value = co_await inner().get(context, item, wait);
    if (value && is_stale("get", context, item)) value.reset();
    co_return value;
  }
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override {
    auto values = co_await inner().get_many(context, pointers, wait);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const ItemId item{pointers[i].name(), ItemKind::outcome};
      if (values[i] && is_stale("get_many", context, item)) values[i].reset();
    }
    co_return values;
  }

 private:
  bool is_stale(std::string_view call, const SessionContext& context, const ItemId& item) {
    if (!applies_(call, item.kind)) return false;
    return seen_[context.session() + "/" + item_name(item.name, item.kind)]++ < reads_;
  }

  const std::size_t reads_;
  const Applies applies_;
  std::map<std::string, std::size_t> seen_;
};

/// Checkpoints and fan-ins go call by call, as in a store that has no way of its own for them, so
/// that the decorators behind this one meet each of their calls.
class SteppingStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override {
    fan_in_.forget();
    return inner().remove(context, items, wait);
  }
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return write_then_join(*this, context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return fan_in_.join(context, fan_ins, wait);
  }

 private:
  ScanAndClaim fan_in_{*this};
};

}  // namespace unum::test
