// Reading of DynamoDB's responses.
#include "stores/dynamodb/response.hpp"

#include <openssl/evp.h>

#include <charconv>
#include <limits>

#include "base/json.hpp"
#include "base/padded.hpp"
#include "stores/dynamodb/request.hpp"
#include "unum/error.hpp"

namespace unum::dynamodb {
namespace {

namespace ondemand = simdjson::ondemand;

/// What a response has that it may not have, still without the call that it answers.
struct BadResponse final : Error {
  explicit BadResponse(std::string why)
      : Error(ErrorKind::corrupt, "dynamodb", "Unum.BadReply", std::move(why)) {}
};

[[noreturn]] void throw_corrupt(std::string_view what) { throw BadResponse(std::string(what)); }

/// A key as it stands, compared without a look for escapes, as simdjson's own look-ups do: neither
/// the service's names nor ours hold anything that is written as one.
using Key = ondemand::raw_json_string;

[[gnu::always_inline]] inline bool is(Key key, std::string_view name) noexcept {
  return key.unsafe_is_equal(name);
}

/// An attribute's one type, and its value, also as the text that it is.
struct Typed {
  Key type;
  std::string_view token;
  ondemand::value value;
};

std::string_view without_space_behind(std::string_view token) noexcept {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
  return token;
}

/// Inlined: simdjson's values are then kept in registers. Copied through memory, as they are for a
/// call, they cost more than the rest of what is done with them.
[[gnu::always_inline]] inline Typed typed(ondemand::value attribute) {
  ondemand::object object = attribute.get_object();
  for (ondemand::field field : object) {
    const Key type = field.key();
    ondemand::value value = field.value();
    return {type, value.raw_json_token(), value};
  }
  throw_corrupt("an attribute without a type");
}

template <class Number>
Number number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw_corrupt("a number that is none of ours");
  }
  return number;
}

/// What stands between a string's quotes, escapes included, where it lies.
std::string_view inside_of(std::string_view token) {
  token = without_space_behind(token);
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') {
    throw_corrupt("a string was expected");
  }
  return token.substr(1, token.size() - 2);
}

/// A string, where it lies if no escape stands in it: simdjson's own reader of strings copies each.
[[gnu::always_inline]] inline std::string_view text_of(const Typed& string) {
  const std::string_view inside = inside_of(string.token);
  if (inside.find('\\') == std::string_view::npos) return inside;
  return ondemand::value(string.value).get_string();
}

[[gnu::always_inline]] inline std::string_view string_in(const Typed& attribute) {
  if (!is(attribute.type, "S")) throw_corrupt("a string was expected");
  return text_of(attribute);
}

template <class Number>
[[gnu::always_inline]] inline Number number_in(const Typed& attribute) {
  if (!is(attribute.type, "N")) throw_corrupt("a number was expected");
  return number_of<Number>(inside_of(attribute.token));
}

/// Nanoseconds since 1970. Others may write times that our integers do not hold; these do not make
/// the table unreadable.
std::int64_t time_in(const Typed& attribute) {
  if (!is(attribute.type, "N")) throw_corrupt("a number was expected");
  const std::string_view text = inside_of(attribute.token);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range && end == text.data() + text.size()) {
    return text.starts_with('-') ? std::numeric_limits<std::int64_t>::min()
                                 : std::numeric_limits<std::int64_t>::max();
  }
  return number_of<std::int64_t>(text);
}

void append_base64_decoded(std::string& out, std::string_view text) {
  if (text.empty()) return;
  if (text.size() % 4 != 0) throw_corrupt("bytes that are no base64");
  const std::size_t begin = out.size();
  out.resize(begin + text.size() / 4 * 3);
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data() + begin),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) throw_corrupt("bytes that are no base64");
  const std::size_t fill = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  out.resize(begin + static_cast<std::size_t>(length) - fill);
}

void append_json(std::string& out, ondemand::value attribute);

void append_json_list(std::string& out, ondemand::array list) {
  out += '[';
  bool first = true;
  for (ondemand::value element : list) {
    if (!std::exchange(first, false)) out += ',';
    append_json(out, element);
  }
  out += ']';
}

void append_json_map(std::string& out, ondemand::object map) {
  out += '{';
  bool first = true;
  for (ondemand::field field : map) {
    if (!std::exchange(first, false)) out += ',';
    const std::string_view key = field.unescaped_key();
    json::append_string(out, key);
    out += ':';
    append_json(out, field.value());
  }
  out += '}';
}

/// Sets of strings, numbers and bytes become arrays; bytes stay base64.
void append_json_set(std::string& out, bool of_numbers, ondemand::array set) {
  out += '[';
  bool first = true;
  for (ondemand::value element : set) {
    if (!std::exchange(first, false)) out += ',';
    const std::string_view text = element.get_string();
    of_numbers ? out.append(text) : (json::append_string(out, text), out);
  }
  out += ']';
}

/// A native value (a map, list, number, ...) as the JSON text that it stands for.
void append_json(std::string& out, Typed content) {
  if (is(content.type, "M")) return append_json_map(out, content.value.get_object());
  if (is(content.type, "L")) return append_json_list(out, content.value.get_array());
  if (is(content.type, "NULL")) {
    out += "null";
  } else if (is(content.type, "BOOL")) {
    const bool truth = content.value.get_bool();
    out += truth ? "true" : "false";
  } else if (is(content.type, "NS") || is(content.type, "SS") || is(content.type, "BS")) {
    append_json_set(out, is(content.type, "NS"), content.value.get_array());
  } else if (is(content.type, "N")) {
    out += inside_of(content.token);
  } else if (is(content.type, "S") || is(content.type, "B")) {
    const std::string_view text = content.value.get_string();
    json::append_string(out, text);
  } else {
    throw_corrupt("an attribute of an unknown type");
  }
}

void append_json(std::string& out, ondemand::value attribute) {
  append_json(out, typed(attribute));
}

/// Values have room for a parser behind their end.
std::string text_value(std::string_view inside) {
  std::string value;
  value.reserve(inside.size() + kValuePadding);
  try {
    json::append_unescaped(value, inside);
  } catch (const Error&) {
    throw_corrupt("a string with a broken escape");
  }
  return value;
}

std::string bytes_value(std::string_view base64) {
  std::string value;
  value.reserve(base64.size() / 4 * 3 + kValuePadding);
  append_base64_decoded(value, base64);
  return value;
}

std::string native_value(const Typed& content) {
  std::string value;
  append_json(value, content);
  value.reserve(value.size() + kValuePadding);
  return value;
}

/// A value: the text or bytes themselves, or the JSON text of a native one.
[[gnu::always_inline]] inline std::string value_in(const Typed& attribute) {
  if (is(attribute.type, "S")) return text_value(inside_of(attribute.token));
  if (is(attribute.type, "B")) return bytes_value(text_of(attribute));
  return native_value(attribute);
}

std::uint64_t marks_in(Typed attribute) {
  if (!is(attribute.type, "NS")) throw_corrupt("a set of numbers was expected");
  std::uint64_t marks = 0;
  for (ondemand::value element : attribute.value.get_array()) {
    const std::string_view text = element.get_string();
    const auto slot = number_of<unsigned>(text);
    if (slot >= 64) throw_corrupt("a mark beyond a node's slots");
    marks |= std::uint64_t{1} << slot;
  }
  return marks;
}

[[gnu::always_inline]] inline void read_attribute(Key name, const Typed& attribute, Item& item) {
  if (is(name, attribute::kName)) {
    item.name = string_in(attribute);
  } else if (is(name, attribute::kUser)) {
    item.value = value_in(attribute);
  } else if (is(name, attribute::kValue)) {
    if (!item.value) item.value = value_in(attribute);
  } else if (is(name, attribute::kBytes)) {
    item.bytes = number_in<std::uint64_t>(attribute);
  } else if (is(name, attribute::kWritten)) {
    item.written_ns = time_in(attribute);
  } else if (is(name, attribute::kFullName)) {
    item.full_name = string_in(attribute);
  } else if (is(name, attribute::kParts)) {
    item.parts = number_in<std::uint64_t>(attribute);
  } else if (is(name, attribute::kWriter)) {
    item.writer = string_in(attribute);
  } else if (is(name, attribute::kOffset)) {
    item.offset = number_in<std::uint64_t>(attribute);
  } else if (is(name, attribute::kMarks)) {
    item.marks = marks_in(attribute);
  } else if (is(name, attribute::kFirst)) {
    item.first = number_in<unsigned>(attribute);
  } else if (is(name, attribute::kDigest)) {
    item.digest = string_in(attribute);
  } else if (is(name, attribute::kRecord)) {
    item.record = string_in(attribute);
  } else if (is(name, attribute::kMarked)) {
    item.marked_ns = number_in<std::int64_t>(attribute);
  } else if (is(name, attribute::kSize)) {
    item.size = number_in<std::uint64_t>(attribute);
  } else if (is(name, attribute::kRedelivery)) {
    item.redelivery = string_in(attribute);
  }
}

Item item_of(ondemand::object attributes) {
  Item item;
  for (ondemand::field field : attributes) {
    const Key name = field.key();  // before the value: it goes on to it
    read_attribute(name, typed(field.value()), item);
  }
  return item;
}

/// The name in {"Name":{"S":"..."}}.
std::string_view name_in(ondemand::object key) {
  for (ondemand::field field : key) {
    const Key name = field.key();
    if (is(name, attribute::kName)) return string_in(typed(field.value()));
  }
  throw_corrupt("a key without a name");
}

void append_names(ondemand::array keys, std::vector<std::string>& names) {
  for (ondemand::value key : keys) names.emplace_back(name_in(key.get_object()));
}

/// {"<table>":{"Keys":[...],...}}
void read_unprocessed_keys(ondemand::object tables, std::vector<std::string>& names) {
  for (ondemand::field table : tables) {
    ondemand::object asked = table.value().get_object();
    for (ondemand::field field : asked) {
      const Key name = field.key();
      if (is(name, "Keys")) append_names(field.value().get_array(), names);
    }
  }
}

/// {"<table>":[{"DeleteRequest":{"Key":{...}}},{"PutRequest":{"Item":{...}}},...]}
void read_unprocessed_writes(ondemand::object tables, std::vector<std::string>& names) {
  for (ondemand::field table : tables) {
    for (ondemand::value entry : table.value().get_array()) {
      for (ondemand::field request : entry.get_object()) {
        for (ondemand::field item : request.value().get_object()) {
          names.emplace_back(name_in(item.value().get_object()));
        }
      }
    }
  }
}

struct KeyAttribute {
  std::string name;
  std::string role;  ///< "HASH" or "RANGE".
  std::string type;
};

void read_key_schema(ondemand::array schema, std::vector<KeyAttribute>& key) {
  for (ondemand::value entry : schema) {
    KeyAttribute part;
    ondemand::object object = entry.get_object();
    for (ondemand::field field : object) {
      const std::string_view name = field.unescaped_key();
      const std::string_view text = field.value().get_string();
      (name == "KeyType" ? part.role : part.name) = std::string(text);
    }
    key.push_back(std::move(part));
  }
}

using Definitions = std::vector<std::pair<std::string, std::string>>;

void read_definitions(ondemand::array definitions, Definitions& types) {
  for (ondemand::value entry : definitions) {
    std::pair<std::string, std::string> definition;
    ondemand::object object = entry.get_object();
    for (ondemand::field field : object) {
      const std::string_view name = field.unescaped_key();
      const std::string_view text = field.value().get_string();
      (name == "AttributeType" ? definition.second : definition.first) = std::string(text);
    }
    types.push_back(std::move(definition));
  }
}

void describe_key(std::vector<KeyAttribute>& key, const Definitions& types,
                  TableDescription& table) {
  for (KeyAttribute& part : key) {
    for (const auto& [name, type] : types) {
      if (name == part.name) part.type = type;
    }
    if (!table.key.empty()) table.key += ", ";
    table.key +=
        part.name + " (" + (part.role == "HASH" ? "hash" : "range") + ", " + part.type + ")";
  }
  table.fits = key.size() == 1 && key[0].name == attribute::kName && key[0].role == "HASH" &&
               key[0].type == "S";
}

}  // namespace

/// Calls `on_field(name, value)` for each field of the response but ConsumedCapacity.
template <class Read>
void ResponseParser::read(std::string& body, const Read& on_field) {
  if (body.capacity() < body.size() + simdjson::SIMDJSON_PADDING) {
    body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  }
  try {
    ondemand::document document = parser_.iterate(body.data(), body.size(), body.capacity());
    ondemand::object response = document.get_object();
    for (ondemand::field field : response) {
      const Key name = field.key();
      if (is(name, "ConsumedCapacity")) {
        read_capacity(field.value());
      } else {
        on_field(name, field.value());
      }
    }
  } catch (const simdjson::simdjson_error& error) {
    throw_bad_response(error.what());
  } catch (const BadResponse& error) {
    throw_bad_response(error.message());
  }
}

void ResponseParser::throw_bad_response(std::string_view why) const {
  std::string message = call_.empty() ? "a call" : call_;
  message += ": the answer of " + (service_.empty() ? "the service" : service_);
  throw Error(ErrorKind::corrupt, "dynamodb", "Unum.BadReply",
              message.append(" is not what it must be: ").append(why));
}

void ResponseParser::read_capacity(ondemand::value value) {
  const auto add = [&](ondemand::object consumed) {
    for (ondemand::field field : consumed) {
      const Key name = field.key();
      if (is(name, "CapacityUnits")) capacity_units_ += double(field.value().get_double());
    }
  };
  // One table's, or a list of them where a request may name several.
  const ondemand::json_type type = value.type();
  if (type == ondemand::json_type::object) {
    add(value.get_object());
  } else if (type == ondemand::json_type::array) {
    for (ondemand::value entry : value.get_array()) add(entry.get_object());
  }
}

std::optional<Item> ResponseParser::item(std::string& body) {
  std::optional<Item> found;
  read(body, [&](Key name, ondemand::value value) {
    if (is(name, "Item") || is(name, "Attributes")) found = item_of(value.get_object());
  });
  return found;
}

void ResponseParser::batch_get(std::string& body, const OnItem& on_item,
                               std::vector<std::string>& unprocessed) {
  read(body, [&](Key name, ondemand::value value) {
    if (is(name, "UnprocessedKeys")) {
      read_unprocessed_keys(value.get_object(), unprocessed);
    } else if (is(name, "Responses")) {
      for (ondemand::field table : value.get_object()) {
        for (ondemand::value entry : table.value().get_array()) {
          Item item = item_of(entry.get_object());
          on_item(item);
        }
      }
    }
  });
}

void ResponseParser::batch_write(std::string& body, std::vector<std::string>& unprocessed) {
  read(body, [&](Key name, ondemand::value value) {
    if (is(name, "UnprocessedItems")) read_unprocessed_writes(value.get_object(), unprocessed);
  });
}

std::string ResponseParser::scan(std::string& body, const OnItem& on_item) {
  std::string last;
  read(body, [&](Key name, ondemand::value value) {
    if (is(name, "Items")) {
      for (ondemand::value entry : value.get_array()) {
        Item item = item_of(entry.get_object());
        on_item(item);
      }
    } else if (is(name, "LastEvaluatedKey")) {
      last = name_in(value.get_object());
    }
  });
  return last;
}

TableDescription ResponseParser::table(std::string& body) {
  TableDescription table;
  std::vector<KeyAttribute> key;
  Definitions types;
  read(body, [&](Key outer, ondemand::value description) {
    if (!is(outer, "Table") && !is(outer, "TableDescription")) return;
    for (ondemand::field field : description.get_object()) {
      const Key name = field.key();
      if (is(name, "TableStatus")) {
        const std::string_view status = field.value().get_string();
        table.status = std::string(status);
      } else if (is(name, "TableSizeBytes")) {
        table.bytes = field.value().get_uint64();
      } else if (is(name, "KeySchema")) {
        read_key_schema(field.value().get_array(), key);
      } else if (is(name, "AttributeDefinitions")) {
        read_definitions(field.value().get_array(), types);
      }
    }
  });
  describe_key(key, types, table);
  return table;
}

}  // namespace unum::dynamodb
