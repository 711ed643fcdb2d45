// Reading of DynamoDB's replies.
#include "stores/dynamodb/reply.hpp"

#include <openssl/evp.h>

#include <charconv>

#include "base/json.hpp"
#include "base/padded.hpp"
#include "stores/dynamodb/request.hpp"
#include "unum/error.hpp"

namespace unum::dynamodb {
namespace {

namespace ondemand = simdjson::ondemand;

[[noreturn]] void throw_corrupt(std::string_view what) {
  throw Error(ErrorKind::corrupt, "dynamodb", "Unum.BadReply",
              "a reply of the service is not what it must be: " + std::string(what));
}

/// The one type of an attribute's value, and the value.
struct Typed {
  std::string_view type;
  ondemand::value value;
};

Typed typed(ondemand::value attribute) {
  ondemand::object object = attribute.get_object();
  for (ondemand::field field : object) {
    const std::string_view type = field.unescaped_key();
    return {type, field.value()};
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

std::string_view string_attribute(ondemand::value attribute) {
  Typed content = typed(attribute);
  if (content.type != "S") throw_corrupt("a string was expected");
  return content.value.get_string();
}

template <class Number>
Number number_attribute(ondemand::value attribute) {
  Typed content = typed(attribute);
  if (content.type != "N") throw_corrupt("a number was expected");
  const std::string_view text = content.value.get_string();
  return number_of<Number>(text);
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
  if (content.type == "M") return append_json_map(out, content.value.get_object());
  if (content.type == "L") return append_json_list(out, content.value.get_array());
  if (content.type == "NULL") {
    out += "null";
  } else if (content.type == "BOOL") {
    const bool truth = content.value.get_bool();
    out += truth ? "true" : "false";
  } else if (content.type == "NS" || content.type == "SS" || content.type == "BS") {
    append_json_set(out, content.type == "NS", content.value.get_array());
  } else if (content.type == "N") {
    const std::string_view number = content.value.get_string();
    out += number;
  } else if (content.type == "S" || content.type == "B") {
    const std::string_view text = content.value.get_string();
    json::append_string(out, text);
  } else {
    throw_corrupt("an attribute of an unknown type");
  }
}

void append_json(std::string& out, ondemand::value attribute) {
  append_json(out, typed(attribute));
}

/// A string copied once, from where it lies: simdjson's own reader of strings goes byte by byte
/// where the build is for any processor, and copies to a buffer of its own.
void append_text(std::string& out, ondemand::value string) {
  const std::string_view token = json::trim(string.raw_json_token());
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') {
    throw_corrupt("a string was expected");
  }
  const std::string_view inside = token.substr(1, token.size() - 2);
  out.reserve(inside.size() + kValuePadding);
  try {
    json::append_unescaped(out, inside);
  } catch (const Error&) {
    throw_corrupt("a string with a broken escape");
  }
}

/// A value: the text or bytes themselves, or the JSON text of a native one.
std::string value_of(ondemand::value attribute) {
  Typed content = typed(attribute);
  std::string value;
  if (content.type == "S") {
    append_text(value, content.value);
    return value;
  }
  if (content.type == "B") {
    const std::string_view text = content.value.get_string();
    value.reserve(text.size() / 4 * 3 + kValuePadding);
    append_base64_decoded(value, text);
    return value;
  }
  append_json(value, content);
  value.reserve(value.size() + kValuePadding);
  return value;
}

std::uint64_t marks_of(ondemand::value attribute) {
  Typed content = typed(attribute);
  if (content.type != "NS") throw_corrupt("a set of numbers was expected");
  std::uint64_t marks = 0;
  for (ondemand::value element : content.value.get_array()) {
    const std::string_view text = element.get_string();
    const auto slot = number_of<unsigned>(text);
    if (slot >= 64) throw_corrupt("a mark beyond a node's slots");
    marks |= std::uint64_t{1} << slot;
  }
  return marks;
}

void read_attribute(std::string_view name, ondemand::value attribute, Item& item) {
  if (name == attribute::kName) {
    item.name = string_attribute(attribute);
  } else if (name == attribute::kUser) {
    item.value = value_of(attribute);
  } else if (name == attribute::kValue) {
    if (!item.value) item.value = value_of(attribute);
  } else if (name == attribute::kBytes) {
    item.bytes = number_attribute<std::uint64_t>(attribute);
  } else if (name == attribute::kWritten) {
    item.written_ns = number_attribute<std::int64_t>(attribute);
  } else if (name == attribute::kFullName) {
    item.full_name = string_attribute(attribute);
  } else if (name == attribute::kParts) {
    item.parts = number_attribute<std::uint64_t>(attribute);
  } else if (name == attribute::kWriter) {
    item.writer = string_attribute(attribute);
  } else if (name == attribute::kOffset) {
    item.offset = number_attribute<std::uint64_t>(attribute);
  } else if (name == attribute::kMarks) {
    item.marks = marks_of(attribute);
  } else if (name == attribute::kFirst) {
    item.first = number_attribute<unsigned>(attribute);
  } else if (name == attribute::kDigest) {
    item.digest = string_attribute(attribute);
  } else if (name == attribute::kRecord) {
    item.record = string_attribute(attribute);
  } else if (name == attribute::kMarked) {
    item.marked_ns = number_attribute<std::int64_t>(attribute);
  } else if (name == attribute::kSize) {
    item.size = number_attribute<std::uint64_t>(attribute);
  }
}

Item item_of(ondemand::object attributes) {
  Item item;
  for (ondemand::field field : attributes) {
    const std::string_view name = field.unescaped_key();
    read_attribute(name, field.value(), item);
  }
  return item;
}

/// The name in {"Name":{"S":"..."}}.
std::string_view name_in(ondemand::object key) {
  for (ondemand::field field : key) {
    const std::string_view name = field.unescaped_key();
    if (name == attribute::kName) return string_attribute(field.value());
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
      const std::string_view name = field.unescaped_key();
      if (name == "Keys") append_names(field.value().get_array(), names);
    }
  }
}

/// {"<table>":[{"DeleteRequest":{"Key":{...}}},...]}
void read_unprocessed_deletes(ondemand::object tables, std::vector<std::string>& names) {
  for (ondemand::field table : tables) {
    for (ondemand::value entry : table.value().get_array()) {
      ondemand::object request = entry["DeleteRequest"].get_object();
      names.emplace_back(name_in(request["Key"].get_object()));
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

/// Calls `on_field(name, value)` for each field of the reply but ConsumedCapacity.
template <class Read>
void ReplyParser::read(std::string& body, const Read& on_field) {
  if (body.capacity() < body.size() + simdjson::SIMDJSON_PADDING) {
    body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  }
  try {
    ondemand::document document = parser_.iterate(body.data(), body.size(), body.capacity());
    ondemand::object reply = document.get_object();
    for (ondemand::field field : reply) {
      const std::string_view name = field.unescaped_key();
      if (name == "ConsumedCapacity") {
        read_capacity(field.value());
      } else {
        on_field(name, field.value());
      }
    }
  } catch (const simdjson::simdjson_error& error) {
    throw_corrupt(error.what());
  }
}

void ReplyParser::read_capacity(ondemand::value value) {
  const auto add = [&](ondemand::object consumed) {
    for (ondemand::field field : consumed) {
      const std::string_view name = field.unescaped_key();
      if (name == "CapacityUnits") capacity_units_ += double(field.value().get_double());
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

std::optional<Item> ReplyParser::item(std::string& body) {
  std::optional<Item> found;
  read(body, [&](std::string_view name, ondemand::value value) {
    if (name == "Item" || name == "Attributes") found = item_of(value.get_object());
  });
  return found;
}

void ReplyParser::batch_get(std::string& body, const OnItem& on_item,
                            std::vector<std::string>& unprocessed) {
  read(body, [&](std::string_view name, ondemand::value value) {
    if (name == "UnprocessedKeys") {
      read_unprocessed_keys(value.get_object(), unprocessed);
    } else if (name == "Responses") {
      for (ondemand::field table : value.get_object()) {
        for (ondemand::value entry : table.value().get_array()) {
          Item item = item_of(entry.get_object());
          on_item(item);
        }
      }
    }
  });
}

void ReplyParser::batch_delete(std::string& body, std::vector<std::string>& unprocessed) {
  read(body, [&](std::string_view name, ondemand::value value) {
    if (name == "UnprocessedItems") read_unprocessed_deletes(value.get_object(), unprocessed);
  });
}

std::string ReplyParser::scan(std::string& body, const OnItem& on_item) {
  std::string last;
  read(body, [&](std::string_view name, ondemand::value value) {
    if (name == "Items") {
      for (ondemand::value entry : value.get_array()) {
        Item item = item_of(entry.get_object());
        on_item(item);
      }
    } else if (name == "LastEvaluatedKey") {
      last = name_in(value.get_object());
    }
  });
  return last;
}

TableDescription ReplyParser::table(std::string& body) {
  TableDescription table;
  std::vector<KeyAttribute> key;
  Definitions types;
  read(body, [&](std::string_view outer, ondemand::value description) {
    if (outer != "Table" && outer != "TableDescription") return;
    for (ondemand::field field : description.get_object()) {
      const std::string_view name = field.unescaped_key();
      if (name == "TableStatus") {
        const std::string_view status = field.value().get_string();
        table.status = std::string(status);
      } else if (name == "TableSizeBytes") {
        table.bytes = field.value().get_uint64();
      } else if (name == "KeySchema") {
        read_key_schema(field.value().get_array(), key);
      } else if (name == "AttributeDefinitions") {
        read_definitions(field.value().get_array(), types);
      }
    }
  });
  describe_key(key, types, table);
  return table;
}

}  // namespace unum::dynamodb
