// See collectable.hpp.
#include "workflow/collectable.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
              "the input payload is wrong: \"GC" + message);
}

void append_list(std::string& out, std::string_view key, const NameList& names) {
  out += out.size() > 1 ? ",\"" : "\"";
  out.append(key).append("\":");
  names.append_json(out);
}

InstanceName name_of(const std::string& function, const Frames& frames) {
  InstanceName name{function, {}};
  name.indexes.reserve(frames.size());
  for (const Frame& frame : frames) name.indexes.push_back(frame.index);
  return name;
}

bool flag_in(json::View value, const char* field) {
  if (json::type_of(value) != json::Type::boolean) {
    fail(std::string(field) + "\" must be true or false");
  }
  return value == "true";
}

NameList list_in(json::View value, const char* field) {
  if (json::type_of(value) != json::Type::array) fail(std::string(field) + "\" must be a list");
  return NameList::from_json(value);
}

}  // namespace

std::string to_json(const Collectable& collectable) {
  std::string out = "{";
  if (!collectable.parent.empty()) {
    out += "\"Parent\":";
    json::append_string(out, collectable.parent);
    if (!collectable.readers.empty()) append_list(out, "Readers", collectable.readers);
    if (collectable.beside) out += ",\"Beside\":true";
  }
  if (collectable.sole_reader) {
    out += out.size() > 1 ? ",\"SoleReader\":true" : "\"SoleReader\":true";
  }
  return out += '}';
}

Collectable parse_collectable(json::View value) {
  if (json::type_of(value) != json::Type::object) fail("\" must be an object");
  Collectable collectable;
  for (const json::Member& member : json::members(value)) {
    if (member.key == "Parent") {
      if (json::type_of(member.value) != json::Type::string) fail(".Parent\" must be a string");
      collectable.parent = json::string_value(member.value);
    } else if (member.key == "Readers") {
      collectable.readers = list_in(member.value, ".Readers");
    } else if (member.key == "Beside") {
      collectable.beside = flag_in(member.value, ".Beside");
    } else if (member.key == "SoleReader") {
      collectable.sole_reader = flag_in(member.value, ".SoleReader");
    }
  }
  return collectable;
}

NameList readers_of(const Plan& plan) {
  NameList readers;
  for (const PlannedChild& child : plan.children) {
    readers.append(name_of(child.edge->target, child.frames));
  }
  for (const PlannedFanIn& fan_in : plan.fan_ins) {
    const std::optional<InstanceName> name = parse_instance_name(fan_in.aggregator);
    readers.append(name ? *name : InstanceName{fan_in.aggregator, {}});
  }
  return readers;
}

bool has_unknown_readers(const FunctionIr& function, const Frames& frames) {
  if (!function.linked || function.read_by_descendants) return true;
  // A later round may name an earlier one.
  return function.named_in_values && !frames.empty() && frames.front().type == FrameType::loop;
}

std::string redelivery_text(std::span<const Frame> frames, std::optional<json::View> gc,
                            const NameList* readers) {
  std::string out = "{";
  out.reserve(64 + frames.size() * 64 + (gc ? gc->size() : 0));
  if (!frames.empty()) {
    out += "\"Fan-out\":";
    append_fan_out(out, frames);
  }
  if (gc) {
    out += out.size() > 1 ? ",\"GC\":" : "\"GC\":";
    out += gc->text();
  }
  if (readers != nullptr) append_list(out, "Readers", *readers);
  return out += '}';
}

Redelivery parse_redelivery(std::string_view kept, std::string_view instance) {
  try {
    const json::View object = json::validate(kept, "it");
    if (json::type_of(object) != json::Type::object) fail("\" is no object");
    Redelivery redelivery;
    if (const auto frames = json::member(object, "Fan-out")) {
      redelivery.frames = parse_fan_out(*frames);
    }
    if (const auto gc = json::member(object, "GC")) redelivery.collectable = parse_collectable(*gc);
    if (const auto list = json::member(object, "Readers")) {
      redelivery.readers = list_in(*list, ".Readers");
    }
    return redelivery;
  } catch (const Error& error) {
    throw Error(ErrorKind::corrupt, "runtime", "Unum.NoRedelivery",
                "what is kept beside the outcome of " + std::string(instance) +
                    " for another delivery cannot be read: " + error.message());
  }
}

}  // namespace unum
