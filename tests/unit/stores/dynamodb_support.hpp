// What the tests of the DynamoDB store share: its environment, and raw calls beside the store.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/fan_in_names.hpp"
#include "stores/dynamodb/dynamodb_store.hpp"
#include "stores/dynamodb/table.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/store.hpp"

namespace unum::test {

/// Makes `url` the endpoint of every store that is opened from now on.
inline void use_dynamodb(const std::string& url) {
  ::setenv("AWS_ENDPOINT_URL_DYNAMODB", url.c_str(), 1);
  ::setenv("AWS_ACCESS_KEY_ID", "unumtest", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "unum-test-secret", 1);
  ::setenv("AWS_REGION", "us-east-1", 1);
}

/// A table of the test's own on the server of UNUM_TEST_DYNAMODB.
inline std::string fresh_table(Reactor& reactor) {
  static int count = 0;
  use_dynamodb(std::getenv("UNUM_TEST_DYNAMODB"));
  const std::string name = "unit-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
  reactor.run(create_store(reactor, "dynamodb", name));
  return name;
}

/// A fan-in's list whose names are known to take part, as those of a map are.
class Branches final : public Names {
 public:
  explicit Branches(std::size_t size) : Names("F", size) {}
  bool takes_part(std::size_t) const override { return true; }
};

/// Calls of the table beside the store.
class RawTable {
 public:
  RawTable(Reactor& reactor, const std::string& name)
      : reactor_(reactor),
        aws_(reactor.run(aws::open_service(reactor, "dynamodb", aws::Protocol::json_1_0, 4))),
        table_(reactor, *aws_.service, name) {}
  ~RawTable() { reactor_.run(aws_.close()); }
  RawTable(const RawTable&) = delete;
  RawTable& operator=(const RawTable&) = delete;

  /// The keys of all items, parts and nodes.
  std::vector<std::string> keys() {
    std::vector<std::string> keys;
    const dynamodb::ResponseParser::OnItem take = [&](dynamodb::Item& item) {
      keys.emplace_back(item.name);
    };
    reactor_.run(table_.scan({}, 1, take, {}));
    return keys;
  }
  /// Puts an item whose attributes are that JSON text.
  void put(const std::string& attributes) {
    const std::string body =
        "{\"TableName\":\"" + table_.name() + "\",\"Item\":{" + attributes + "}}";
    reactor_.run(table_.call(dynamodb::Operation::put_item, body, "raw", {}, {}));
  }
  std::string get(const std::string& key) {
    return reactor_
        .run(table_.call(dynamodb::Operation::get_item,
                         dynamodb::get_item_body(table_.name(), key, true), key, {}, {}))
        .body;
  }

 private:
  Reactor& reactor_;
  aws::OpenService aws_;
  dynamodb::Table table_;
};

}  // namespace unum::test
