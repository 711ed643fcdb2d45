// The list of a fan-in and its aggregator's frames: what a store is given to look into, and what
// stands in the record of a fan-in that was requested.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/fan_in.hpp"
#include "workflow/frames.hpp"
#include "workflow/values.hpp"

namespace unum {

class FanInList final : public FanInSet {
 public:
  /// `own` is the instance that looks, and `siblings_take_part` whether all instances of its
  /// function and outer indexes take part themselves (those of a map do; an earlier round of a loop
  /// is an ancestor and may only be read).
  FanInList(NameList names, Frames frames, InstanceName own, bool siblings_take_part);

  std::size_t size() const noexcept override { return names_.size(); }
  std::string name(std::size_t place) const override { return names_.name(place); }
  std::string digest() const override { return digest_; }
  std::string summary() const override;
  std::string to_json() const override;
  std::optional<std::size_t> place_of(std::string_view instance) const override;
  bool takes_part(std::size_t place) const override;
  std::vector<std::size_t> repeats(std::size_t place) const override;

  const NameList& names() const noexcept { return names_; }
  /// Of the aggregator.
  const Frames& frames() const noexcept { return frames_; }

 private:
  NameList names_;
  Frames frames_;
  InstanceName own_;
  bool siblings_take_part_;
  std::string digest_;  ///< Asked for by the store, the host and each comparison.
};

/// Reads what FanInList::to_json wrote.
class FanInListReader final : public FanInReader {
 public:
  std::shared_ptr<const FanInSet> read(std::string_view json) const override;
};

}  // namespace unum
