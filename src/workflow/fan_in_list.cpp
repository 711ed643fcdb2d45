// See fan_in_list.hpp.
#include "workflow/fan_in_list.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "unum/error.hpp"

namespace unum {

FanInList::FanInList(NameList names, Frames frames, InstanceName own, bool siblings_take_part)
    : names_(std::move(names)),
      frames_(std::move(frames)),
      own_(std::move(own)),
      siblings_take_part_(siblings_take_part),
      digest_(names_.digest()) {
  // The frames are part of the aggregator's name but for their types and sizes.
  digest_ += '/';
  for (const Frame& frame : frames_) {
    digest_ += to_string(frame.type).front();
    digest_ += std::to_string(frame.size);
  }
}

std::string FanInList::summary() const {
  std::string text = names_.summary();
  if (!frames_.empty()) {
    text += " with Fan-out ";
    append_fan_out(text, frames_);
  }
  return text;
}

std::string FanInList::to_json() const {
  std::string text = "{\"Names\":";
  names_.append_json(text);
  if (!frames_.empty()) {
    text += ",\"Fan-out\":";
    append_fan_out(text, frames_);
  }
  text += '}';
  return text;
}

std::optional<std::size_t> FanInList::place_of(std::string_view instance) const {
  const std::optional<InstanceName> name = parse_instance_name(instance);
  return name ? names_.place_of(*name) : std::nullopt;
}

bool FanInList::takes_part(std::size_t place) const {
  const InstanceName other = names_.at(place);
  if (other == own_) return true;
  return siblings_take_part_ && other.function == own_.function &&
         other.indexes.size() == own_.indexes.size() &&
         std::equal(own_.indexes.begin() + 1, own_.indexes.end(), other.indexes.begin() + 1);
}

std::vector<std::size_t> FanInList::repeats(std::size_t place) const {
  std::vector<std::size_t> places = names_.places_of(names_.at(place));
  std::erase(places, place);
  return places;
}

std::shared_ptr<const FanInSet> FanInListReader::read(std::string_view text) const {
  try {
    const json::View record = json::validate(text, "the list of a fan-in");
    if (json::type_of(record) != json::Type::object) return nullptr;
    const auto array = json::member(record, "Names");
    if (!array) return nullptr;
    const auto fan_out = json::member(record, "Fan-out");
    return std::make_shared<const FanInList>(NameList::from_json(*array),
                                             fan_out ? parse_fan_out(*fan_out) : Frames{},
                                             InstanceName{}, false);
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace unum
