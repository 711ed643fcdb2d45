// Checkpoint and fan-ins in one script call.
//
// The server keeps, for each fan-in under way, which outcomes are known to exist (a bit a place)
// and one name that was missing at the last look. A mark is made only where the value stands, in
// the same atomic step, so that "all marked" means "all exist". A contributor marks itself and
// looks whether the name that was missing still is: nearly always it is, and that is the whole
// call. If it is there by now, another missing name is looked for among a few that the contributor
// brings along; if those exist, too, the script tells places that it knows nothing of (outcomes
// that were written without a mark: ancestors' who never mark, or those of who died in between) and
// the client asks again with their names, more of them each time.
#include <algorithm>

#include "base/padded.hpp"
#include "stores/fan_in_record.hpp"
#include "stores/redis/keys.hpp"
#include "stores/redis/redis_store_impl.hpp"
#include "unum/task_group.hpp"

namespace unum::redis {
namespace {

// Names that every contributor brings along: neighbours often end one after the other.
constexpr std::size_t kNamesBrought = 4;
// Places that are told and asked about together, at first and at most.
constexpr std::size_t kPlacesToldFirst = 8;
constexpr std::size_t kPlacesToldMax = 512;
// What the script says of a long value: another one, or the same, stands there.
constexpr std::int64_t kStands = 2;
// Requested fan-ins that one instance looks into at once; nearly always it is in one or two.
constexpr std::size_t kFanInsAtOnce = 16;

}  // namespace

/// One fan-in on its way to an answer.
struct RedisStore::Look {
  const FanIn* fan_in = nullptr;
  std::size_t state = 0;  ///< Index of its answer.
  FanInRecord mine;
  std::string text;
  std::vector<std::size_t> places;  ///< Whose names go along.
  std::size_t most = kPlacesToldFirst;
};

std::vector<RedisStore::Look> RedisStore::begin_looks(const SessionContext& context,
                                                      std::span<const FanIn> fan_ins) const {
  std::vector<Look> looks;
  looks.reserve(fan_ins.size());
  for (std::size_t i = 0; i < fan_ins.size(); ++i) {
    if (fan_ins[i].role != FanInRole::contributor) continue;
    Look& look = looks.emplace_back();
    look.fan_in = &fan_ins[i];
    look.state = i;
    look.mine = record_of(context, fan_ins[i], "redis");
    look.text = to_text(look.mine);
    const std::size_t size = fan_ins[i].set->size();
    for (std::size_t n = 1; n <= std::min(kNamesBrought, size - 1); ++n)
      look.places.push_back((fan_ins[i].place + n) % size);
  }
  return looks;
}

void RedisStore::append_looks(Arguments& arguments, std::string_view index,
                              const std::vector<Look>& looks) const {
  arguments.value(std::to_string(looks.size()));
  for (const Look& look : looks) {
    const FanIn& fan_in = *look.fan_in;
    arguments.key(item_key(index, fan_in.aggregator, ItemKind::claim));
    const std::string under_way = std::string(index) + ":" + fan_in.aggregator;
    arguments.key(under_way + "-marks");
    arguments.key(under_way + "-looks");
    arguments.value(std::to_string(fan_in.set->size()));
    arguments.value(std::to_string(fan_in.place));
    arguments.view(look.mine.digest);
    arguments.view(look.text);
    arguments.view(fan_in.aggregator);
    arguments.value(std::to_string(look.most));
    arguments.value(std::to_string(look.places.size()));
    for (const std::size_t place : look.places) {
      arguments.key(item_key(index, fan_in.set->name(place), ItemKind::outcome));
      arguments.value(std::to_string(place));
    }
  }
}

/// Takes the answers, and leaves in `looks` what is to be asked again.
void RedisStore::judge(const Reply& reply, std::vector<Look>& looks,
                       std::vector<FanInState>& states) const {
  if (reply.elements.size() != looks.size() + 1) throw_garbled("a commit");
  std::vector<Look> again;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    Look& look = looks[i];
    const std::vector<Reply>& answer = reply.elements[i + 1].elements;
    if (answer.empty()) throw_garbled("a fan-in");
    const std::string& word = answer[0].text;
    FanInState& state = states[look.state];
    if (word == "incomplete") {
      state = {};
    } else if (word == "claimed") {
      state.status = FanInState::Status::claimed;
    } else if (word == "stands" && answer.size() == 2) {
      const std::optional<FanInRecord> theirs = parse_record(answer[1].text);
      if (!theirs) throw_garbled("a fan-in");
      state = judge_claim(look.mine, *theirs);
    } else if (word == "look" && answer.size() > 1) {
      look.places.clear();
      for (std::size_t n = 1; n < answer.size(); ++n) {
        const auto place = static_cast<std::size_t>(answer[n].integer);
        if (answer[n].integer < 0 || place >= look.fan_in->set->size()) throw_garbled("a fan-in");
        look.places.push_back(place);
      }
      look.most = std::min(4 * look.most, kPlacesToldMax);
      again.push_back(std::move(look));
    } else {
      throw_garbled("a fan-in");
    }
  }
  looks = std::move(again);
}

/// Writes the value if it is absent, and looks into the fan-ins if it is the one that stands.
Task<WriteResult> RedisStore::write_once(const SessionContext& context, const ItemId& item,
                                         std::string_view value, std::vector<Look>& looks,
                                         std::vector<FanInState>& states, Wait wait) {
  const bool in_parts = value.size() > kPartBytes;
  const std::string index = index_key(context.session());
  Arguments arguments;
  arguments.key(item_key(index, item.name, item.kind));
  arguments.keys.push_back(index);
  arguments.key(index + ":-under-way");
  const std::string name = item_name(item.name, item.kind);
  Reply reply;
  if (in_parts) {
    arguments.view("rename");
    arguments.value(std::to_string(value.size()));
    arguments.view(name);
    append_looks(arguments, index, looks);
    reply = co_await run_with_parts(commit_, arguments, context, name, value, wait);
  } else {
    arguments.view("commit");
    arguments.view(value);
    arguments.view(name);
    append_looks(arguments, index, looks);
    reply = co_await run(commit_, arguments, context, name, wait);
  }
  if (reply.elements.empty()) throw_garbled("a commit");
  Reply& first = reply.elements[0];
  if (first.type == Reply::Type::string) {
    looks.clear();
    states.clear();
    co_return WriteResult{WriteResult::Status::already_there, std::move(first.text)};
  }
  if (in_parts && first.integer == kStands)
    co_return co_await what_stands(context, item, value, looks, states, wait);
  judge(reply, looks, states);
  if (first.integer == 1) co_return WriteResult{};
  co_return WriteResult{WriteResult::Status::already_there, padded_copy(value)};
}

/// The value in whose place a long one was to be written. If it is the same, the looks are left to
/// be done.
Task<WriteResult> RedisStore::what_stands(const SessionContext& context, const ItemId& item,
                                          std::string_view value, std::vector<Look>& looks,
                                          std::vector<FanInState>& states, Wait wait) {
  const std::string key = item_key(index_key(context.session()), item.name, item.kind);
  const std::array<std::string_view, 2> get{"GET", key};
  Reply stored = co_await call(get, context, wait);
  if (stored.is_nil()) {  // removed in between
    co_return co_await write_once(context, item, value, looks, states, wait);
  }
  if (stored.text != value) {
    looks.clear();
    states.clear();
  }
  co_return WriteResult{WriteResult::Status::already_there, std::move(stored.text)};
}

Task<WriteResult> RedisStore::create(const SessionContext& context, const ItemId& item,
                                     std::string_view value, Wait wait) {
  std::vector<Look> looks;
  std::vector<FanInState> states;
  co_return co_await write_once(context, item, value, looks, states, wait);
}

Task<CommitResult> RedisStore::commit(const SessionContext& context, std::string_view value,
                                      std::span<const FanIn> fan_ins, Wait wait) {
  const ItemId item{context.instance(), ItemKind::outcome};
  std::vector<Look> looks = begin_looks(context, fan_ins);
  CommitResult result;
  result.fan_ins.resize(fan_ins.size());
  result.write = co_await write_once(context, item, value, looks, result.fan_ins, wait);
  co_await look_on(context, looks, result.fan_ins, wait);
  if (!result.fan_ins.empty()) co_await join_others(context, fan_ins, result.fan_ins, wait);
  co_return result;
}

Task<std::vector<FanInState>> RedisStore::join(const SessionContext& context,
                                               std::span<const FanIn> fan_ins, Wait wait) {
  std::vector<FanInState> states(fan_ins.size());
  std::vector<Look> looks = begin_looks(context, fan_ins);
  co_await look_on(context, looks, states, wait);
  co_await join_others(context, fan_ins, states, wait);
  co_return states;
}

/// Requesters and observers, whom the script does not know.
Task<void> RedisStore::join_others(const SessionContext& context, std::span<const FanIn> fan_ins,
                                   std::vector<FanInState>& states, Wait wait) {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < fan_ins.size(); ++i) {
    if (fan_ins[i].role != FanInRole::contributor) others.push_back(i);
  }
  const auto join_one = [&](std::size_t i) -> Task<void> {
    states[others[i]] = co_await requested_.join_requested(context, fan_ins[others[i]], wait);
  };
  co_await for_each_bounded(others.size(), kFanInsAtOnce, join_one);
}

/// Asks until every fan-in has its answer: each round marks what the one before told.
Task<void> RedisStore::look_on(const SessionContext& context, std::vector<Look>& looks,
                               std::vector<FanInState>& states, Wait wait) {
  const std::string index = index_key(context.session());
  const std::string name = item_name(context.instance(), ItemKind::outcome);
  while (!looks.empty()) {
    Arguments arguments;
    arguments.key(item_key(index, context.instance(), ItemKind::outcome));
    arguments.keys.push_back(index);
    arguments.key(index + ":-under-way");
    arguments.view("join");
    arguments.view("");
    arguments.view(name);
    append_looks(arguments, index, looks);
    const Reply reply = co_await run(commit_, arguments, context, "the fan-ins of " + name, wait);
    judge(reply, looks, states);
  }
}

}  // namespace unum::redis
