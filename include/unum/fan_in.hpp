// Fan-ins as the runtime and the data stores see them: an ordered list of instances, who checks
// whether all of them have outcomes, and the result. Nothing here does any I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"

namespace unum {

/// The ordered list of instances that must all have outcomes before the aggregator is invoked.
/// Names may repeat. Places count from 0.
class UNUM_API FanInSet {
 public:
  virtual ~FanInSet() = default;
  virtual std::size_t size() const noexcept = 0;
  /// The name of the instance at `place`, which must be less than size().
  virtual std::string name(std::size_t place) const = 0;
  /// A digest of the list and its frames: equal in every process for equal ones.
  virtual std::string digest() const = 0;
  /// A short readable form of the list, for messages.
  virtual std::string summary() const = 0;
  /// The list and its frames as JSON text, which a requested fan-in is recorded as and a
  /// FanInReader parses.
  virtual std::string to_json() const = 0;
  /// The first place of the instance; nothing if it is not in the list.
  virtual std::optional<std::size_t> place_of(std::string_view instance) const = 0;
  /// Whether the instance at `place` is certain to join the fan-in itself once it has its outcome.
  /// An ancestor of all contributors, whose value is only read, never does. A store that counts
  /// joins must check the outcomes of all others itself. Returning false is always correct, but
  /// slower.
  virtual bool takes_part([[maybe_unused]] std::size_t place) const { return false; }
  /// The other places of the same name. A list that repeats names must override this.
  virtual std::vector<std::size_t> repeats([[maybe_unused]] std::size_t place) const { return {}; }
};

/// Parses the text that `FanInSet::to_json` wrote, possibly in another process.
class UNUM_API FanInReader {
 public:
  virtual ~FanInReader() = default;
  /// Returns null if the text is damaged.
  virtual std::shared_ptr<const FanInSet> read(std::string_view json) const = 0;
};

/// How an instance takes part in a fan-in.
enum class FanInRole : std::uint8_t {
  contributor,  ///< Every contributor knows the list: check whether all outcomes exist.
  requester,    ///< Only some know it: record the list first, then check.
  observer,     ///< Read the recorded list; if it names the caller, check.
};

/// One fan-in of the calling instance.
struct FanIn {
  /// The place of a caller that is not in the list: an observer, or the mapping instance that acts
  /// for the branches of an empty map.
  static constexpr std::size_t kNoPlace = static_cast<std::size_t>(-1);

  std::string aggregator;         ///< Instance name.
  const FanInSet* set = nullptr;  ///< Not owned; outlives the call. Null for an observer.
  std::size_t place = kNoPlace;   ///< The caller's place in the set.
  FanInRole role = FanInRole::contributor;
  const FanInReader* reader = nullptr;  ///< For an observer. Not owned; outlives the call.
};

/// The result of joining one fan-in.
struct FanInState {
  enum class Status : std::uint8_t {
    incomplete,  ///< An outcome is missing, whose instance will join later and find the set
                 ///< complete; or an observer found no request that names it.
    claimed,     ///< Complete and claimed by the caller, which must invoke the aggregator.
    taken,       ///< Complete and claimed by another instance.
    mismatch,    ///< Another instance has a different list or different frames.
  };
  Status status = Status::incomplete;
  /// `taken`: the claim's owner. `mismatch`: the other instance's list, readable. Else empty.
  std::string detail{};
  /// For an observer: the recorded list, if it names the observer. Else null.
  std::shared_ptr<const FanInSet> set{};
};

}  // namespace unum
