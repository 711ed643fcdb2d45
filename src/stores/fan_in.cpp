// Scan and claim: who finds a fan-in complete, and who of those invokes its aggregator.
//
// A contributor looks only after its own value is written. The last one to write sees all others,
// so that somebody completes the set; the claim, created if absent under the owner's name, lets one
// invoke. Where some contributors cannot know that the fan-in is to happen, whoever knows records
// it as wanted before it looks: of a wanter that writes then looks and a bystander that writes then
// looks, one sees both.
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

Task<std::optional<FanInState>> DataStore::look_for_wanted(const SessionContext& context,
                                                           const FanIn& fan_in,
                                                           const FanInRecord& mine, Wait wait) {
  if (fan_in.role == FanInRole::contributor) co_return std::nullopt;
  const ItemId wanted{fan_in.aggregator, ItemKind::wanted};
  std::optional<std::string> stored;
  if (fan_in.role == FanInRole::bystander) {
    stored = co_await get(context, wanted, wait);
    if (!stored) co_return FanInState{};
  } else {
    const std::string text = to_text(mine);
    WriteResult written = co_await create(context, wanted, text, wait);
    if (written.status == WriteResult::Status::already_there) {
      // A torn record says that somebody wanted it, but not what: write it anew.
      if (!parse_record(written.stored)) co_await put(context, wanted, text, wait);
      stored = std::move(written.stored);
    }
  }
  const std::optional<FanInRecord> theirs = stored ? parse_record(*stored) : std::nullopt;
  if (theirs && theirs->digest != mine.digest) co_return mismatch_of(mine, *theirs);
  co_return std::nullopt;
}

Task<FanInState> DataStore::scan_and_claim(const SessionContext& context, const FanIn& fan_in,
                                           const Wait& wait) {
  const FanInRecord mine = record_of(context, fan_in, type());
  if (std::optional<FanInState> end = co_await look_for_wanted(context, fan_in, mine, wait)) {
    co_return *end;
  }
  const std::shared_ptr<Looks> looks = looks_->at(context, fan_in, mine.digest);
  const bool seen_before = looks->complete();
  if (!co_await complete(context, fan_in, *looks, wait)) co_return FanInState{};
  co_return co_await claim(context, fan_in, mine, seen_before, wait);
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
    co_return FanInState{FanInState::Status::claimed, {}};
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
