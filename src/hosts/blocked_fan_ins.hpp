// Which fan-ins wait for ever because a step failed for good.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/fan_in_list.hpp"
#include "workflow/ir.hpp"

namespace unum {

struct BlockedFanIn {
  std::string aggregator;  ///< Instance name.
  std::shared_ptr<const FanInList> list;
  /// The contributor that will have no result: the failed instance, or one behind it.
  std::string contributor;
};

/// The fan-ins that an instance which failed with these frames, or what would have followed it,
/// was to take part in: as far as that follows without any result. `ir_of` gives a function by its
/// name, or null.
std::vector<BlockedFanIn> fan_ins_behind(
    const FunctionIr& failed, const Frames& frames,
    const std::function<const FunctionIr*(std::string_view)>& ir_of);

}  // namespace unum
