// What a run owes a session that is collected: instances whose outcomes are not collected are
// delivered again, since the entry may be collected; and at the run's end, when everybody is known
// who could read an outcome, what no step could collect goes, too.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "hosts/local_host.hpp"
#include "unum/task_group.hpp"
#include "workflow/frames.hpp"
#include "workflow/ir.hpp"

namespace unum {
namespace {

constexpr std::size_t kReadsInFlightMax = 64;

}  // namespace

void LocalHost::Impl::record_collected(const StepReport& report) {
  if (!report.collects) return;
  collection_.on = true;
  collection_.look_again |= report.instance == entry_->function.name() && report.adopted;
  if (report.has_outcome) collection_.outcomes.insert(report.instance);
  if (report.was_collected) note_tombstone(report.instance);
  for (const std::string& name : report.collected) {
    collection_.outcomes.insert(name);
    collection_.collected.insert(name);
  }
  if (report.fan_in_removed) collection_.fan_ins.insert(report.instance);
}

/// What followed from an outcome that somebody else has collected is not told by it.
void LocalHost::Impl::note_tombstone(const std::string& instance) {
  collection_.look_again |= collection_.collected.insert(instance).second;
}

/// What follows from an outcome that stands may not have been done, and nothing else leads there if
/// its parent is collected. Another run of the session may collect meanwhile: so until a listing
/// finds nothing new.
Task<void> LocalHost::Impl::deliver_uncollected() {
  while (std::exchange(collection_.look_again, false) && !stop_->requested()) {
    co_await deliver_listed();
    co_await steps_.drain();
  }
}

Task<void> LocalHost::Impl::deliver_listed() {
  const Wait wait = store_wait();
  const SessionContext context = session_context(session_);
  const std::vector<ListedItem> items = co_await store_.list(context, wait);
  std::vector<std::string> instances;
  collection_.items.clear();
  for (const ListedItem& item : items) {
    const std::string& name = item.id.name;
    switch (item.id.kind) {
      case ItemKind::outcome:
        collection_.outcomes.insert(name);
        if (!origins_.contains(name) && !collection_.collected.contains(name)) {
          instances.push_back(name);
        }
        break;
      case ItemKind::claim:
      case ItemKind::invoked:
      case ItemKind::wanted:
      case ItemKind::report:
      case ItemKind::garbage: collection_.items.push_back(item.id); break;
      default: break;
    }
  }
  const auto deliver_again = [&](std::size_t i) -> Task<void> {
    const std::string& instance = instances[i];
    const std::optional<std::string> kept = co_await store_.redelivery_of(context, instance, wait);
    if (!kept) {
      note_tombstone(instance);  // beside any other outcome it stands
      co_return;
    }
    const std::optional<InstanceName> name = parse_instance_name(instance);
    const auto function = name ? functions_.find(name->function) : functions_.end();
    if (function == functions_.end()) {
      collection_.collected.insert(instance);  // of a function that is gone: left as it is
      co_return;
    }
    const bool is_new = origins_.try_emplace(instance).second;
    if (!is_new) co_return;  // invoked meanwhile
    if (options_.observer != nullptr) options_.observer->queued(function->first, instance);
    enqueue({&function->second, instance,
             redelivery_payload(*kept, store_.type(), session_, instance), 1});
  };
  co_await for_each_bounded(instances.size(), kReadsInFlightMax, deliver_again);
}

/// Whether a fan-in that another run of the session went on from is behind it.
Task<bool> LocalHost::Impl::went_on_elsewhere(const std::string& aggregator, KnownFanIn& record) {
  if (!collection_.on) co_return false;
  const Wait wait = store_wait();
  const SessionContext context = session_context(session_);
  const Pointer outcome = pointer(context, aggregator);
  record.went_on_before = co_await check_value_exist(store_, context, outcome, wait);
  // What followed from it is not known here.
  collection_.look_again |= record.went_on_before && !origins_.contains(aggregator);
  co_return record.went_on_before;
}

/// A result that may have become another reader's input, and was collected, before this run looked
/// for that reader.
Task<void> LocalHost::Impl::drop_collected_results() {
  if (!collection_.on) co_return;
  drop_contributors();
  std::vector<std::string> names;
  for (const auto& [instance, candidate] : finals_) {
    const std::optional<InstanceName> name = parse_instance_name(instance);
    const auto function = name ? functions_.find(name->function) : functions_.end();
    const bool may_be =
        function == functions_.end() || !function->second.function.ir().edges.empty();
    if (may_be) names.push_back(instance);
  }
  const Wait wait = store_wait();
  const SessionContext context = session_context(session_);
  const auto look = [&](std::size_t i) -> Task<void> {
    const ItemId outcome{names[i], ItemKind::outcome};
    const std::optional<std::string> stored = co_await store_.get(context, outcome, wait);
    if (stored != kTombstone) co_return;
    finals_.erase(names[i]);
    note_tombstone(names[i]);
  };
  co_await for_each_bounded(names.size(), kReadsInFlightMax, look);
}

/// The run is at rest and nothing failed: all that followed from any outcome has outcomes. What is
/// left was kept for readers that did not come, or whom only the whole run knows.
Task<void> LocalHost::Impl::sweep() {
  if (!collection_.on) co_return;
  drop_contributors();
  std::vector<std::string> instances;
  for (const std::string& instance : collection_.outcomes) {
    if (!collection_.collected.contains(instance) && !finals_.contains(instance)) {
      instances.push_back(instance);
    }
  }
  std::vector<ItemId> items = std::move(collection_.items);
  std::erase_if(items, [&](const ItemId& item) {
    return item.kind == ItemKind::garbage && finals_.contains(item.name);
  });
  for (const auto& [aggregator, record] : fan_ins_) {
    const bool removed = collection_.fan_ins.contains(aggregator);
    if (removed && !collection_.claimed_again.contains(aggregator)) continue;
    items.push_back({aggregator, ItemKind::claim});
    items.push_back({aggregator, ItemKind::wanted});
  }
  if (instances.empty() && items.empty()) co_return;
  log::debug(LogArea::host, {session_, {}}, "collects {} outcomes that are left", instances.size());
  const Wait wait = store_wait();
  const SessionContext context = session_context(session_);
  try {
    co_await store_.collect(context, instances, items, wait);
  } catch (const Error& error) {
    log::warn(LogArea::host, {session_, {}}, "garbage is left: {}", error.message());
  }
}

}  // namespace unum
