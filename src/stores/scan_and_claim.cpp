// See unum/scan_and_claim.hpp.
#include "unum/scan_and_claim.hpp"

#include <algorithm>
#include <utility>

#include "stores/existence_scan.hpp"
#include "stores/fan_in_record.hpp"
#include "unum/task_group.hpp"

namespace unum {
namespace {

// Names of one check, which bounds memory; the store bounds what is in flight.
constexpr std::size_t kChecksAtOnceMax = 1024;
// Fan-ins of one instance that are checked at once; nearly always it is in one or two.
constexpr std::size_t kFanInsAtOnce = 16;

}  // namespace

Task<CommitResult> write_then_join(Store& store, const SessionContext& context,
                                   std::string_view value, std::span<const FanIn> fan_ins,
                                   Wait wait) {
  const ItemId item{context.instance(), ItemKind::outcome};
  CommitResult result;
  result.write = co_await store.create(context, item, value, wait);
  const bool other =
      result.write.status == WriteResult::Status::already_there && result.write.stored != value;
  if (!other && !fan_ins.empty()) result.fan_ins = co_await store.join(context, fan_ins, wait);
  co_return result;
}

ScanAndClaim::ScanAndClaim(Store& store) : ScanAndClaim(store, Options{}) {}
ScanAndClaim::ScanAndClaim(Store& store, Options options)
    : store_(store), options_(std::move(options)), scans_(std::make_unique<Scans>()) {}
ScanAndClaim::~ScanAndClaim() = default;

void ScanAndClaim::forget() noexcept { scans_->clear(); }

void ScanAndClaim::forget(std::span<const ItemId> removed) noexcept {
  const bool any = std::any_of(removed.begin(), removed.end(),
                               [](const ItemId& item) { return item.kind == ItemKind::outcome; });
  if (any) scans_->clear();
}

Task<std::vector<FanInState>> ScanAndClaim::join(const SessionContext& context,
                                                 std::span<const FanIn> fan_ins, Wait wait) {
  std::vector<FanInState> states(fan_ins.size());
  const auto join_one = [&](std::size_t i) -> Task<void> {
    if (fan_ins[i].role == FanInRole::contributor) {
      states[i] = co_await scan_and_claim(context, fan_ins[i], wait);
    } else {
      states[i] = co_await join_requested(context, fan_ins[i], wait);
    }
  };
  co_await for_each_bounded(fan_ins.size(), kFanInsAtOnce, join_one);
  co_return states;
}

/// Checks whether all outcomes exist, and claims.
Task<FanInState> ScanAndClaim::scan_and_claim(const SessionContext& context, const FanIn& fan_in,
                                              const Wait& wait) {
  const FanInRecord mine = record_of(context, fan_in, store_.type());
  const std::shared_ptr<Scan> scan = scans_->at(context, fan_in, mine.digest);
  const bool seen_before = scan->complete();
  if (!co_await complete(context, fan_in, *scan, wait)) co_return FanInState{};
  co_return co_await claim(context, fan_in, mine, seen_before, wait);
}

Task<bool> ScanAndClaim::all_exist(const SessionContext& context, const FanIn& fan_in, Wait wait) {
  const std::shared_ptr<Scan> scan = scans_->at(context, fan_in, fan_in.set->digest());
  co_return co_await complete(context, fan_in, *scan, wait);
}

Task<FanInState> ScanAndClaim::join_requested(const SessionContext& context, const FanIn& fan_in,
                                              Wait wait) {
  if (fan_in.role == FanInRole::requester) {
    co_return co_await request(context, fan_in, wait);
  }
  co_return co_await observe(context, fan_in, wait);
}

Task<FanInState> ScanAndClaim::request(const SessionContext& context, const FanIn& fan_in,
                                       const Wait& wait) {
  FanInRecord mine = record_of(context, fan_in, store_.type());
  mine.list = fan_in.set->to_json();
  const ItemId wanted{fan_in.aggregator, ItemKind::wanted};
  const std::string text = to_text(mine);
  const WriteResult written = co_await store_.create(context, wanted, text, wait);
  if (written.status == WriteResult::Status::already_there) {
    const std::optional<FanInRecord> theirs = parse_record(written.stored);
    if (theirs && theirs->digest != mine.digest) co_return mismatch_of(mine, *theirs);
    // Nobody can read a record that a power loss has torn, or that has no list.
    if (!theirs || theirs->list.empty()) co_await store_.put(context, wanted, text, wait);
  }
  co_return co_await scan_and_claim(context, fan_in, wait);
}

Task<FanInState> ScanAndClaim::observe(const SessionContext& context, const FanIn& fan_in,
                                       const Wait& wait) {
  if (fan_in.reader == nullptr || context.instance().empty()) {
    throw Error(ErrorKind::bug, store_.type(), "Unum.InvalidFanIn",
                "an observer of \"" + fan_in.aggregator + "\" has no instance or no reader");
  }
  const ItemId wanted{fan_in.aggregator, ItemKind::wanted};
  const std::optional<std::string> stored = co_await store_.get(context, wanted, wait);
  // A record that cannot be read is written anew by its requester, which then checks itself.
  const std::optional<FanInRecord> record = stored ? parse_record(*stored) : std::nullopt;
  FanInState state;
  if (record) state.set = fan_in.reader->read(record->list);
  const std::optional<std::size_t> place =
      state.set ? state.set->place_of(context.instance()) : std::nullopt;
  if (!place) co_return FanInState{};
  FanIn named = fan_in;
  named.set = state.set.get();
  named.place = *place;
  FanInState found = co_await scan_and_claim(context, named, wait);
  found.set = std::move(state.set);
  co_return found;
}

/// Goes on from where this process's scan has got, 1, 2, 4, ... names at once: an early contributor
/// pays for one check, the last one for log n rounds. Contributors that come at the same time check
/// one after the other: the first one's check finds what all of them want to know. Also what it
/// finds missing, if it began after they came, since they came after their own writes: the missing
/// contributor will find all of them.
Task<bool> ScanAndClaim::complete(const SessionContext& context, const FanIn& fan_in, Scan& scan,
                                  const Wait& wait) {
  struct Shared {
    Scan& scan;
    const std::uint64_t number;  ///< 0: not shared.
    ~Shared() {
      if (number == 0) return;
      scan.shared_now = false;
      scan.checked.wake_all();
    }
  };
  const std::uint64_t begun_before = scan.begun;
  const std::size_t shared_from = options_.shared_from;
  std::vector<Pointer> pointers;
  std::size_t at_once = 1;
  while (!scan.complete()) {
    if (scan.missed > begun_before) co_return false;
    if (at_once >= shared_from && scan.shared_now) {
      const std::size_t before = scan.found;
      if (co_await scan.checked.wait(store_.reactor(), wait) < 0) check_wait(store_, "join", wait);
      if (scan.found == before) at_once = 1;  // it met a missing one, which may be there by now
      continue;
    }
    const std::size_t begin = scan.found;
    const std::size_t end = std::min(scan.size, begin + at_once);
    pointers.clear();
    pointers.reserve(end - begin);
    for (std::size_t step = begin; step < end; ++step) {
      const std::size_t place = scan.place(step);
      if (place != fan_in.place) pointers.push_back(pointer(context, fan_in.set->name(place)));
    }
    const Shared shared{scan, at_once >= shared_from ? ++scan.begun : 0};
    scan.shared_now = scan.shared_now || shared.number != 0;
    if (!pointers.empty() && !co_await store_.all_exist(context, pointers, wait)) {
      scan.missed = std::max(scan.missed, shared.number);
      co_return false;
    }
    scan.found = std::max(scan.found, end);
    at_once = std::min(at_once * 2, kChecksAtOnceMax);
  }
  co_return true;
}

Task<FanInState> ScanAndClaim::claim(const SessionContext& context, const FanIn& fan_in,
                                     const FanInRecord& mine, bool seen_before, const Wait& wait) {
  const ItemId item{fan_in.aggregator, ItemKind::claim};
  const auto judge = [&](const std::string& stored) -> std::optional<FanInState> {
    const std::optional<FanInRecord> theirs = parse_record(stored);
    if (!theirs) return std::nullopt;
    return judge_claim(mine, *theirs);
  };
  // Where a neighbour in this process has seen the set complete, a claim stands or is on its way:
  // reading is cheaper than trying to write. With group commit a whole batch of contributors comes
  // here at once.
  const auto read = [&]() -> Task<std::optional<FanInState>> {
    const std::optional<std::string> stored = co_await store_.get(context, item, wait);
    co_return stored ? judge(*stored) : std::nullopt;
  };
  if (seen_before) {
    if (std::optional<FanInState> state = co_await read()) co_return *state;
  }
  if (options_.settle) co_await options_.settle(context, wait);
  if (seen_before) {
    if (std::optional<FanInState> state = co_await read()) co_return *state;
  }
  const std::string text = to_text(mine);
  const WriteResult written = co_await store_.create(context, item, text, wait);
  if (written.status == WriteResult::Status::written)
    co_return FanInState{FanInState::Status::claimed};
  if (std::optional<FanInState> state = judge(written.stored)) co_return *state;
  // A claim that a power loss has torn is nobody's. If several replace it, the last one has it.
  co_await store_.put(context, item, text, wait);
  const std::optional<std::string> stored = co_await store_.get(context, item, wait);
  std::optional<FanInState> state = stored ? judge(*stored) : std::nullopt;
  if (state) co_return *state;
  throw Error(ErrorKind::conflict, store_.type(), "Unum.ClaimLost",
              "the claim of \"" + fan_in.aggregator + "\" in session " + context.session() +
                  " was taken away while it was written");
}

}  // namespace unum
