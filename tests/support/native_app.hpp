// Whole workflows of C++ functions in this process, for tests: IR as JSON text, code as lambdas.
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hosts/local_host.hpp"
#include "support/scratch.hpp"
#include "unum/forwarding_store.hpp"
#include "unum/scan_and_claim.hpp"

namespace unum::test {

using Code = std::function<std::string(const UserCall&)>;

/// A failure of the user's code.
struct CodeFailure {
  std::string error;
  std::string cause;
};

class NativeApp final : public UserCode {
 public:
  void add(std::string_view ir_json, Code code) {
    Function function = Function::parse(ir_json, "test.json");
    codes_[function.name()] = std::move(code);
    functions_.push_back(std::move(function));
  }
  /// A function that gives its input back.
  void add(std::string_view ir_json) {
    add(ir_json, [](const UserCall& call) { return std::string(call.input); });
  }

  bool streams_input() const noexcept override { return streams; }

  Task<UserResult> call(const UserCall& given, Wait wait) override {
    UserCall call = given;
    std::string text;
    while (call.input_stream != nullptr && pieces[std::string(call.instance)] < pieces_max) {
      std::optional<std::string> piece = co_await call.input_stream->next(wait);
      if (!piece) {
        call.input = json::View::trusted(text);
        break;
      }
      ++pieces[std::string(call.instance)];
      text += *piece;
    }
    constexpr int kTurnsLate = 200;
    for (int turn = 0; turn < kTurnsLate && call.instance == late; ++turn) {
      co_await reactor_->yield();
    }
    ++runs[std::string(call.instance)];
    order.emplace_back(call.instance);
    try {
      co_return UserResult::success(codes_.at(std::string(call.function))(call));
    } catch (const CodeFailure& failure) {
      co_return UserResult::failure(failure.error, failure.cause);
    }
  }

  Task<RunResult> run(Reactor& reactor, Store& store, std::string session, std::string input,
                      LocalHostTuning options = {}, Wait wait = {}) {
    reactor_ = &reactor;
    LocalHost host(reactor, store, options);
    for (const Function& function : functions_) host.add(function, *this);
    co_return co_await host.run(session, input, wait);
  }

  std::vector<std::string> function_names() const {
    std::vector<std::string> names;
    for (const Function& function : functions_) names.push_back(function.name());
    return names;
  }
  const Function& function(std::string_view name) const {
    for (const Function& function : functions_) {
      if (function.name() == name) return function;
    }
    throw std::out_of_range("no such function");
  }

  bool streams = false;               ///< Takes inputs as streams,
  std::map<std::string, int> pieces;  ///< of so many pieces, by instance.
  int pieces_max = INT_MAX;           ///< Takes no more of one; its input is null then.
  std::map<std::string, int> runs;    ///< How often user code ran, by instance.
  std::string late;                   ///< The instance whose code takes longer than all others'.
  std::vector<std::string> order;     ///< The instances in the order in which their code ran.

 private:
  Reactor* reactor_ = nullptr;  ///< Of the run under way.
  std::vector<Function> functions_;
  std::map<std::string, Code> codes_;
};

/// What a store that fails throws: a stand-in for the death of the process at this place.
struct StoreDied {};

/// A store that dies at its n-th operation, before or after it took effect, and at all that follow;
/// or that answers none of them any more, until its caller gives up; or that fails with an error.
class FailingStore : public ForwardingStore {
 public:
  enum class How { dies_before_effect, dies_after_effect, falls_silent };
  FailingStore(Store& inner, int operations_before, How how)
      : ForwardingStore(inner), left_(operations_before), how_(how) {}
  FailingStore(Store& inner, int operations_before, Error error)
      : ForwardingStore(inner),
        left_(operations_before),
        how_(How::dies_before_effect),
        error_(std::move(error)) {}
  /// Fails once, and has recovered then.
  FailingStore(Store& inner, int operations_before, How how, Error error)
      : ForwardingStore(inner),
        left_(operations_before),
        how_(how),
        error_(std::move(error)),
        recovers_(true) {}

  bool has_failed() const noexcept { return failed_; }

  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override {
    co_await before(wait);
    auto value = co_await inner().get(context, item, wait);
    after();
    co_return value;
  }
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override {
    co_await before(wait);
    auto value = co_await inner().get_range(context, item, range, wait);
    after();
    co_return value;
  }
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override {
    co_await before(wait);
    auto result = co_await inner().create(context, item, value, wait);
    after();
    co_return result;
  }
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override {
    co_await before(wait);
    co_await inner().put(context, item, value, wait);
    after();
  }
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override {
    co_await before(wait);
    std::vector<std::optional<std::string>> values;
    for (const Pointer& pointer : pointers) {
      const ItemId item{pointer.name(), ItemKind::outcome};
      values.push_back(co_await inner().get(context, item, wait));
    }
    after();
    co_return values;
  }
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override {
    co_await before(wait);
    const bool exist = co_await check_values_exist(inner(), context, pointers, wait);
    after();
    co_return exist;
  }
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override {
    co_await before(wait);
    co_await inner().remove(context, items, wait);
    after();
  }
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override {
    return Store::collect(context, instances, items, wait);
  }
  Task<std::optional<std::string>> redelivery_of(const SessionContext& context,
                                                 const std::string& instance, Wait wait) override {
    return Store::redelivery_of(context, instance, wait);
  }
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override {
    return write_then_join(*this, context, value, fan_ins, wait);
  }
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override {
    return fan_in_.join(context, fan_ins, wait);
  }
  Task<void> close() override { co_return; }

 private:
  Task<void> before(const Wait& wait) {
    if (failed_ && recovers_) co_return;
    if (left_ > 0 || (left_ == 0 && how_ == How::dies_after_effect)) co_return;
    if (how_ != How::falls_silent) die();
    // Not for ever: who never gives up is to fail a test, not to hang it.
    const Deadline end = std::min(wait.deadline, reactor().now() + std::chrono::seconds(30));
    co_await reactor().sleep_until(end, wait.stop);
    throw Error(ErrorKind::cancelled, "test", "Cancelled", "no answer came");
  }
  void after() {
    if (failed_ && recovers_) return;
    if (left_-- <= 0) die();
  }
  [[noreturn]] void die() {
    left_ = -1;
    failed_ = true;
    if (error_) throw *error_;
    throw StoreDied{};
  }

  int left_;
  const How how_;
  const std::optional<Error> error_{};
  const bool recovers_ = false;
  bool failed_ = false;
  ScanAndClaim fan_in_{*this};
};

/// A fresh store of a type ("memory" or "fs", not durable).
struct FreshStore {
  FreshStore(Reactor& reactor, std::string_view type);
  Store& operator*() const noexcept { return *store; }

  std::unique_ptr<Scratch> directory;
  std::unique_ptr<Store> store;
};

}  // namespace unum::test
