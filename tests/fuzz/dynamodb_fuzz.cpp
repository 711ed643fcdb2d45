// Responses of DynamoDB and keys of its table, which come from others: they are read, or refused by
// an error of ours.
#include "fuzz.hpp"
#include "stores/dynamodb/key.hpp"
#include "stores/dynamodb/response.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

template <class Function>
void refused_or_read(Function function) {
  try {
    function();
  } catch (const Error& error) {
    UNUM_ASSERT(error.kind() == ErrorKind::corrupt && error.message().size() < 4096);
  }
}

void key(std::string_view text) {
  if (const auto parsed = dynamodb::parse_key(text, {})) {
    UNUM_ASSERT(!parsed->item.name.empty());
    // What reads back as a name is the key of that name, if it is written as we write it.
    const std::string again = dynamodb::item_key(parsed->session, parsed->item);
    const auto same =
        dynamodb::parse_key(again, dynamodb::full_name(parsed->session, parsed->item));
    UNUM_ASSERT(same && same->session == parsed->session && same->item == parsed->item);
  }
  dynamodb::parse_key(text, text);
  dynamodb::parse_session(text, {});
}

void response(std::string_view text) {
  dynamodb::ResponseParser parser;
  const dynamodb::ResponseParser::OnItem take = [](dynamodb::Item& item) {
    UNUM_ASSERT(!item.value || item.value->capacity() >= item.value->size());
    dynamodb::parse_key(item.name, item.full_name);
  };
  std::vector<std::string> left;
  std::string body(text);
  refused_or_read([&] { parser.item(body); });
  refused_or_read([&] { parser.batch_get(body, take, left); });
  refused_or_read([&] { parser.batch_write(body, left); });
  refused_or_read([&] { parser.scan(body, take); });
  refused_or_read([&] { parser.table(body); });
}

}  // namespace

UNUM_FUZZ_TARGETS({"dynamodb-key", &key}, {"dynamodb-response", &response})
