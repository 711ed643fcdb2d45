// Fan-in by a tree of small items: no item is written by all contributors, none grows with them.
//
// Each contributor marks its slot in a group of 64; whoever sees a group full marks that group in
// the level above, and so on up to the root, which is also the claim's item. A node is a set of
// numbers below 64, added to by UpdateItem, which answers with the whole node: so marks are
// idempotent, and of all that mark a node the last one sees it full.
//
// The tree only says who checks. The instance that finds the root full checks all outcomes once,
// strongly consistent, before it claims: marks that outlived their outcomes (a session that was
// removed, items that expired) then cost checks, never a wrong claim. And everybody climbs on from
// a full node, whether or not its own mark was new: a mark's writer may have died before it
// climbed.
//
// A name whose instance never marks (an ancestor that is only read) is marked by others: whoever
// came first to a node checks those of its names that are not known to take part. Ancestors have
// their outcomes before any contributor begins, so one check is enough.
#include <algorithm>
#include <bit>

#include "base/wall_time.hpp"
#include "stores/dynamodb/dynamodb_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::dynamodb {
namespace {

constexpr std::size_t kSlots = 64;
// Fan-ins that one instance takes part in at once; nearly always it is in one or two.
constexpr std::size_t kFanInsAtOnce = 16;
// Groups of names that are looked for at once.
constexpr std::size_t kGroupsAtOnce = 16;
// A claim that nobody can read is replaced; so often others may come first.
constexpr unsigned kReplacementsMax = 4;
constexpr std::array<std::string_view, 1> kFailedCondition = {kConditionFailed};

/// Places under one node's slot: 1 at level 0, 64 at level 1, ...
std::size_t places_a_slot(std::size_t level) {
  std::size_t places = 1;
  while (level-- > 0) places *= kSlots;
  return places;
}

/// Levels of a tree over `size` names; the root's is the last.
std::size_t levels_of(std::size_t size) {
  std::size_t levels = 1;
  while (size > kSlots) {
    size = (size + kSlots - 1) / kSlots;
    ++levels;
  }
  return levels;
}

std::string node_key(std::string_view root_key, std::size_t level, std::size_t group) {
  std::string key(root_key);
  key.append("/").append(std::to_string(level)).append(".").append(std::to_string(group));
  return key;
}

}  // namespace

std::vector<std::string> node_keys(std::string_view root_key, std::size_t size) {
  std::vector<std::string> keys;
  for (std::size_t level = 0; level + 1 < levels_of(size); ++level) {
    const std::size_t places = places_a_slot(level + 1);
    const std::size_t groups = (size + places - 1) / places;
    for (std::size_t group = 0; group < groups; ++group) {
      keys.push_back(node_key(root_key, level, group));
    }
  }
  return keys;
}

/// One contributor's way up the tree.
struct DynamoDbStore::Climb {
  const SessionContext& context;
  const FanIn& fan_in;
  const FanInRecord& mine;
  const std::string record = to_text(mine);
  const std::string root_key = item_key(context.session(), {fan_in.aggregator, ItemKind::claim});
  const std::size_t size = fan_in.set->size();
  const std::size_t levels = levels_of(size);
  // Where it is, and what it saw there last.
  std::size_t level = 0;
  std::size_t index = 0;  ///< Of the slot, counted over all nodes of the level.
  std::uint64_t marks = 0;
  std::optional<unsigned> first{};
  std::optional<std::string> claim{};  ///< Stands in the root.

  bool at_root() const noexcept { return level + 1 == levels; }
  std::size_t group() const noexcept { return index / kSlots; }
  unsigned slot() const noexcept { return static_cast<unsigned>(index % kSlots); }
  std::size_t slots() const noexcept {
    const std::size_t places = places_a_slot(level);
    return std::min(kSlots, (size + places - 1) / places - group() * kSlots);
  }
  /// The places under one of this node's slots: first, and one behind the last.
  std::pair<std::size_t, std::size_t> places(unsigned slot) const noexcept {
    const std::size_t count = places_a_slot(level);
    const std::size_t from = (group() * kSlots + slot) * count;
    return {from, std::min(size, from + count)};
  }
  bool full() const noexcept { return std::popcount(marks) == static_cast<int>(slots()); }
  std::string key() const { return at_root() ? root_key : node_key(root_key, level, group()); }
};

Task<std::vector<FanInState>> DynamoDbStore::join(const SessionContext& context,
                                                  std::span<const FanIn> fan_ins, Wait wait) {
  std::vector<FanInState> states(fan_ins.size());
  const auto one = [&](std::size_t i) -> Task<void> {
    states[i] = co_await join_one(context, fan_ins[i], wait);
  };
  co_await for_each_bounded(fan_ins.size(), kFanInsAtOnce, one);
  co_return states;
}

Task<FanInState> DynamoDbStore::join_one(const SessionContext& context, const FanIn& fan_in,
                                         Wait wait) {
  if (fan_in.role != FanInRole::contributor) {
    co_return co_await requested_.join_requested(context, fan_in, wait);
  }
  const FanInRecord mine = record_of(context, fan_in, type());
  if (fan_in.set->size() > 1) {
    if (std::optional<FanInState> end = co_await climb_from_each(context, fan_in, mine, wait)) {
      co_return *end;
    }
  }
  if (!co_await others_exist(context, fan_in, wait)) co_return FanInState{};
  co_return co_await claim(context, fan_in, mine, wait);
}

/// Climbs from each place where the instance's name stands; a list may repeat one.
Task<std::optional<FanInState>> DynamoDbStore::climb_from_each(const SessionContext& context,
                                                               const FanIn& fan_in,
                                                               const FanInRecord& mine, Wait wait) {
  std::vector<std::size_t> places = fan_in.set->repeats(fan_in.place);
  places.push_back(fan_in.place);
  std::optional<FanInState> last;
  for (const std::size_t place : places) {
    Climb way{context, fan_in, mine};
    way.index = place;
    last = co_await climb(way, wait);
    if (last && last->status != FanInState::Status::incomplete) co_return last;
  }
  co_return last;  // the last of its marks has seen the others
}

/// Marks upwards as long as nodes are full; gives the state where it ends before the root is.
Task<std::optional<FanInState>> DynamoDbStore::climb(Climb& way, Wait wait) {
  while (true) {
    const unsigned own = way.slot();
    if (auto end = co_await mark(way, std::span(&own, 1), wait)) co_return end;
    // An unreadable claim is nobody's and is replaced further on.
    if (const auto claim = way.claim ? parse_record(*way.claim) : std::nullopt) {
      co_return judge_claim(way.mine, *claim);
    }
    if (!way.full() && way.first == own) {
      if (auto end = co_await mark_those_only_read(way, wait)) co_return end;
    }
    if (!way.full()) co_return FanInState{};
    if (way.at_root()) co_return std::nullopt;
    way.index /= kSlots;
    ++way.level;
  }
}

Task<std::optional<FanInState>> DynamoDbStore::mark(Climb& way, std::span<const unsigned> slots,
                                                    Wait wait) {
  const std::string key = way.key();
  std::string full;
  if (way.at_root()) {
    full = full_name(way.context.session(), {way.fan_in.aggregator, ItemKind::claim});
  }
  Mark mark;
  mark.key = key;
  mark.slots = slots;
  mark.first = way.slot();
  mark.digest = way.mine.digest;
  mark.record = way.record;
  mark.now_unix_ns = unix_ns(reactor().wall_time());
  if (way.at_root()) mark.size = way.size;
  mark.full_name = full;
  mark.expires_at = expires_at();
  Table::Answer answer = co_await table_.call(
      Operation::update_item, mark_body(table_.name(), mark), key, kFailedCondition, wait);
  std::optional<Item> node = table_.parser().item(answer.body);
  if (!answer.error_code.empty() && !node) {
    // A server that does not send the old item along is asked for it.
    answer = co_await table_.call(Operation::get_item, get_item_body(table_.name(), key, true), key,
                                  {}, wait);
    node = table_.parser().item(answer.body);
    if (node && node->digest == way.mine.digest) node.reset();
    answer.error_code = kConditionFailed;
  }
  if (!node) {
    throw Error(ErrorKind::conflict, "dynamodb", "Unum.ItemChanges",
                "table " + table_.name() + ", item " + key +
                    ": it was taken away while a fan-in was marked in it");
  }
  if (!answer.error_code.empty()) {
    const FanInRecord unknown{"an unknown contributor", std::string(node->digest), "unknown"};
    co_return mismatch_of(way.mine, parse_record(node->record).value_or(unknown));
  }
  way.marks = node->marks;
  way.first = node->first;
  way.claim = std::move(node->value);
  co_return std::nullopt;
}

/// Checks the names under this node that may never mark, and marks for those that have outcomes.
Task<std::optional<FanInState>> DynamoDbStore::mark_those_only_read(Climb& way, Wait wait) {
  std::vector<unsigned> candidates;
  for (unsigned slot = 0; slot < way.slots(); ++slot) {
    if ((way.marks >> slot & 1) != 0) continue;
    const auto [from, to] = way.places(slot);
    bool takes_part = false;
    for (std::size_t place = from; place < to && !takes_part; ++place) {
      takes_part = way.fan_in.set->takes_part(place);
    }
    if (!takes_part) candidates.push_back(slot);
  }
  if (candidates.empty()) co_return std::nullopt;
  const std::vector<unsigned> there = co_await slots_that_exist(way, std::move(candidates), wait);
  if (there.empty()) co_return std::nullopt;
  co_return co_await mark(way, there, wait);
}

/// Those of the slots all of whose names have outcomes.
Task<std::vector<unsigned>> DynamoDbStore::slots_that_exist(const Climb& way,
                                                            std::vector<unsigned> candidates,
                                                            Wait wait) {
  const std::string prefix = session_prefix(way.context.session());
  std::vector<unsigned> there;
  if (way.level > 0) {
    const auto check = [&](std::size_t i) -> Task<void> {
      const auto [from, to] = way.places(candidates[i]);
      KeyTable keys(prefix, to - from);
      for (std::size_t place = from; place < to; ++place) {
        keys.add(way.fan_in.set->name(place), ItemKind::outcome);
      }
      if (co_await all_exist(keys, wait)) there.push_back(candidates[i]);
    };
    co_await for_each_bounded(candidates.size(), kGroupsAtOnce, check);
    co_return there;
  }
  // The names of a group: one request for all.
  KeyTable keys(prefix, candidates.size());
  std::vector<std::size_t> index_of;
  for (const unsigned slot : candidates) {
    const std::string name = way.fan_in.set->name(way.places(slot).first);
    index_of.push_back(keys.add(name, ItemKind::outcome));
  }
  std::vector<std::string_view> asked;
  for (std::size_t i = 0; i < keys.size(); ++i) asked.push_back(keys.key(i));
  std::vector<bool> exists(keys.size());
  const ResponseParser::OnItem note = [&](Item& item) {
    const std::size_t index = keys.find(item.name);
    if (index != KeyTable::kNone) exists[index] = true;
  };
  co_await table_.batch_get(asked, Projection::key, true, note, wait);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (exists[index_of[i]]) there.push_back(candidates[i]);
  }
  co_return there;
}

Task<bool> DynamoDbStore::others_exist(const SessionContext& context, const FanIn& fan_in,
                                       Wait wait) {
  const std::size_t size = fan_in.set->size();
  KeyTable keys(session_prefix(context.session()), size);
  for (std::size_t place = 0; place < size; ++place) {
    if (place != fan_in.place) keys.add(fan_in.set->name(place), ItemKind::outcome);
  }
  co_return co_await all_exist(keys, wait);
}

Task<FanInState> DynamoDbStore::claim(const SessionContext& context, const FanIn& fan_in,
                                      const FanInRecord& mine, Wait wait) {
  const ItemId item{fan_in.aggregator, ItemKind::claim};
  const std::string key = item_key(context.session(), item);
  const std::string text = to_text(mine);
  for (unsigned round = 0; round < kReplacementsMax; ++round) {
    std::optional<Stored> stored = co_await create_item(context, item, key, {text}, wait);
    if (!stored) co_return FanInState{FanInState::Status::claimed};
    const std::optional<std::string> theirs =
        co_await value_of(key, std::move(*stored), true, wait);
    if (!theirs) continue;
    if (const auto claim = parse_record(*theirs)) co_return judge_claim(mine, *claim);
    // What nobody can read is nobody's claim. If several replace it, the last one has it.
    co_await put(context, item, text, wait);
    const std::optional<std::string> now = co_await read_value(key, wait);
    if (const auto claim = now ? parse_record(*now) : std::nullopt) {
      co_return judge_claim(mine, *claim);
    }
  }
  throw Error(ErrorKind::conflict, type(), "Unum.ClaimLost",
              "the claim of \"" + fan_in.aggregator + "\" in session " + context.session() +
                  " was taken away while it was written");
}

}  // namespace unum::dynamodb
