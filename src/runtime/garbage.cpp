// Collecting: outcomes that nobody needs any more make room for tombstones.
//
// A step that has its own outcome and has passed it on puts a tombstone for its parent if all of
// the parent's readers have outcomes, and an aggregator for its inputs. Whoever finds that does it,
// whether or not its own outcome is new, so the last reader does. Nothing here fails a step. The
// protocol, and why no workflow is lost: docs/decisions/0022-garbage.md.
#include <algorithm>
#include <utility>

#include "base/limits.hpp"
#include "runtime/step.hpp"
#include "unum/scan_and_claim.hpp"
#include "unum/task_group.hpp"
#include "workflow/fan_in_list.hpp"

namespace unum {
namespace {

// Instances whose readers are looked at beside each other.
constexpr std::size_t kInputsAtOnce = 64;
// So many readers are asked for without a look at what is known of them.
constexpr std::size_t kReadersAskedAtOnce = 4;

}  // namespace

/// A session is collected if its entry's outcome was stored so; all others hear of it by their
/// payloads.
Task<void> Runtime::Step::begin_collecting(std::optional<std::string>& outcome) {
  if (is_session_entry()) {
    if (!outcome) {
      report.collects = runtime.options_.collects_garbage;
    } else if (*outcome == kTombstone) {
      report.collects = true;
    } else {
      const auto kept = co_await store().redelivery_of(context, report.instance, wait);
      // It stands beside every outcome that is not collected, and this one may be since.
      if (!kept) outcome = co_await store().get(context, own_item(ItemKind::outcome), wait);
      report.collects = kept || outcome == kTombstone;
    }
    co_return;
  }
  if (!payload.gc) co_return;
  try {
    collectable = parse_collectable(*payload.gc);
    report.collects = true;
  } catch (const Error& error) {
    report.collection_error = error.message();
  }
}

/// What stands beside the outcome, for a redelivery.
const std::string& Runtime::Step::beside_outcome(const Plan& plan) {
  if (!beside.empty()) return beside;
  // Only aggregators ask for the readers.
  NameList readers;
  const bool asked_for = !plan.fan_ins.empty() && !has_unknown_readers(ir(), payload.frames);
  if (asked_for) readers = readers_of(plan);
  beside = redelivery_text(payload.frames, payload.gc, asked_for ? &readers : nullptr);
  return beside;
}

/// What the children of this plan are told, and who collects this instance's parent.
void Runtime::Step::prepare_collecting(const Plan& plan) {
  if (!report.collects) return;
  if (!report.has_outcome) {
    // Without a checkpoint the next instance takes this one's place.
    const bool takes_place = plan.children.size() == 1 && collectable.readers.empty();
    if (takes_place) for_children = collectable;
    gc_of_children = to_json(for_children);
    return;
  }
  const bool stands_in =
      std::any_of(plan.fan_ins.begin(), plan.fan_ins.end(),
                  [](const PlannedFanIn& fan_in) { return fan_in.place == FanIn::kNoPlace; });
  const bool has_children = !plan.children.empty() || stands_in;
  if (has_children && !has_unknown_readers(ir(), payload.frames)) {
    for_children.parent = report.instance;
    for_children.beside = beside_outcome(plan).size() > kRedeliveryBytesAlong;
    if (plan.children.size() > 1 || !plan.fan_ins.empty()) {
      for_children.readers = readers_of(plan);
    }
  }
  if (has_children) gc_of_children = to_json(for_children);
  // A fan-in over just the parent's children is complete when the parent is to be collected; then
  // its aggregator does it, and n children need not look for each other once more.
  left_to_aggregator =
      std::any_of(plan.fan_ins.begin(), plan.fan_ins.end(), [&](const PlannedFanIn& fan_in) {
        return fan_in.list && fan_in.place != FanIn::kNoPlace && !collectable.readers.empty() &&
               fan_in.list->names() == collectable.readers;
      });
}

/// What the aggregator that this instance invokes may collect, besides what its list names.
std::string Runtime::Step::gc_of_aggregator(const PlannedFanIn& fan_in,
                                            const NameList& list) const {
  if (!report.collects) return {};
  Collectable of_aggregator;
  if (fan_in.role == FanInRole::requester && fan_in.place == FanIn::kNoPlace) {
    of_aggregator = for_children;  // which stands in for branches that do not exist
  } else if (!list.empty() && list == collectable.readers) {
    of_aggregator = collectable;
    of_aggregator.readers = {};  // all of them were found to exist
  }
  of_aggregator.sole_reader = fan_in.edge != nullptr && fan_in.edge->sole_reader;
  return to_json(of_aggregator);
}

/// Runs when the step has passed its outcome on. An error of the store stays here.
Task<void> Runtime::Step::collect() {
  if (!report.collects || !report.has_outcome || report.status == StepReport::Status::failed) {
    co_return;
  }
  waits_for("the store: garbage");
  try {
    co_await collect_what_it_may();
  } catch (const Error& error) {
    report.collection_error = error.message();
    log::warn(LogArea::runtime, about(), "garbage is left: {}", error.message());
  }
}

Task<void> Runtime::Step::collect_what_it_may() {
  std::vector<std::string> instances;
  std::vector<ItemId> items;
  bool fan_in_ends = false;
  if (payload.data.shape == PayloadData::Shape::list) {
    instances = co_await collectable_inputs();
    // Who may come again and asks for the fan-in has an outcome that is not collected.
    fan_in_ends = instances.size() == payload.data.names.size();
    if (fan_in_ends) {
      items = {own_item(ItemKind::claim), own_item(ItemKind::wanted)};
      if (!runtime.invoker_.keeps_every_delivery()) items.push_back(own_item(ItemKind::invoked));
    }
  }
  if (!collectable.parent.empty() && !left_to_aggregator) {
    const bool is_done = co_await all_have_outcomes(collectable.readers);
    if (is_done) instances.push_back(collectable.parent);
    if (is_done && collectable.beside) items.push_back({collectable.parent, ItemKind::garbage});
  }
  if (instances.empty() && items.empty()) co_return;
  std::sort(instances.begin(), instances.end());
  instances.erase(std::unique(instances.begin(), instances.end()), instances.end());
  co_await store().collect(context, instances, items, wait);
  report.fan_in_removed = fan_in_ends;
  report.collected = std::move(instances);
}

/// Whether all readers of the parent have outcomes; this instance is one of them. What this process
/// has seen of many siblings before only tells who need not ask for all of them.
Task<bool> Runtime::Step::all_have_outcomes(const NameList& readers) {
  if (readers.size() < 2) co_return true;
  const std::optional<InstanceName> own = parse_instance_name(report.instance);
  const FanInList set(readers, {}, own.value_or(InstanceName{report.instance, {}}), false);
  FanIn looked_into;
  looked_into.aggregator = collectable.parent;
  looked_into.set = &set;
  looked_into.place = set.place_of(report.instance).value_or(FanIn::kNoPlace);
  if (readers.size() > kReadersAskedAtOnce) {
    const bool seen = co_await runtime.readers_->all_exist(context, looked_into, wait);
    if (!seen) co_return false;
  }
  std::vector<Pointer> others;
  others.reserve(readers.size());
  readers.for_each([&](std::string_view reader) {
    if (reader != report.instance) others.push_back(pointer(context, reader));
  });
  // Who comes after this one ends after it more often than not.
  const auto next = std::min(looked_into.place, others.size());
  std::rotate(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(next), others.end());
  co_return co_await store().all_exist(context, others, wait);
}

/// Those of an aggregator's inputs that have no other reader without an outcome.
Task<std::vector<std::string>> Runtime::Step::collectable_inputs() {
  std::vector<std::string> names = payload.data.names.names();
  if (collectable.sole_reader) co_return names;
  std::vector<char> is_done(names.size());
  const auto look = [&](std::size_t i) -> Task<void> {
    const std::optional<std::string> kept = co_await store().redelivery_of(context, names[i], wait);
    if (!kept) co_return;
    const Redelivery redelivery = parse_redelivery(*kept, names[i]);
    if (!redelivery.readers) co_return;
    std::vector<Pointer> others;
    redelivery.readers->for_each([&](std::string_view reader) {
      if (reader != report.instance) others.push_back(pointer(context, reader));
    });
    const bool all = others.empty() || co_await store().all_exist(context, others, wait);
    is_done[i] = all ? 1 : 0;
  };
  co_await for_each_bounded(names.size(), kInputsAtOnce, look);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (is_done[i] != 0) std::swap(names[kept++], names[i]);
  }
  names.resize(kept);
  co_return names;
}

json::Text redelivery_payload(std::string_view kept, std::string_view store_type,
                              std::string_view session, std::string_view instance) {
  const Redelivery redelivery = parse_redelivery(kept, instance);
  const std::string gc = redelivery.collectable ? to_json(*redelivery.collectable) : std::string();
  // Its outcome stands, so nobody looks at the data; user code must never run on anything else.
  return payload_by_pointer(store_type, instance, session, redelivery.frames, {}, gc);
}

}  // namespace unum
