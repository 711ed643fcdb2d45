// Fan-ins over any store: which contributor finds the set complete, and which one invokes the
// aggregator. For stores without a cheaper method of their own.
//
// Each contributor writes its own value first and then checks which outcomes exist. The last one to
// write therefore finds the set complete. Several may; the claim, which is created if absent and
// holds the owner's name, lets exactly one of them invoke the aggregator. If some contributors
// cannot know whether the fan-in happens, or over which list, an instance that does know requests
// it: it writes its value, records the list, then checks. The others, the observers, write their
// values and then read the record. Whichever comes last sees both the record and all values.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "unum/api.hpp"
#include "unum/store.hpp"

namespace unum {

struct FanInRecord;

/// Implements Store::join with a store's `get`, `create`, `put` and `all_exist`. Owned by that
/// store. It caches which outcomes exist, so that together the contributors of one process check
/// each name about once, in whatever order they end. The cache holds the 1,024 fan-ins used last.
/// It never holds that an outcome is missing.
class UNUM_API ScanAndClaim {
 public:
  struct Options {
    /// Checks of at least this many names are shared by concurrent contributors of one process,
    /// which take turns: 1 for a store whose check is a network request.
    std::size_t shared_from = 16;
    /// Awaited after a fan-in is found complete and before it is claimed, to make the outcomes as
    /// durable as the store's settings require. Empty: a visible value is already durable.
    std::function<Task<void>(const SessionContext&, Wait)> settle{};
  };

  /// Does not own `store`.
  explicit ScanAndClaim(Store& store);
  ScanAndClaim(Store& store, Options options);
  ~ScanAndClaim();
  ScanAndClaim(const ScanAndClaim&) = delete;
  ScanAndClaim& operator=(const ScanAndClaim&) = delete;

  /// See Store::join. Throws `bug` "Unum.InvalidFanIn" for a fan-in without a list, or without the
  /// caller's place in it.
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait);
  /// The same for a single requester or observer: for a store with its own method for contributors.
  /// Only the record holds the list of such a fan-in, so no store can count who has joined;
  /// existing outcomes are checked instead.
  Task<FanInState> join_requested(const SessionContext& context, const FanIn& fan_in, Wait wait);
  /// Only checks whether all outcomes of the set exist; the caller's own at `fan_in.place` must be
  /// written. Claims nothing; checks are cached by the aggregator's name.
  Task<bool> all_exist(const SessionContext& context, const FanIn& fan_in, Wait wait);
  /// Clears the cache. To be called when items are removed.
  void forget() noexcept;
  /// The same, unless no outcome is among what is removed.
  void forget(std::span<const ItemId> removed) noexcept;

 private:
  struct Scan;
  class Scans;
  Task<FanInState> request(const SessionContext& context, const FanIn& fan_in, const Wait& wait);
  Task<FanInState> observe(const SessionContext& context, const FanIn& fan_in, const Wait& wait);
  Task<FanInState> scan_and_claim(const SessionContext& context, const FanIn& fan_in,
                                  const Wait& wait);
  Task<bool> complete(const SessionContext& context, const FanIn& fan_in, Scan& scan,
                      const Wait& wait);
  Task<FanInState> claim(const SessionContext& context, const FanIn& fan_in,
                         const FanInRecord& mine, bool seen_before, const Wait& wait);

  Store& store_;
  const Options options_;
  const std::unique_ptr<Scans> scans_;
};

}  // namespace unum
