// Payloads: one pass over the members, and text put together for children.
#include "workflow/payload.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/store_types.hpp"
#include "base/utf8.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

constexpr std::string_view kByValue = "http";

/// What `Source` means: "http" or a type of store by its own word; empty for what is neither.
std::string_view known_source(std::string_view word) noexcept {
  if (word == kByValue) return kByValue;
  const StoreTypeInfo* const type = find_store_type(word);
  return type != nullptr ? type->word : std::string_view();
}

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
              "the input payload is wrong: " + message);
}

std::string text_of(std::string_view value, const char* field) {
  if (json::type_of(value) != json::Type::string)
    fail(std::string("\"") + field + "\" must be a string");
  std::string text = json::string_value(value);
  if (!is_utf8(text)) {
    fail(std::string("\"") + field + "\" is " + std::string(value) +
         ", which holds half a character (a lone surrogate)");
  }
  return text;
}

std::size_t index_of(std::string_view value) {
  std::size_t index = 0;
  if (json::type_of(value) != json::Type::number || value.size() > 18) {
    fail("\"Data.Value.Element\" must be an integer that is not negative");
  }
  for (const char c : value) {
    if (c < '0' || c > '9') fail("\"Data.Value.Element\" must be an integer that is not negative");
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

void read_reference(std::string_view value, PayloadData& data) {
  switch (json::type_of(value)) {
    case json::Type::array: {
      data.shape = PayloadData::Shape::list;
      const auto elements = json::elements(value);
      data.pointers.reserve(elements.size());
      for (const std::string_view element : elements) {
        data.pointers.push_back(text_of(element, "Data.Value[]"));
      }
      return;
    }
    case json::Type::string:
      data.shape = PayloadData::Shape::single;
      data.pointers.push_back(text_of(value, "Data.Value"));
      return;
    case json::Type::object: {
      data.shape = PayloadData::Shape::element;
      bool has_element = false;
      for (const json::Member& member : json::members(value)) {
        if (member.key == "Pointer")
          data.pointers.push_back(text_of(member.value, "Data.Value.Pointer"));
        if (member.key == "Element") {
          data.element = index_of(member.value);
          has_element = true;
        }
      }
      if (data.pointers.empty() || !has_element) {
        fail("\"Data.Value\" by reference as an object needs \"Pointer\" and \"Element\"");
      }
      return;
    }
    default:
      fail(
          "\"Data.Value\" by reference must be a list of pointers, a pointer, or {\"Pointer\", "
          "\"Element\"}");
  }
}

void read_data(std::string_view text, PayloadData& data) {
  std::optional<std::string_view> value;
  std::string source;
  for (const json::Member& member : json::members(text)) {
    if (member.key == "Source") source = text_of(member.value, "Data.Source");
    if (member.key == "Value") value = member.value;
  }
  data.source = known_source(source);
  if (data.source.empty())
    fail("\"Data.Source\" is \"" + source + "\"; it may be \"http\" or a data store type");
  if (!value) fail("\"Data\" has no \"Value\"");
  if (data.source == kByValue) {
    data.shape = PayloadData::Shape::value;
    data.value = *value;
  } else {
    read_reference(*value, data);
  }
}

std::string begin_payload(std::string_view source, std::size_t capacity) {
  std::string out;
  out.reserve(capacity + 160);
  out += R"({"Data":{"Source":")";
  out += source;
  out += R"(","Value":)";
  return out;
}

void end_payload(std::string& out, std::string_view session, std::span<const Frame> frames,
                 std::string_view traceparent) {
  out += '}';
  if (!session.empty()) {
    out += R"(,"Session":)";
    json::append_string(out, session);
  }
  if (!frames.empty()) {
    out += R"(,"Fan-out":)";
    append_fan_out(out, frames);
  }
  if (!traceparent.empty()) {
    out += R"(,"traceparent":)";
    json::append_string(out, traceparent);
  }
  out += '}';
}

}  // namespace

bool is_payload(std::string_view json_text) {
  const std::string_view text = json::trim(json_text);
  if (json::type_of(text) != json::Type::object) return false;
  // The input of an entry function may be any object, one with a repeated key, too: then it is no
  // payload.
  try {
    for (const json::Member& member : json::members(text)) {
      if (member.key != "Data" || json::type_of(member.value) != json::Type::object) continue;
      for (const json::Member& inner : json::members(member.value)) {
        if (inner.key == "Source" && json::type_of(inner.value) == json::Type::string) {
          return !known_source(json::string_value(inner.value)).empty();
        }
      }
    }
  } catch (const Error&) {
    return false;
  }
  return false;
}

Payload parse_payload(std::string_view json_text) {
  const std::string_view text = json::trim(json_text);
  if (json::type_of(text) != json::Type::object) fail("it must be an object");
  Payload payload;
  bool has_data = false;
  for (const json::Member& member : json::members(text)) {
    if (member.key == "Data") {
      if (json::type_of(member.value) != json::Type::object) fail("\"Data\" must be an object");
      read_data(member.value, payload.data);
      has_data = true;
    } else if (member.key == "Session") {
      if (json::type_of(member.value) == json::Type::null) continue;
      payload.session = text_of(member.value, "Session");
      if (payload.session.empty()) fail("\"Session\" must not be empty");
    } else if (member.key == "Fan-out") {
      payload.frames = parse_fan_out(member.value);
    } else if (member.key == "traceparent") {
      payload.traceparent = text_of(member.value, "traceparent");
    }
  }
  if (!has_data) fail("\"Data\" is missing");
  return payload;
}

std::string payload_by_value(std::string_view value, std::string_view session,
                             std::span<const Frame> frames, std::string_view traceparent) {
  std::string out = begin_payload(kByValue, value.size() + frames.size() * 64);
  out += value;
  end_payload(out, session, frames, traceparent);
  return out;
}

std::string payload_by_reference(std::string_view source, std::span<const std::string> pointers,
                                 std::string_view session, std::span<const Frame> frames,
                                 std::string_view traceparent) {
  std::size_t bytes = 0;
  for (const std::string& pointer : pointers) bytes += pointer.size() + 3;
  std::string out = begin_payload(source, bytes + frames.size() * 64);
  out += '[';
  for (const std::string& pointer : pointers) {
    if (&pointer != pointers.data()) out += ',';
    json::append_string(out, pointer);
  }
  out += ']';
  end_payload(out, session, frames, traceparent);
  return out;
}

}  // namespace unum
