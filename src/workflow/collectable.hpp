// Garbage: which outcomes nobody needs any more, and what a payload and a stored outcome say about
// it. Pure.
//
// An outcome is needed by its readers: the children that its instance invokes, which come from it,
// and the aggregators whose lists name it. When all of them have outcomes of their own, a tombstone
// may take its place. Why nothing is lost by that: docs/decisions/0022-garbage.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "unum/json.hpp"
#include "workflow/plan.hpp"
#include "workflow/values.hpp"

namespace unum {

/// `GC` of a payload: what its instance may collect once it has its own outcome. Its size does not
/// grow with the number of siblings.
struct Collectable {
  std::string parent;        ///< Who invoked it; empty: that one is not to be collected.
  NameList readers;          ///< All readers of the parent; empty: this instance is the only one.
  bool beside = false;       ///< Some stores keep what stands beside the parent's outcome apart.
  bool sole_reader = false;  ///< Of an aggregator: it alone reads whatever its list names.
};

/// {"Parent": ..., "Readers": [...], "Beside": true, "SoleReader": true}; what is empty is left
/// out.
std::string to_json(const Collectable& collectable);
/// Reads that object. Throws `invalid` that names the field.
Collectable parse_collectable(json::View value);

/// Who reads the outcome that the plan was made of: its children, the aggregators of fan-ins that
/// it takes part in, and those that it may turn out to take part in.
NameList readers_of(const Plan& plan);
/// Whether there may be readers that the instance's plan does not know: what comes after it names
/// it. Such an outcome is collected when the run is at rest, not before.
bool has_unknown_readers(const FunctionIr& function, const Frames& frames);

/// What stands beside an outcome: {"Fan-out": ..., "GC": ..., "Readers": [...]}.
struct Redelivery {
  Frames frames;
  std::optional<Collectable> collectable;
  std::optional<NameList> readers;  ///< Absent: nobody but its children, or not all are known.
};
/// The same as text. `gc` of the instance's payload, `readers` or null.
std::string redelivery_text(std::span<const Frame> frames, std::optional<json::View> gc,
                            const NameList* readers);
/// Throws `corrupt` for text that is none.
Redelivery parse_redelivery(std::string_view kept, std::string_view instance);

}  // namespace unum
