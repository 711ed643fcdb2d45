// A Redis store whose outcomes count only when replicas have them, so that a failover takes back
// nothing from which something followed (`unum worker --replicas`).
//
// Replication keeps the order of writes: a write of its own behind an outcome, which a WAIT by the
// same connection is about, covers the outcome.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "reactor/redis/client.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/forwarding_store.hpp"

namespace unum::streams {

class ReplicatedStore final : public ForwardingStore {
 public:
  /// `inner` is a store of type redis, which must outlive this object; `name` the one that it was
  /// opened with. `replicas`: how many must have an outcome, and `time`: in how long.
  ReplicatedStore(Store& inner, std::string_view name, unsigned replicas,
                  std::chrono::milliseconds time = std::chrono::seconds(5));
  ~ReplicatedStore() override;
  /// Connects. Throws what redis::Client does.
  Task<void> open(Wait wait = {});

  /// Each call that writes an outcome, or finds one that another delivery wrote, returns when the
  /// replicas have it. Throws `timeout`, code "Unum.Replicas", if they do not in `time`: the
  /// outcome stands, and the delivery is to be made again.
  Task<CommitResult> commit(const SessionContext& context, std::string_view value,
                            std::span<const FanIn> fan_ins, Wait wait) override;
  Task<WriteResult> create(const SessionContext& context, const ItemId& item,
                           std::string_view value, Wait wait) override;
  Task<std::optional<std::string>> get(const SessionContext& context, const ItemId& item,
                                       Wait wait) override;
  /// A value is missing only where the server is still the primary of these replicas: one that was
  /// replaced still answers.
  Task<std::optional<std::string>> get_range(const SessionContext& context, const ItemId& item,
                                             ByteRange range, Wait wait) override;
  Task<std::vector<std::optional<std::string>>> get_many(const SessionContext& context,
                                                         std::span<const Pointer> pointers,
                                                         Wait wait) override;

 private:
  Task<void> pass(const SessionContext& context, Wait wait);
  Task<void> ask(std::string key, Wait wait);

  redis::Client client_;
  const unsigned replicas_;
  const std::chrono::milliseconds time_;
  std::uint64_t begun_ = 0;     ///< Questions so far, on a single server,
  std::uint64_t answered_ = 0;  ///< and the last one of those that ended well.
  bool asking_ = false;
  detail::WaitList turns_;
};

}  // namespace unum::streams
