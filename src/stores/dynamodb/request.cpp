// Writing of DynamoDB's request bodies.
#include "stores/dynamodb/request.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "base/json.hpp"
#include "base/utf8.hpp"
#include "unum/assert.hpp"

namespace unum::dynamodb {
namespace {

void append_number(std::string& out, std::int64_t number) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, static_cast<std::size_t>(end - text));
}

void append_base64(std::string& out, std::string_view bytes) {
  const std::size_t begin = out.size();
  out.resize(begin + 4 * ((bytes.size() + 2) / 3) + 1);  // and the NUL that libcrypto writes
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data() + begin),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  out.resize(begin + static_cast<std::size_t>(length));
}

/// A body that begins with the table's name.
std::string table_body(std::string_view table, std::size_t reserve = 512) {
  std::string body;
  body.reserve(reserve);
  body += "{\"TableName\":";
  json::append_string(body, table);
  return body;
}

void append_key(std::string& body, std::string_view key) {
  body += "{\"Name\":{\"S\":";
  json::append_string(body, key);
  body += "}}";
}

constexpr std::string_view kCountCapacity = ",\"ReturnConsumedCapacity\":\"TOTAL\"";
constexpr std::string_view kNameOfName = "\"#n\":\"Name\"";

/// What is to be returned of an item, and the names in it.
struct Returned {
  std::string_view expression;
  std::string_view names;
};
constexpr Returned kValues = {"#n,#u,#v,#b,#p,#r",
                              "\"#n\":\"Name\",\"#u\":\"User\",\"#v\":\"Value\","
                              "\"#b\":\"Bytes\",\"#p\":\"Parts\",\"#r\":\"Writer\""};
constexpr Returned kKey = {"#n", kNameOfName};
constexpr Returned kBeside = {"#n,#g", "\"#n\":\"Name\",\"#g\":\"GC\""};
constexpr Returned kListing = {
    "#n,#b,#w,#f,#p,#r,#m,#s",
    "\"#n\":\"Name\",\"#b\":\"Bytes\",\"#w\":\"Written\",\"#f\":\"FullName\",\"#p\":\"Parts\","
    "\"#r\":\"Writer\",\"#m\":\"Marked\",\"#s\":\"Size\""};

void append_projection(std::string& body, Projection projection) {
  const Returned& returned = projection == Projection::values   ? kValues
                             : projection == Projection::key    ? kKey
                             : projection == Projection::beside ? kBeside
                                                                : kListing;
  body.append(",\"ProjectionExpression\":\"").append(returned.expression);
  body.append("\",\"ExpressionAttributeNames\":{").append(returned.names).append("}");
}

/// "#User = :User, ..."; those in `kept` keep the value that they have.
void append_assignments(std::string& body, const Attributes& attributes,
                        std::initializer_list<std::string_view> kept) {
  UNUM_ASSERT(attributes.form() == Attributes::Form::placeholders);
  bool first = true;
  for (const std::string_view name : attributes.names()) {
    if (!std::exchange(first, false)) body += ", ";
    body.append("#").append(name).append(" = ");
    const bool keeps = std::find(kept.begin(), kept.end(), name) != kept.end();
    if (keeps) body.append("if_not_exists(#").append(name).append(", ");
    body.append(":").append(name).append(keeps ? ")" : "");
  }
}

/// Members of ExpressionAttributeNames: "#User":"User".
void append_names(std::string& body, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    if (body.back() != '{') body += ',';
    body.append("\"#").append(name).append("\":\"").append(name).append("\"");
  }
}

}  // namespace

bool is_text(std::string_view value) {
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
  };
  if (std::any_of(value.begin(), value.end(), is_control)) return false;
  return is_utf8(value);
}

// --- Attributes ---------------------------------------------------------------------------------

void Attributes::begin(std::string_view name) {
  UNUM_ASSERT(count_ < names_.size());
  names_[count_++] = name;
  if (!text_.empty()) text_ += ',';
  text_.append(form_ == Form::item ? "\"" : "\":").append(name).append("\":");
}

void Attributes::add_string(std::string_view name, std::string_view value) {
  begin(name);
  text_ += "{\"S\":";
  json::append_string(text_, value);
  text_ += '}';
}

void Attributes::add_number(std::string_view name, std::int64_t value) {
  begin(name);
  text_ += "{\"N\":\"";
  append_number(text_, value);
  text_ += "\"}";
}

void Attributes::add_value(std::string_view name, std::string_view value) {
  if (is_text(value)) {
    add_string(name, value);
    return;
  }
  begin(name);
  text_ += "{\"B\":\"";
  append_base64(text_, value);
  text_ += "\"}";
}

// --- Items --------------------------------------------------------------------------------------

std::string put_item_body(std::string_view table, const Attributes& item, Condition condition,
                          bool answer_old) {
  std::string body = table_body(table, item.text().size() + 512);
  body.append(",\"Item\":{").append(item.text()).append("}");
  if (condition == Condition::absent) {
    body += ",\"ConditionExpression\":\"attribute_not_exists(#n)\",\"ExpressionAttributeNames\":{";
    body.append(kNameOfName).append("}");
    if (answer_old) body += ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"";
  } else if (condition == Condition::impossible) {
    body += ",\"ConditionExpression\":\"#n = :never\",\"ExpressionAttributeNames\":{";
    body.append(kNameOfName).append("},\"ExpressionAttributeValues\":{\":never\":{\"S\":\"##\"}}");
  } else if (answer_old) {
    body += ",\"ReturnValues\":\"ALL_OLD\"";
  }
  body.append(kCountCapacity).append("}");
  return body;
}

std::string get_item_body(std::string_view table, std::string_view key, bool consistent) {
  std::string body = table_body(table);
  body += ",\"Key\":";
  append_key(body, key);
  if (consistent) body += ",\"ConsistentRead\":true";
  body.append(kCountCapacity).append("}");
  return body;
}

std::string batch_get_body(std::string_view table, std::span<const std::string_view> keys,
                           Projection projection, bool consistent) {
  std::string body;
  std::size_t bytes = 384;
  for (const std::string_view key : keys) bytes += key.size() + 24;
  body.reserve(bytes);
  body += "{\"RequestItems\":{";
  json::append_string(body, table);
  body += ":{\"Keys\":[";
  for (const std::string_view key : keys) {
    if (body.back() != '[') body += ',';
    append_key(body, key);
  }
  body += ']';
  if (consistent) body += ",\"ConsistentRead\":true";
  append_projection(body, projection);
  body.append("}}").append(kCountCapacity).append("}");
  return body;
}

std::string batch_write_body(std::string_view table, std::span<const BatchWrite> writes) {
  std::string body = "{\"RequestItems\":{";
  json::append_string(body, table);
  body += ":[";
  for (const BatchWrite& write : writes) {
    if (body.back() != '[') body += ',';
    if (write.item.empty()) {
      body += "{\"DeleteRequest\":{\"Key\":";
      append_key(body, write.key);
      body += "}}";
    } else {
      body.append("{\"PutRequest\":{\"Item\":{").append(write.item).append("}}}");
    }
  }
  body.append("]}").append(kCountCapacity).append("}");
  return body;
}

std::string delete_node_body(std::string_view table, std::string_view key, std::int64_t marked) {
  std::string body = table_body(table);
  body += ",\"Key\":";
  append_key(body, key);
  body +=
      ",\"ConditionExpression\":\"#m = :m\",\"ExpressionAttributeNames\":{\"#m\":\"Marked\"},"
      "\"ExpressionAttributeValues\":{\":m\":{\"N\":\"";
  append_number(body, marked);
  body.append("\"}}").append(kCountCapacity).append("}");
  return body;
}

std::string scan_body(std::string_view table, std::string_view prefix, Segment segment,
                      std::string_view after) {
  std::string body = table_body(table);
  body += ",\"ConsistentRead\":true";
  append_projection(body, Projection::listing);
  if (!prefix.empty()) {
    body +=
        ",\"FilterExpression\":\"begins_with(#n, :p)\",\"ExpressionAttributeValues\":{\":p\":"
        "{\"S\":";
    json::append_string(body, prefix);
    body += "}}";
  }
  if (segment.of > 1) {
    body += ",\"Segment\":";
    append_number(body, static_cast<std::int64_t>(segment.index));
    body += ",\"TotalSegments\":";
    append_number(body, static_cast<std::int64_t>(segment.of));
  }
  if (!after.empty()) {
    body += ",\"ExclusiveStartKey\":";
    append_key(body, after);
  }
  body.append(kCountCapacity).append("}");
  return body;
}

// --- Nodes and claims ---------------------------------------------------------------------------

std::string mark_body(std::string_view table, const Mark& mark) {
  Attributes values(Attributes::Form::placeholders,
                    mark.record.size() + mark.full_name.size() + 256);
  values.add_number(attribute::kFirst, mark.first);
  values.add_string(attribute::kRecord, mark.record);
  values.add_string(attribute::kDigest, mark.digest);
  values.add_number(attribute::kMarked, mark.now_unix_ns);
  if (mark.size) values.add_number(attribute::kSize, static_cast<std::int64_t>(*mark.size));
  if (!mark.full_name.empty()) values.add_string(attribute::kFullName, mark.full_name);
  if (mark.expires_at) values.add_number(attribute::kExpiresAt, *mark.expires_at);

  std::string body = table_body(table, values.text().size() + 1024);
  body += ",\"Key\":";
  append_key(body, mark.key);
  body += ",\"UpdateExpression\":\"ADD #Marks :Marks SET ";
  append_assignments(body, values, {attribute::kFirst, attribute::kRecord});
  body += "\",\"ConditionExpression\":\"attribute_not_exists(#Digest) OR #Digest = :Digest\"";
  body += ",\"ExpressionAttributeNames\":{\"#Marks\":\"Marks\"";
  append_names(body, values.names());
  body += "},\"ExpressionAttributeValues\":{\":Marks\":{\"NS\":[";
  for (const unsigned slot : mark.slots) {
    body += body.back() == '[' ? "\"" : ",\"";
    append_number(body, slot);
    body += '"';
  }
  body.append("]},").append(values.text()).append("}");
  body += ",\"ReturnValues\":\"ALL_NEW\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"";
  body.append(kCountCapacity).append("}");
  return body;
}

std::string set_value_body(std::string_view table, std::string_view key,
                           const Attributes& attributes, bool only_if_none) {
  // What a value can be made of; what this one has not is taken away.
  static constexpr std::array<std::string_view, 4> kOfValues = {
      attribute::kUser, attribute::kValue, attribute::kParts, attribute::kWriter};
  const auto names = attributes.names();
  std::vector<std::string_view> others;
  for (const std::string_view name : kOfValues) {
    if (std::find(names.begin(), names.end(), name) == names.end()) others.push_back(name);
  }
  std::string body = table_body(table, attributes.text().size() + 1024);
  body += ",\"Key\":";
  append_key(body, key);
  body += ",\"UpdateExpression\":\"SET ";
  append_assignments(body, attributes, {});
  for (const std::string_view name : others) {
    body.append(name == others.front() ? " REMOVE #" : ", #").append(name);
  }
  body += '"';
  if (only_if_none) {
    body += ",\"ConditionExpression\":\"";
    for (const std::string_view name : kOfValues) {
      body.append(name == kOfValues.front() ? "" : " AND ");
      body.append("attribute_not_exists(#").append(name).append(")");
    }
    body += "\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"";
  } else {
    body += ",\"ReturnValues\":\"ALL_OLD\"";
  }
  body += ",\"ExpressionAttributeNames\":{";
  append_names(body, attributes.names());
  append_names(body, others);
  body.append("},\"ExpressionAttributeValues\":{").append(attributes.text()).append("}");
  body.append(kCountCapacity).append("}");
  return body;
}

// --- The table ----------------------------------------------------------------------------------

std::string describe_table_body(std::string_view table) { return table_body(table) + "}"; }

std::string create_table_body(std::string_view table) {
  return table_body(table) +
         ",\"BillingMode\":\"PAY_PER_REQUEST\","
         "\"AttributeDefinitions\":[{\"AttributeName\":\"Name\",\"AttributeType\":\"S\"}],"
         "\"KeySchema\":[{\"AttributeName\":\"Name\",\"KeyType\":\"HASH\"}]}";
}

std::string time_to_live_body(std::string_view table) {
  return table_body(table) +
         ",\"TimeToLiveSpecification\":{\"AttributeName\":\"ExpiresAt\",\"Enabled\":true}}";
}

}  // namespace unum::dynamodb
