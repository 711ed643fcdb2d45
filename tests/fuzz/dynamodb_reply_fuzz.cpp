// Fuzzes the readers of DynamoDB's replies: whatever comes, they read it or throw an Error.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "stores/dynamodb/key.hpp"
#include "stores/dynamodb/reply.hpp"
#include "unum/error.hpp"

namespace {

template <class Read>
void read(const Read& reading) {
  try {
    reading();
  } catch (const unum::Error&) {
    // What a reader says to nonsense.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace unum::dynamodb;
  const std::string given(reinterpret_cast<const char*>(data), size);
  ReplyParser parser;
  const ReplyParser::OnItem look = [](Item& item) {
    parse_key(item.name, item.full_name);
    parse_session(item.name, item.full_name);
  };
  std::vector<std::string> left;
  std::string body = given;
  read([&] { parser.item(body); });
  read([&] { parser.batch_get(body, look, left); });
  read([&] { parser.batch_delete(body, left); });
  read([&] { parser.scan(body, look); });
  read([&] { parser.table(body); });
  parse_key(given, {});
  parse_key(given, given);
  return 0;
}
