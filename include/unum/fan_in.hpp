// Fan-ins as the runtime and the data stores see them: an ordered list of names, who looks whether
// all of them have outcomes, and what was found. Nothing here does any I/O.
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

/// A fan-in that an instance takes part in: the ordered names that must all have outcomes.
class UNUM_API FanInSet {
 public:
  virtual ~FanInSet() = default;
  virtual std::size_t size() const noexcept = 0;
  /// The instance name at a place < size().
  virtual std::string name(std::size_t place) const = 0;
  /// Equal for equal lists and frames, whoever computed it; see NameList::digest.
  virtual std::string digest() const = 0;
  /// A short readable form for messages.
  virtual std::string summary() const = 0;
  /// The list and the frames as JSON text, for the record of a fan-in that is requested; what a
  /// FanInReader makes a set of again.
  virtual std::string to_json() const = 0;
  /// The first place of an instance's name; nothing if the list does not name it.
  virtual std::optional<std::size_t> place_of(std::string_view instance) const = 0;
  /// Whether the instance at a place is known to take part itself once it has its outcome. One that
  /// is only read (an ancestor of all contributors) never does. A store that counts marks looks for
  /// the outcomes of those that are not known to. May say false for anyone.
  virtual bool takes_part([[maybe_unused]] std::size_t place) const { return false; }
  /// The other places where the name at `place` stands. A list that repeats names must say so here.
  virtual std::vector<std::size_t> repeats([[maybe_unused]] std::size_t place) const { return {}; }
};

/// Makes a set of what `FanInSet::to_json` gave, perhaps in another process.
class UNUM_API FanInReader {
 public:
  virtual ~FanInReader() = default;
  /// Null if the text is damaged.
  virtual std::shared_ptr<const FanInSet> read(std::string_view json) const = 0;
};

/// How an instance takes part in a fan-in.
enum class FanInRole : std::uint8_t {
  contributor,  ///< All contributors know of the fan-in and its list: look whether it is complete.
  requester,  ///< Record that the fan-in is wanted, and its list; then look whether it is complete.
  observer,   ///< Read what is recorded. If the list names the caller: look whether it is complete.
};

struct FanIn {
  /// Place of a caller that the list does not name: an observer, or the mapping instance that
  /// stands in for the branches of an empty map.
  static constexpr std::size_t kNoPlace = static_cast<std::size_t>(-1);

  std::string aggregator;         ///< Instance name of the aggregator.
  const FanInSet* set = nullptr;  ///< Must live until the call returns. Null for an observer.
  std::size_t place = kNoPlace;   ///< Of the caller's own instance in the set.
  FanInRole role = FanInRole::contributor;
  const FanInReader* reader = nullptr;  ///< For an observer; must live until the call returns.
};

/// What an instance found out about one fan-in.
struct FanInState {
  enum class Status : std::uint8_t {
    incomplete,  ///< An input is missing (its instance, when it comes, will see the set complete),
                 ///< or an observer found no request that names it.
    claimed,     ///< Complete, and the claim is the caller's: it must invoke the aggregator.
    taken,       ///< Complete, claimed by another instance.
    mismatch,    ///< Another contributor's list or frames differ.
  };
  Status status = Status::incomplete;
  std::string detail{};  ///< taken: the owner. mismatch: the other side's list, readable.
  /// For an observer: the list that was requested, if it names the observer; null otherwise.
  std::shared_ptr<const FanInSet> set{};
};

}  // namespace unum
