// A fan-in's record as text, and what another's record means.
#include "stores/fan_in_record.hpp"

#include <utility>

#include "base/json.hpp"

namespace unum {
namespace {

/// The name as it reads back from a record.
std::string as_recorded(const std::string& owner) {
  std::string text;
  json::append_string(text, owner);
  return json::string_value(json::View::trusted(text));
}

}  // namespace

FanInRecord record_of(const SessionContext& context, const FanIn& fan_in, std::string_view origin) {
  const bool may_be_elsewhere = fan_in.role != FanInRole::contributor;
  const bool has_place = fan_in.set != nullptr && fan_in.place < fan_in.set->size();
  if (fan_in.set == nullptr || context.instance().empty() || !(has_place || may_be_elsewhere)) {
    throw Error(ErrorKind::bug, origin, "Unum.InvalidFanIn",
                "the fan-in into \"" + fan_in.aggregator +
                    "\" has no list, no place in it or no instance that takes part");
  }
  return {context.instance(), fan_in.set->digest(), fan_in.set->summary(), {}};
}

std::string to_text(const FanInRecord& record) {
  std::string text = "{\"Owner\":";
  json::append_string(text, record.owner);
  text += ",\"Digest\":";
  json::append_string(text, record.digest);
  text += ",\"Values\":";
  json::append_string(text, record.values);
  if (!record.list.empty()) text.append(",\"List\":").append(record.list);
  text += '}';
  return text;
}

std::optional<FanInRecord> parse_record(std::string_view stored) {
  FanInRecord record;
  try {
    const json::View text = json::validate(stored, "a fan-in's record");
    if (json::type_of(text) != json::Type::object) return std::nullopt;
    for (const auto& [key, field] :
         {std::pair("Owner", &record.owner), std::pair("Digest", &record.digest),
          std::pair("Values", &record.values)}) {
      const auto member = json::member(text, key);
      if (!member || json::type_of(*member) != json::Type::string) return std::nullopt;
      *field = json::string_value(*member);
    }
    if (const auto list = json::member(text, "List")) record.list = *list;
  } catch (const Error&) {
    return std::nullopt;
  }
  return record;
}

FanInState mismatch_of(const FanInRecord& mine, const FanInRecord& theirs) {
  std::string detail = "[" + theirs.values + "] (recorded by " + theirs.owner;
  if (mine.values == theirs.values) {
    detail += "; the names or frames that are not shown here differ: digest " + theirs.digest +
              ", not " + mine.digest;
  }
  return {FanInState::Status::mismatch, detail + ")", {}};
}

FanInState judge_claim(const FanInRecord& mine, const FanInRecord& claim) {
  if (claim.digest != mine.digest) return mismatch_of(mine, claim);
  if (claim.owner == as_recorded(mine.owner)) return {FanInState::Status::claimed, {}, {}};
  return {FanInState::Status::taken, claim.owner, {}};
}

}  // namespace unum
