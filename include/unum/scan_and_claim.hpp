// Fan-ins over any store, for one that has no cheaper way of its own to find out who is last: who
// finds a fan-in complete, and who of those invokes its aggregator.
//
// A contributor checks which outcomes exist only after its own value is written. The last one to
// write finds all others, so that somebody completes the set; the claim, created if absent under
// the owner's name, lets one invoke. Where some contributors cannot know that the fan-in is to
// happen, or over which list, an instance that knows requests it: it writes its value, records the
// list, then checks. The others, its observers, write their values, then read the record. One of
// the two sees both.
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

/// A store's fan-ins, made of its `get`, `create`, `put` and `all_exist`; the store owns it. It
/// remembers which outcomes were found to exist, so that contributors of one process check each
/// name about once together, in whatever order they end: 1,024 fan-ins at most, the least recent
/// ones are checked anew. Never is it remembered that an outcome is missing.
class UNUM_API ScanAndClaim {
 public:
  struct Options {
    /// From how many names on contributors of one process that come at the same time share checks,
    /// one after the other: 1 where a check is a request.
    std::size_t shared_from = 16;
    /// Awaited when a fan-in was found complete, before it is claimed: makes what was found as
    /// durable as the store's settings say. Empty: a value that is visible is durable.
    std::function<Task<void>(const SessionContext&, Wait)> settle{};
  };

  explicit ScanAndClaim(Store& store);
  ScanAndClaim(Store& store, Options options);
  ~ScanAndClaim();
  ScanAndClaim(const ScanAndClaim&) = delete;
  ScanAndClaim& operator=(const ScanAndClaim&) = delete;

  /// All of Store::join. Throws `bug` "Unum.InvalidFanIn" for a fan-in without a list or a
  /// place in it.
  Task<std::vector<FanInState>> join(const SessionContext& context, std::span<const FanIn> fan_ins,
                                     Wait wait);
  /// The same for one requester or observer: for a store that has its own way for contributors. The
  /// list of such a fan-in is known from its record alone, so that no store can count marks;
  /// whether the outcomes exist is checked, on every store.
  Task<FanInState> join_requested(const SessionContext& context, const FanIn& fan_in, Wait wait);
  /// Forgets which outcomes exist. To be called by whatever takes items away.
  void forget() noexcept;

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
