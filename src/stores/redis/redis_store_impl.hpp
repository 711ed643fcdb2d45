// The Redis store's class: redis_store.cpp reads and writes, redis_fan_in.cpp commits and joins,
// redis_parts.cpp writes long values, redis_open.cpp opens.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "reactor/redis/client.hpp"
#include "stores/redis/scripts.hpp"
#include "unum/scan_and_claim.hpp"
#include "unum/store.hpp"

namespace unum::redis {

class RedisStore final : public Store {
 public:
  RedisStore(Reactor& reactor, std::string_view name, std::vector<Address> addresses,
             const StoreOptions& options, Expiry expiry);

  /// Connects, checks, learns the scripts' names.
  Task<void> open(const StoreOptions& options, Wait wait);

  std::string_view type() const noexcept override { return "redis"; }
  const std::string& name() const noexcept override { return name_; }
  Reactor& reactor() const noexcept override { return reactor_; }
  StoreCounters counters() const noexcept override;
  bool is_held_back() const noexcept override { return false; }

  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override;
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait) override;
  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override;
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override;
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override;
  Task<void> put(const SessionContext& context, const ItemId& item, std::string_view value,
                 Wait wait) override;
  Task<void> remove(const SessionContext& context, std::span<const ItemId> items,
                    Wait wait) override;
  Task<std::vector<ListedItem>> list(const SessionContext& context, Wait wait) override;
  Task<std::vector<std::string>> list_sessions(Wait wait) override;
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override;
  Task<bool> all_exist(const SessionContext& context, std::span<const Pointer> pointers,
                       Wait wait) override;
  Task<void> collect(const SessionContext& context, std::span<const std::string> instances,
                     std::span<const ItemId> items, Wait wait) override;
  Task<void> close() override;

 private:
  /// A longer value goes in parts of this size.
  static constexpr std::size_t kPartBytes = 256u * 1024;

  /// A script's arguments: views, and the texts made for them.
  struct Arguments {
    std::vector<std::string_view> keys;
    std::vector<std::string_view> values;
    std::deque<std::string> texts;  // its elements stay where they are

    void key(std::string text) { keys.push_back(texts.emplace_back(std::move(text))); }
    void value(std::string text) { values.push_back(texts.emplace_back(std::move(text))); }
    void view(std::string_view text) { values.push_back(text); }
  };
  struct FanInCheck;

  Task<Reply> run(const Script& script, const Arguments& arguments, const SessionContext& context,
                  std::string_view doing, Wait wait);
  Task<std::vector<Reply>> get_now(std::span<const std::string_view> command,
                                   const SessionContext& context, Wait wait);
  Task<std::vector<Reply>> get_eventually(std::span<const std::string_view> command,
                                          const SessionContext& context, Wait wait);
  Task<Reply> call(std::span<const std::string_view> command, const SessionContext& context,
                   Wait wait);
  Task<WriteResult> write_once(const SessionContext& context, const ItemId& item,
                               std::string_view value, std::vector<FanInCheck>& checks,
                               std::vector<FanInState>& states, Wait wait);
  Task<WriteResult> what_stands(const SessionContext& context, const ItemId& item,
                                std::string_view value, std::vector<FanInCheck>& checks,
                                std::vector<FanInState>& states, Wait wait);
  Task<void> write_parts(std::string_view key, const SessionContext& context, std::string_view name,
                         std::string_view value, Wait wait);
  Task<Reply> run_with_parts(const Script& script, Arguments& arguments,
                             const SessionContext& context, std::string_view name,
                             std::string_view value, Wait wait);
  Task<void> discard(std::string_view key);
  [[noreturn]] void throw_parts_vanish(const SessionContext& context, std::string_view name) const;
  std::vector<FanInCheck> begin_checks(const SessionContext& context,
                                       std::span<const FanIn> fan_ins) const;
  void append_checks(Arguments& arguments, std::string_view index,
                     const std::vector<FanInCheck>& checks) const;
  void take_answers(const Reply& reply, std::vector<FanInCheck>& checks,
                    std::vector<FanInState>& states) const;
  Task<void> finish_checks(const SessionContext& context, std::vector<FanInCheck>& checks,
                           std::vector<FanInState>& states, Wait wait);
  Task<void> join_others(const SessionContext& context, std::span<const FanIn> fan_ins,
                         std::vector<FanInState>& states, Wait wait);
  [[noreturn]] void throw_garbled(std::string_view what) const;

  Task<void> load_scripts(Wait wait);
  Task<void> check_writable(Wait wait);
  Task<std::string> save_schedule(Wait wait);
  void warn(const StoreOptions& options, std::string_view save) const;

  Reactor& reactor_;
  const std::string name_;
  Client client_;
  const std::size_t chunks_in_flight_;
  const bool eventual_;
  const Expiry expiry_;
  Script commit_;
  Script put_;
  Script part_;
  Script remove_;
  Script collect_;
  Script list_;
  const std::string writer_;       ///< Nobody else's: names the keys of its parts.
  std::uint64_t long_values_ = 0;  ///< Written so far, or tried.
  ScanAndClaim requested_{*this, {.shared_from = 1}};  // a check is a request
};

}  // namespace unum::redis
