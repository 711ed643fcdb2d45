// Keys, request bodies and responses of the DynamoDB store, without a server.
#include <set>

#include "base/json.hpp"
#include "catch.hpp"
#include "stores/dynamodb/key.hpp"
#include "stores/dynamodb/key_table.hpp"
#include "stores/dynamodb/request.hpp"
#include "stores/dynamodb/response.hpp"
#include "unum/error.hpp"

using namespace unum;
using namespace unum::dynamodb;

namespace {

Item item_in(ResponseParser& parser, std::string& body) {
  std::optional<Item> item = parser.item(body);
  REQUIRE(item.has_value());
  return std::move(*item);
}

std::string value_in(const std::string& attribute) {
  ResponseParser parser;
  std::string body = "{\"Item\":{\"Name\":{\"S\":\"s/F-output\"}," + attribute + "}}";
  Item item = item_in(parser, body);
  REQUIRE(item.value.has_value());
  CHECK(item.value->capacity() >= item.value->size() + 64);
  return *item.value;
}

}  // namespace

TEST_CASE("a plain key reads as it is documented", "[dynamodb]") {
  CHECK(item_key("order-17", {"G-unumIndex-2.5", ItemKind::outcome}) ==
        "order-17/G-unumIndex-2.5-output");
  CHECK(item_key("a/b", {"x/y", ItemKind::claim}) == "a%2Fb/x%2Fy-fanin");
  CHECK(item_key("%", {"\xff", ItemKind::garbage}) == "%25/%FF-gc");
  CHECK(item_key("\xc3\xa9", {"F", ItemKind::input}) == "\xc3\xa9/F-input");
  CHECK(full_name("s", {"F", ItemKind::outcome}).empty());
}

TEST_CASE("every key is reversible, unique and short enough", "[dynamodb]") {
  std::vector<std::string> names = {"F",
                                    "/",
                                    "%2F",
                                    "a/b",
                                    "#",
                                    "\n",
                                    "\x7f",
                                    "\xed\xa0\x80",
                                    "\xf0\x9f\x98\x80",
                                    "a/",
                                    "/a",
                                    std::string(1, '\0')};
  for (const std::size_t length : {300u, 333u, 334u, 899u, 900u, 901u, 1000u, 1001u, 16'384u}) {
    names.push_back(std::string(length, 'x'));
    names.push_back(std::string(length, '/'));
    names.push_back(std::string(length, '\xff'));
  }
  std::set<std::string> keys;
  for (const std::string& session : names) {
    for (const std::string& name : names) {
      const ItemId id{name, ItemKind::outcome};
      const std::string key = item_key(session, id);
      CHECK(key.size() + 64 <= kKeyBytesMax);
      CHECK(keys.insert(key).second);
      CHECK(key.starts_with(session_prefix(session)));
      const std::optional<ParsedKey> parsed = parse_key(key, full_name(session, id));
      REQUIRE(parsed.has_value());
      CHECK(parsed->session == session);
      CHECK(parsed->item == id);
    }
  }
}

TEST_CASE("parts and nodes are told from items", "[dynamodb]") {
  CHECK(split_key("s/S-fanin")->inner.empty());
  CHECK(split_key("s/S-fanin/0.12")->inner == "0.12");
  CHECK(split_key("s/F-output/abc.3")->item == "F-output");
  CHECK_FALSE(split_key("no slash").has_value());
  CHECK_FALSE(parse_key("s/S-fanin/0.12", {}).has_value());
  CHECK_FALSE(parse_key("s/strange", {}).has_value());
  CHECK_FALSE(parse_key("s/F%2-output", {}).has_value());
}

TEST_CASE("keys of one read are kept once and found again", "[dynamodb]") {
  KeyTable keys("s/", 300);
  for (int i = 0; i < 300; ++i) {
    CHECK(keys.add("F" + std::to_string(i % 200), ItemKind::outcome) ==
          static_cast<std::size_t>(i % 200));
  }
  CHECK(keys.size() == 200);
  CHECK(keys.key(7) == "s/F7-output");
  CHECK(keys.find("s/F199-output") == 199);
  CHECK(keys.find("s/F200-output") == KeyTable::kNone);
}

TEST_CASE("readable values are strings, all others bytes", "[dynamodb]") {
  CHECK(is_text("{\"a\":\t\"\xc3\xa9\"}\r\n"));
  CHECK(is_text(""));
  CHECK_FALSE(is_text(std::string("\0", 1)));
  CHECK_FALSE(is_text("\xff"));
  CHECK_FALSE(is_text("\xed\xa0\x80"));
  Attributes attributes(Attributes::Form::item);
  attributes.add_value(attribute::kUser, "\"\\");
  attributes.add_value(attribute::kValue, "\xff\xfe");
  attributes.add_number(attribute::kBytes, -3);
  CHECK(attributes.text() == R"("User":{"S":"\"\\"},"Value":{"B":"//4="},"Bytes":{"N":"-3"})");
  for (const std::size_t size : {0u, 1u, 2u, 3u, 4u, 1000u}) {
    const std::string bytes = std::string(size, '\xff') + '\0';
    Attributes written(Attributes::Form::item);
    written.add_value(attribute::kUser, bytes);
    CHECK((value_in(written.text()) == bytes));
  }
}

TEST_CASE("request bodies are JSON", "[dynamodb]") {
  const std::vector<std::string_view> keys = {"s/\"-output", "s/G-output"};
  const std::vector<unsigned> slots = {0, 63};
  Attributes item(Attributes::Form::item);
  item.add_string(attribute::kName, "s/F-output");
  Attributes values(Attributes::Form::placeholders);
  values.add_value(attribute::kUser, "1");
  Mark mark;
  mark.key = "s/S-fanin";
  mark.slots = slots;
  mark.digest = "d";
  mark.record = "{}";
  mark.size = 100;
  mark.expires_at = 7;
  const std::vector<BatchWrite> writes = {{"s/a"}, {"s/b", item.text()}};
  for (const std::string& body :
       {put_item_body("t", item, Condition::absent, true),
        put_item_body("t", item, Condition::none, true),
        put_item_body("t", item, Condition::impossible, false), get_item_body("t", "k", true),
        batch_get_body("t", keys, Projection::values, true),
        batch_get_body("t", keys, Projection::key, false),
        batch_get_body("t", keys, Projection::listing, true), batch_write_body("t", writes),
        delete_node_body("t", "k", 5), scan_body("t", "s/", {1, 4}, "after"),
        scan_body("t", "", {0, 1}, ""), mark_body("t", mark),
        set_value_body("t", "k", values, true), set_value_body("t", "k", values, false),
        describe_table_body("t"), create_table_body("t"), time_to_live_body("t")}) {
    INFO(body);
    CHECK_NOTHROW(json::validate(body, "a body"));
  }
  CHECK(mark_body("t", mark).find(R"("NS":["0","63"])") != std::string::npos);
}

TEST_CASE("values of other writers are read: Value, and native User", "[dynamodb]") {
  CHECK(value_in(R"("Value":{"S":"[1]"})") == "[1]");
  CHECK(value_in(R"("Value":{"S":"old"},"User":{"S":"new"})") == "new");
  CHECK(value_in(R"("User":{"S":"new"},"Value":{"S":"old"})") == "new");
  CHECK(value_in(R"("User":{"N":"1.50"})") == "1.50");
  CHECK(value_in(R"("User":{"NULL":true})") == "null");
  CHECK(value_in(R"("User":{"BOOL":false})") == "false");
  CHECK(value_in(
            R"("User":{"M":{"a\"":{"L":[{"N":"1"},{"S":"x\n"},{"NULL":true}]},"b":{"M":{}}}})") ==
        R"({"a\"":[1,"x\n",null],"b":{}})");
  CHECK(value_in(R"("User":{"NS":["1","2"]})") == "[1,2]");
  CHECK(value_in(R"("User":{"SS":["a"]})") == "[\"a\"]");
  CHECK(value_in(R"("User":{"S":""})").empty());
}

TEST_CASE("responses are read whatever the order of their fields", "[dynamodb]") {
  ResponseParser parser;
  std::string body =
      R"({"ConsumedCapacity":[{"CapacityUnits":2.5,"TableName":"t"}],"UnprocessedKeys":{"t":)"
      R"({"ConsistentRead":true,"Keys":[{"Name":{"S":"s/c"}}]}},"Responses":{"t":[)"
      R"({"User":{"S":"1"},"Strange":{"L":[]},"Name":{"S":"s/a"}},{"Name":{"S":"s/b"}}]}})";
  std::vector<std::string> names;
  std::vector<std::string> left;
  parser.batch_get(
      body, [&](Item& item) { names.emplace_back(item.name); }, left);
  CHECK(names == std::vector<std::string>{"s/a", "s/b"});
  CHECK(left == std::vector<std::string>{"s/c"});
  CHECK(parser.capacity_units() == 2.5);

  body = R"({"Attributes":{"Marks":{"NS":["63","0"]},"First":{"N":"5"},"Digest":{"S":"d"},)"
         R"("Size":{"N":"70"}}})";
  const Item node = item_in(parser, body);
  CHECK(node.marks == (std::uint64_t{1} << 63 | 1));
  CHECK(node.first == 5u);
  CHECK(node.size == 70);
  CHECK_FALSE(node.has_value());

  body = R"({"UnprocessedItems":{"t":[{"DeleteRequest":{"Key":{"Name":{"S":"s/x"}}}},)"
         R"({"PutRequest":{"Item":{"Bytes":{"N":"1"},"Name":{"S":"s/z"},"User":{"S":"~"}}}}]}})";
  left.clear();
  parser.batch_write(body, left);
  CHECK(left == std::vector<std::string>{"s/x", "s/z"});

  body = R"({"Items":[{"Name":{"S":"s/y"}}],"Count":1,"LastEvaluatedKey":{"Name":{"S":"s/y"}}})";
  CHECK(parser.scan(body, [](Item&) {}) == "s/y");
  body = R"({"Items":[],"Count":0})";
  CHECK(parser.scan(body, [](Item&) {}).empty());

  body =
      R"({"Table":{"TableStatus":"ACTIVE","KeySchema":[{"KeyType":"HASH","AttributeName":"Id"},)"
      R"({"AttributeName":"At","KeyType":"RANGE"}],"AttributeDefinitions":[)"
      R"({"AttributeName":"At","AttributeType":"N"},{"AttributeName":"Id","AttributeType":"S"}],)"
      R"("TableSizeBytes":12}})";
  const TableDescription table = parser.table(body);
  CHECK_FALSE(table.fits);
  CHECK(table.key == "Id (hash, S), At (range, N)");
  CHECK(table.bytes == 12);
}

TEST_CASE("times of items that no integer holds are its ends (found 22)", "[dynamodb]") {
  ResponseParser parser;
  const auto written_in = [&](const std::string& number) {
    std::string body = R"({"Attributes":{"Written":{"N":")" + number + R"("}}})";
    return item_in(parser, body).written_ns;
  };
  CHECK(written_in("-1") == -1);
  CHECK(written_in("99999999999999999999") == INT64_MAX);
  CHECK(written_in("-99999999999999999999") == INT64_MIN);
  CHECK_THROWS_AS(written_in("soon"), Error);
}

TEST_CASE("a response that is cut or makes no sense is corrupt, wherever it is cut", "[dynamodb]") {
  const std::string whole =
      R"({"Responses":{"t":[{"User":{"S":"abc"},"Name":{"S":"s/a"},"Bytes":{"N":"3"}}]},)"
      R"("UnprocessedKeys":{}})";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ResponseParser parser;
    std::string body = whole.substr(0, size);
    std::vector<std::string> left;
    INFO(body);
    CHECK_THROWS_AS(parser.batch_get(
                        body, [](Item&) {}, left),
                    Error);
  }
  for (std::string body :
       {R"({"Item":{"Bytes":{"N":"12x"}}})", R"({"Item":{"Bytes":{"N":"-1"}}})",
        R"({"Item":{"Marks":{"NS":["64"]}}})", R"({"Item":{"User":{"B":"a"}}})",
        R"({"Item":{"User":{"B":"????"}}})", R"({"Item":{"User":{"X":"1"}}})",
        R"({"Item":{"User":{}}})", R"({"Item":{"Name":{"N":"1"}}})", "[]", "1", "{"}) {
    ResponseParser parser;
    INFO(body);
    CHECK_THROWS_AS(parser.item(body), Error);
  }
}
