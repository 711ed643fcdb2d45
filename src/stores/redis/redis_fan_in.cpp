// Checkpoint and fan-ins in one script call.
//
// The server keeps, for each fan-in under way, which outcomes are known to exist (a bit a place)
// and one name that was missing at the last check. A mark is made only where the value stands, in
// the same atomic step, so that "all marked" means "all exist". A contributor marks itself and
// asks whether the name that was missing still is: nearly always it is, and that is the whole
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
// Requested fan-ins that one instance checks at once; nearly always it is in one or two.
constexpr std::size_t kFanInsAtOnce = 16;

}  // namespace

/// One fan-in on its way to an answer.
struct RedisStore::FanInCheck {
  const FanIn* fan_in = nullptr;
  std::size_t state = 0;  ///< Index of its answer.
  FanInRecord mine;
  std::string text;
  std::vector<std::size_t> places;  ///< Whose names go along.
  std::size_t most = kPlacesToldFirst;
};

std::vector<RedisStore::FanInCheck> RedisStore::begin_checks(const SessionContext& context,
                                                             std::span<const FanIn> fan_ins) const {
  std::vector<FanInCheck> checks;
  checks.reserve(fan_ins.size());
  for (std::size_t i = 0; i < fan_ins.size(); ++i) {
    if (fan_ins[i].role != FanInRole::contributor) continue;
    FanInCheck& check = checks.emplace_back();
    check.fan_in = &fan_ins[i];
    check.state = i;
    check.mine = record_of(context, fan_ins[i], "redis");
    check.text = to_text(check.mine);
    const std::size_t size = fan_ins[i].set->size();
    for (std::size_t n = 1; n <= std::min(kNamesBrought, size - 1); ++n)
      check.places.push_back((fan_ins[i].place + n) % size);
  }
  return checks;
}

void RedisStore::append_checks(Arguments& arguments, std::string_view index,
                               const std::vector<FanInCheck>& checks) const {
  arguments.value(std::to_string(checks.size()));
  for (const FanInCheck& check : checks) {
    const FanIn& fan_in = *check.fan_in;
    arguments.key(item_key(index, fan_in.aggregator, ItemKind::claim));
    const std::string under_way = std::string(index) + ":" + fan_in.aggregator;
    arguments.key(under_way + std::string(kMarksSuffix));
    arguments.key(under_way + std::string(kChecksSuffix));
    arguments.value(std::to_string(fan_in.set->size()));
    arguments.value(std::to_string(fan_in.place));
    arguments.view(check.mine.digest);
    arguments.view(check.text);
    arguments.view(fan_in.aggregator);
    arguments.value(std::to_string(check.most));
    arguments.value(std::to_string(check.places.size()));
    for (const std::size_t place : check.places) {
      arguments.key(item_key(index, fan_in.set->name(place), ItemKind::outcome));
      arguments.value(std::to_string(place));
    }
  }
}

/// Takes the answers, and leaves in `checks` what is to be asked again.
void RedisStore::take_answers(const Reply& reply, std::vector<FanInCheck>& checks,
                              std::vector<FanInState>& states) const {
  if (reply.elements.size() != checks.size() + 1) throw_garbled("a commit");
  std::vector<FanInCheck> again;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    FanInCheck& check = checks[i];
    const std::vector<Reply>& answer = reply.elements[i + 1].elements;
    if (answer.empty()) throw_garbled("a fan-in");
    const std::string& word = answer[0].text;
    FanInState& state = states[check.state];
    if (word == "incomplete") {
      state = {};
    } else if (word == "claimed") {
      state.status = FanInState::Status::claimed;
    } else if (word == "stands" && answer.size() == 2) {
      const std::optional<FanInRecord> theirs = parse_record(answer[1].text);
      if (!theirs) throw_garbled("a fan-in");
      state = judge_claim(check.mine, *theirs);
    } else if (word == "check" && answer.size() > 1) {
      check.places.clear();
      for (std::size_t n = 1; n < answer.size(); ++n) {
        const auto place = static_cast<std::size_t>(answer[n].integer);
        if (answer[n].integer < 0 || place >= check.fan_in->set->size()) throw_garbled("a fan-in");
        check.places.push_back(place);
      }
      check.most = std::min(4 * check.most, kPlacesToldMax);
      again.push_back(std::move(check));
    } else {
      throw_garbled("a fan-in");
    }
  }
  checks = std::move(again);
}

/// Writes the value if it is absent, and checks the fan-ins if it is the one that stands.
Task<WriteResult> RedisStore::write_once(const SessionContext& context, const ItemId& item,
                                         std::string_view value, std::vector<FanInCheck>& checks,
                                         std::vector<FanInState>& states, Wait wait) {
  const bool in_parts = value.size() > kPartBytes;
  const std::string index = index_key(context.session());
  Arguments arguments;
  arguments.key(item_key(index, item.name, item.kind));
  arguments.keys.push_back(index);
  arguments.key(index + ":-under-way");
  const std::string name = item_name(item.name, item.kind);
  const bool keeps = item.kind == ItemKind::outcome;
  const std::string_view beside = keeps ? context.redelivery() : std::string_view();
  Reply reply;
  if (in_parts) {
    arguments.view("rename");
    arguments.value(std::to_string(value.size()));
    arguments.view(name);
    append_checks(arguments, index, checks);
    arguments.view(beside);
    reply = co_await run_with_parts(commit_, arguments, context, name, value, wait);
  } else {
    arguments.view("commit");
    arguments.view(value);
    arguments.view(name);
    append_checks(arguments, index, checks);
    arguments.view(beside);
    reply = co_await run(commit_, arguments, context, name, wait);
  }
  if (reply.elements.empty()) throw_garbled("a commit");
  Reply& first = reply.elements[0];
  if (first.type == Reply::Type::string) {
    checks.clear();
    states.clear();
    co_return WriteResult{WriteResult::Status::already_there, std::move(first.text)};
  }
  if (in_parts && first.integer == kStands)
    co_return co_await what_stands(context, item, value, checks, states, wait);
  take_answers(reply, checks, states);
  if (first.integer == 1) co_return WriteResult{};
  co_return WriteResult{WriteResult::Status::already_there, padded_copy(value)};
}

/// The value in whose place a long one was to be written. If it is the same, the checks are left to
/// be done.
Task<WriteResult> RedisStore::what_stands(const SessionContext& context, const ItemId& item,
                                          std::string_view value, std::vector<FanInCheck>& checks,
                                          std::vector<FanInState>& states, Wait wait) {
  const std::string key = item_key(index_key(context.session()), item.name, item.kind);
  const std::array<std::string_view, 2> get{"GET", key};
  Reply stored = co_await call(get, context, wait);
  if (stored.is_nil()) {  // removed in between
    co_return co_await write_once(context, item, value, checks, states, wait);
  }
  if (stored.text != value) {
    checks.clear();
    states.clear();
  }
  co_return WriteResult{WriteResult::Status::already_there, std::move(stored.text)};
}

Task<WriteResult> RedisStore::create(const SessionContext& context, const ItemId& item,
                                     std::string_view value, Wait wait) {
  std::vector<FanInCheck> checks;
  std::vector<FanInState> states;
  co_return co_await write_once(context, item, value, checks, states, wait);
}

Task<CommitResult> RedisStore::commit(const SessionContext& context, std::string_view value,
                                      std::span<const FanIn> fan_ins, Wait wait) {
  const ItemId item{context.instance(), ItemKind::outcome};
  std::vector<FanInCheck> checks = begin_checks(context, fan_ins);
  CommitResult result;
  result.fan_ins.resize(fan_ins.size());
  result.write = co_await write_once(context, item, value, checks, result.fan_ins, wait);
  co_await finish_checks(context, checks, result.fan_ins, wait);
  if (!result.fan_ins.empty()) co_await join_others(context, fan_ins, result.fan_ins, wait);
  co_return result;
}

Task<std::vector<FanInState>> RedisStore::join(const SessionContext& context,
                                               std::span<const FanIn> fan_ins, Wait wait) {
  std::vector<FanInState> states(fan_ins.size());
  std::vector<FanInCheck> checks = begin_checks(context, fan_ins);
  co_await finish_checks(context, checks, states, wait);
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
Task<void> RedisStore::finish_checks(const SessionContext& context, std::vector<FanInCheck>& checks,
                                     std::vector<FanInState>& states, Wait wait) {
  const std::string index = index_key(context.session());
  const std::string name = item_name(context.instance(), ItemKind::outcome);
  while (!checks.empty()) {
    Arguments arguments;
    arguments.key(item_key(index, context.instance(), ItemKind::outcome));
    arguments.keys.push_back(index);
    arguments.key(index + ":-under-way");
    arguments.view("join");
    arguments.view("");
    arguments.view(name);
    append_checks(arguments, index, checks);
    arguments.view("");
    const Reply reply = co_await run(commit_, arguments, context, "the fan-ins of " + name, wait);
    take_answers(reply, checks, states);
  }
}

}  // namespace unum::redis
