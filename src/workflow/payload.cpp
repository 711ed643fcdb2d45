// Payloads: one walk over the members, and text put together for children.
#include "workflow/payload.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

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

std::string text_of(json::View value, const char* field) {
  if (json::type_of(value) != json::Type::string)
    fail(std::string("\"") + field + "\" must be a string");
  std::string text = json::string_value(value);
  if (value.size() != text.size() + 2 && !is_utf8(text)) {
    fail(std::string("\"") + field + "\" is " + std::string(value.text()) +
         ", which holds half a character (a lone surrogate)");
  }
  return text;
}

std::size_t count_of(json::View value, std::string_view field) {
  std::size_t count = 0;
  const bool is_number = json::type_of(value) == json::Type::number && value.size() <= 15;
  for (const char c : value.text()) {
    if (!is_number || c < '0' || c > '9') {
      fail("\"" + std::string(field) + "\" must be an integer that is not negative");
    }
    count = count * 10 + static_cast<std::size_t>(c - '0');
  }
  return count;
}

PayloadData::Place place_of(json::View value) {
  constexpr const char* kField = "Data.Value.Bytes";
  if (json::type_of(value) == json::Type::array) {
    const std::vector<json::View> numbers = json::elements(value);
    if (numbers.size() == 2) return {count_of(numbers[0], kField), count_of(numbers[1], kField)};
  }
  fail(std::string("\"") + kField + "\" must be [first byte, number of bytes]");
}

RetryState read_retry(json::View value) {
  RetryState retry;
  if (json::type_of(value) == json::Type::null) return retry;
  if (json::type_of(value) != json::Type::object) fail("\"Retry\" must be an object");
  const auto attempt = json::member(value, "Attempt");
  const std::size_t number = attempt ? count_of(*attempt, "Retry.Attempt") : 0;
  if (number == 0 || number > std::numeric_limits<int>::max()) {
    fail("\"Retry\" must have an \"Attempt\", from 1");
  }
  retry.attempt = static_cast<int>(number);
  if (const auto error = json::member(value, "Error")) retry.error = text_of(*error, "Retry.Error");
  if (const auto cause = json::member(value, "Cause")) retry.cause = text_of(*cause, "Retry.Cause");
  const auto tries = json::member(value, "Tries");
  if (!tries) return retry;
  if (json::type_of(*tries) != json::Type::array) fail("\"Retry.Tries\" must be a list of numbers");
  for (const json::View uses : json::elements(*tries)) {
    retry.tries.push_back(static_cast<std::int64_t>(count_of(uses, "Retry.Tries")));
  }
  return retry;
}

void append_retry(std::string& out, const RetryState& retry) {
  out.append(R"(,"Retry":{"Attempt":)").append(std::to_string(retry.attempt));
  out += R"(,"Error":)";
  json::append_string(out, retry.error);
  out += R"(,"Cause":)";
  json::append_string(out, retry.cause);
  for (std::size_t i = 0; i < retry.tries.size(); ++i) {
    out.append(i == 0 ? R"(,"Tries":[)" : ",").append(std::to_string(retry.tries[i]));
  }
  out += retry.tries.empty() ? "}" : "]}";
}

void read_reference(json::View value, PayloadData& data) {
  const auto one_name = [&](json::View name, const char* field) {
    data.names.append({text_of(name, field), {}});
  };
  switch (json::type_of(value)) {
    case json::Type::array:
      data.shape = PayloadData::Shape::list;
      try {
        data.names = NameList::from_json(value);
      } catch (const Error& error) {
        fail("\"Data.Value\": " + error.message());
      }
      return;
    case json::Type::string:
      data.shape = PayloadData::Shape::single;
      one_name(value, "Data.Value");
      return;
    case json::Type::object: {
      data.shape = PayloadData::Shape::element;
      const auto pointer = json::member(value, "Pointer");
      const auto element = json::member(value, "Element");
      if (!pointer || !element) {
        fail("\"Data.Value\" by reference as an object needs \"Pointer\" and \"Element\"");
      }
      one_name(*pointer, "Data.Value.Pointer");
      data.element = count_of(*element, "Data.Value.Element");
      if (const auto bytes = json::member(value, "Bytes")) data.place = place_of(*bytes);
      return;
    }
    default:
      fail(
          "\"Data.Value\" by reference must be a list of pointers, a pointer, or {\"Pointer\", "
          "\"Element\"}");
  }
}

/// The known source that a `Source` names; empty if it names none.
std::string_view source_of(const std::optional<json::View>& value) {
  if (!value || json::type_of(*value) != json::Type::string) return {};
  return known_source(json::string_value(*value));
}

/// The fields of an object that may be a payload, found in one walk.
class Fields {
 public:
  std::optional<json::View> data;  ///< What stands there if it is no object, and is an error.
  bool has_data = false;           ///< An object.
  std::optional<json::View> source;
  std::optional<json::View> value;
  std::optional<json::View> session;
  std::optional<json::View> fan_out;
  std::optional<json::View> gc;
  std::optional<json::View> traceparent;
  std::optional<json::View> retry;

  explicit Fields(json::View object) : at_(object) {
    at_.enter();
    for (json::View key; at_.next_member(key);) {
      if (json::string_equals(key, "Data")) {
        if (has_data || data) repeated_ = "Data";
        if (at_.type() == json::Type::object) {
          read_data();
        } else {
          data = at_.value();
        }
      } else if (!take(key, "Session", session) && !take(key, "Fan-out", fan_out) &&
                 !take(key, "GC", gc) && !take(key, "traceparent", traceparent) &&
                 !take(key, "Retry", retry)) {
        others_.push_back(key);
        at_.value();
      }
    }
  }

  /// A key that stands twice; empty if none does. (Those that nobody reads need a check of their
  /// own, and are rare.)
  std::string repeated() const {
    if (!repeated_.empty()) return std::string(repeated_);
    std::string key = repeated_of(others_);
    return key.empty() ? repeated_of(others_in_data_) : key;
  }

 private:
  void read_data() {
    has_data = true;
    at_.enter();
    for (json::View key; at_.next_member(key);) {
      if (take(key, "Source", source) || take(key, "Value", value)) continue;
      others_in_data_.push_back(key);
      at_.value();
    }
  }

  bool take(json::View key, std::string_view name, std::optional<json::View>& field) {
    if (!json::string_equals(key, name)) return false;
    if (field) repeated_ = name;
    field = at_.value();
    return true;
  }

  static std::string repeated_of(const std::vector<json::View>& keys) {
    if (keys.size() < 2) return {};
    std::vector<std::string> texts;
    texts.reserve(keys.size());
    for (const json::View key : keys) texts.push_back(json::string_value(key));
    std::sort(texts.begin(), texts.end());
    const auto found = std::adjacent_find(texts.begin(), texts.end());
    return found == texts.end() ? std::string() : *found;
  }

  json::Cursor at_;
  std::string_view repeated_;
  std::vector<json::View> others_;
  std::vector<json::View> others_in_data_;
};

Payload payload_of(const Fields& fields) {
  if (const std::string key = fields.repeated(); !key.empty()) {
    fail("the key \"" + key + "\" stands twice in one object");
  }
  if (fields.data) fail("\"Data\" must be an object");
  if (!fields.has_data) fail("\"Data\" is missing");
  Payload payload;
  PayloadData& data = payload.data;
  data.source = source_of(fields.source);
  if (data.source.empty()) {
    const std::string given = fields.source ? text_of(*fields.source, "Data.Source") : "";
    fail("\"Data.Source\" is \"" + given + "\"; it may be \"http\" or a data store type");
  }
  if (!fields.value) fail("\"Data\" has no \"Value\"");
  if (data.source == kByValue) {
    data.value = *fields.value;
  } else {
    read_reference(*fields.value, data);
  }
  if (fields.session && json::type_of(*fields.session) != json::Type::null) {
    payload.session = text_of(*fields.session, "Session");
    if (payload.session.empty()) fail("\"Session\" must not be empty");
  }
  if (fields.fan_out) payload.frames = parse_fan_out(*fields.fan_out);
  if (fields.gc && json::type_of(*fields.gc) == json::Type::object) payload.gc = fields.gc;
  if (fields.traceparent) payload.traceparent = text_of(*fields.traceparent, "traceparent");
  if (fields.retry) payload.retry = read_retry(*fields.retry);
  return payload;
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
                 std::string_view traceparent, std::string_view gc) {
  out += '}';
  if (!session.empty()) {
    out += R"(,"Session":)";
    json::append_string(out, session);
  }
  if (!frames.empty()) {
    out += R"(,"Fan-out":)";
    append_fan_out(out, frames);
  }
  if (!gc.empty()) out.append(R"(,"GC":)").append(gc);
  if (!traceparent.empty()) {
    out += R"(,"traceparent":)";
    json::append_string(out, traceparent);
  }
  out += '}';
}

}  // namespace

std::optional<Payload> parse_if_payload(json::View text) {
  if (json::type_of(text) != json::Type::object) return std::nullopt;
  const Fields fields(text);
  // The input of an entry function may be any object, one with a repeated key, too.
  if (!fields.has_data || source_of(fields.source).empty() || !fields.repeated().empty()) {
    return std::nullopt;
  }
  Payload payload = payload_of(fields);
  payload.text = text;
  return payload;
}

Payload parse_payload(json::View text) {
  if (json::type_of(text) != json::Type::object) fail("it must be an object");
  Payload payload = payload_of(Fields(text));
  payload.text = text;
  return payload;
}

json::Text payload_of_attempt(const Payload& payload, std::string_view session,
                              const RetryState& retry) {
  std::string out;
  if (json::type_of(payload.text) != json::Type::object) {
    out = payload_by_value(payload.data.value, session, payload.frames, payload.traceparent).text();
    out.pop_back();
  } else {
    out.reserve(payload.text.size() + retry.cause.size() + 256);
    json::MemberReader members(payload.text);
    json::View key;
    for (json::View value; members.next(key, value);) {
      if (json::string_equals(key, "Retry") || json::string_equals(key, "Session")) continue;
      out += out.empty() ? '{' : ',';
      out.append(key.text()).append(1, ':').append(value.text());
    }
    out += R"(,"Session":)";  // never the first: a payload has its data
    json::append_string(out, session);
  }
  append_retry(out, retry);
  out += '}';
  return json::Text::trusted(std::move(out));
}

json::Text payload_by_value(json::View value, std::string_view session,
                            std::span<const Frame> frames, std::string_view traceparent,
                            std::string_view gc) {
  std::string out = begin_payload(kByValue, value.size() + frames.size() * 64 + gc.size());
  out += value.text();
  end_payload(out, session, frames, traceparent, gc);
  return json::Text::trusted(std::move(out));
}

json::Text payload_by_pointer(std::string_view source, std::string_view instance,
                              std::string_view session, std::span<const Frame> frames,
                              std::string_view traceparent, std::string_view gc) {
  std::string out = begin_payload(source, instance.size() + frames.size() * 64 + gc.size());
  json::append_string(out, instance);
  end_payload(out, session, frames, traceparent, gc);
  return json::Text::trusted(std::move(out));
}

json::Text payload_by_element(std::string_view source, std::string_view instance,
                              std::size_t element, PayloadData::Place place,
                              std::string_view session, std::span<const Frame> frames,
                              std::string_view traceparent, std::string_view gc) {
  std::string out = begin_payload(source, instance.size() + frames.size() * 64 + gc.size() + 80);
  out += R"({"Pointer":)";
  json::append_string(out, instance);
  out.append(R"(,"Element":)").append(std::to_string(element));
  out.append(R"(,"Bytes":[)").append(std::to_string(place.offset)) += ',';
  out.append(std::to_string(place.bytes)) += "]}";
  end_payload(out, session, frames, traceparent, gc);
  return json::Text::trusted(std::move(out));
}

json::Text payload_by_reference(std::string_view source, const NameList& names,
                                std::string_view session, std::span<const Frame> frames,
                                std::string_view traceparent, std::string_view gc) {
  std::string out =
      begin_payload(source, names.runs().size() * 64 + frames.size() * 64 + gc.size());
  names.append_json(out);
  end_payload(out, session, frames, traceparent, gc);
  return json::Text::trusted(std::move(out));
}

}  // namespace unum
