// Scan and claim: who finds a fan-in complete, and who of those invokes its aggregator.
//
// A contributor looks only after its own value is written. The last one to write sees all others,
// so that somebody completes the set; the claim, created if absent under the owner's name, lets one
// invoke. Where some contributors cannot know that the fan-in is to happen, or over which list, an
// instance that knows requests it: it writes its value, records the list, then looks. The others,
// its observers, write their values, then look for the record. One of the two sees both.
#include <algorithm>
#include <utility>

#include "stores/fan_in_record.hpp"
#include "stores/looks.hpp"
#include "unum/data_store.hpp"

namespace unum {
namespace {

// Names of one look, which bounds memory; the store bounds what is in flight.
constexpr std::size_t kLooksAtOnceMax = 1024;

}  // namespace

/// Looks whether all names exist, and claims.
Task<FanInState> DataStore::scan_and_claim(const SessionContext& context, const FanIn& fan_in,
                                           const Wait& wait) {
  const FanInRecord mine = record_of(context, fan_in, type());
  const std::shared_ptr<Looks> looks = looks_->at(context, fan_in, mine.digest);
  const bool seen_before = looks->complete();
  if (!co_await complete(context, fan_in, *looks, wait)) co_return FanInState{};
  co_return co_await claim(context, fan_in, mine, seen_before, wait);
}

Task<FanInState> DataStore::join_requested(const SessionContext& context, const FanIn& fan_in,
                                           Wait wait) {
  if (fan_in.role == FanInRole::requester) {
    co_return co_await request(context, fan_in, wait);
  }
  co_return co_await observe(context, fan_in, wait);
}

Task<FanInState> DataStore::request(const SessionContext& context, const FanIn& fan_in,
                                    const Wait& wait) {
  FanInRecord mine = record_of(context, fan_in, type());
  mine.list = fan_in.set->to_json();
  const ItemId wanted{fan_in.aggregator, ItemKind::wanted};
  const std::string text = to_text(mine);
  const WriteResult written = co_await create(context, wanted, text, wait);
  if (written.status == WriteResult::Status::already_there) {
    const std::optional<FanInRecord> theirs = parse_record(written.stored);
    if (theirs && theirs->digest != mine.digest) co_return mismatch_of(mine, *theirs);
    // Nobody can read a record that a power loss has torn, or that has no list.
    if (!theirs || theirs->list.empty()) co_await put(context, wanted, text, wait);
  }
  co_return co_await scan_and_claim(context, fan_in, wait);
}

Task<FanInState> DataStore::observe(const SessionContext& context, const FanIn& fan_in,
                                    const Wait& wait) {
  if (fan_in.reader == nullptr || context.instance().empty()) {
    throw Error(ErrorKind::bug, type(), "Unum.InvalidFanIn",
                "an observer of \"" + fan_in.aggregator + "\" has no instance or no reader");
  }
  const ItemId wanted{fan_in.aggregator, ItemKind::wanted};
  const std::optional<std::string> stored = co_await get(context, wanted, wait);
  // A record that cannot be read is written anew by its requester, which then looks itself.
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

/// Looks on from where this process's looks have got, 1, 2, 4, ... names at once: whoever is early
/// pays for one, and the last one for log n rounds. Contributors that come at the same time look
/// one after the other: the first one's look finds what all of them want to know. What it finds
/// missing, too, if it began after they came, since they came after their own writes: whoever is
/// missing sees all of them.
Task<bool> DataStore::complete(const SessionContext& context, const FanIn& fan_in, Looks& looks,
                               const Wait& wait) {
  struct Shared {
    Looks& looks;
    const std::uint64_t number;  ///< 0: not shared.
    ~Shared() {
      if (number == 0) return;
      looks.shared_now = false;
      looks.looked.wake_all();
    }
  };
  const std::uint64_t begun_before = looks.begun;
  const std::size_t shared_from = looks_shared_from();
  std::vector<Pointer> pointers;
  std::size_t at_once = 1;
  while (!looks.complete()) {
    if (looks.missed > begun_before) co_return false;
    if (at_once >= shared_from && looks.shared_now) {
      const std::size_t before = looks.found;
      if (co_await looks.looked.wait(reactor_, wait) < 0) begin_call("join", wait);
      if (looks.found == before) at_once = 1;  // it met a missing one, which may be there by now
      continue;
    }
    const std::size_t begin = looks.found;
    const std::size_t end = std::min(looks.size, begin + at_once);
    pointers.clear();
    pointers.reserve(end - begin);
    for (std::size_t step = begin; step < end; ++step) {
      const std::size_t place = looks.place(step);
      if (place != fan_in.place) pointers.push_back(Pointer(fan_in.set->name(place)));
    }
    const Shared shared{looks, at_once >= shared_from ? ++looks.begun : 0};
    looks.shared_now = looks.shared_now || shared.number != 0;
    if (!pointers.empty() && !co_await outcomes_exist(context, pointers, wait)) {
      looks.missed = std::max(looks.missed, shared.number);
      co_return false;
    }
    looks.found = std::max(looks.found, end);
    at_once = std::min(at_once * 2, kLooksAtOnceMax);
  }
  co_return true;
}

Task<FanInState> DataStore::claim(const SessionContext& context, const FanIn& fan_in,
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
  const auto look = [&]() -> Task<std::optional<FanInState>> {
    const std::optional<std::string> stored = co_await get(context, item, wait);
    co_return stored ? judge(*stored) : std::nullopt;
  };
  if (seen_before) {
    if (std::optional<FanInState> state = co_await look()) co_return *state;
  }
  co_await settle(context, wait);
  if (seen_before) {
    if (std::optional<FanInState> state = co_await look()) co_return *state;
  }
  const std::string text = to_text(mine);
  const WriteResult written = co_await create(context, item, text, wait);
  if (written.status == WriteResult::Status::written)
    co_return FanInState{FanInState::Status::claimed};
  if (std::optional<FanInState> state = judge(written.stored)) co_return *state;
  // A claim that a power loss has torn is nobody's. If several replace it, the last one has it.
  co_await put(context, item, text, wait);
  const std::optional<std::string> stored = co_await get(context, item, wait);
  std::optional<FanInState> state = stored ? judge(*stored) : std::nullopt;
  if (state) co_return *state;
  throw Error(ErrorKind::conflict, type(), "Unum.ClaimLost",
              "the claim of \"" + fan_in.aggregator + "\" in session " + context.session() +
                  " was taken away while it was written");
}

}  // namespace unum
