// The list of stores: fs in its ways of working, and memory.
#include "conformance/stores_under_test.hpp"

#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace unum::test {
namespace {

StoreUnderTest fs_store(const char* label, const char* mode, bool durable) {
  auto home = std::make_shared<Scratch>();
  StoreUnderTest subject;
  subject.label = label;
  subject.home = home;
  subject.cheap_writes = !durable;
  if (std::string_view(mode) == "nfs") {
    subject.fan_in_width_max = 1'000;
    subject.cheap_writes = false;
  }
  const std::string name = *home / "store";
  subject.open = [name, mode, durable](Reactor& reactor) {
    ::setenv("UNUM_FS", mode, 1);
    reactor.run(create_store(reactor, "fs", name));
    StoreOptions options;
    options.durable = durable;
    std::unique_ptr<DataStore> store = reactor.run(open_store(reactor, "fs", name, options));
    ::unsetenv("UNUM_FS");
    return store;
  };
  return subject;
}

StoreUnderTest memory_store() {
  static int count = 0;
  const std::string name = "conformance-" + std::to_string(count++);
  StoreUnderTest subject;
  subject.label = "memory";
  subject.open = [name](Reactor& reactor) {
    reactor.run(create_store(reactor, "memory", name));
    return reactor.run(open_store(reactor, "memory", name));
  };
  return subject;
}

/// Sets what a client of AWS needs to talk to a server of the tests.
void use_endpoint(const char* variable, const char* url) {
  ::setenv(variable, url, 1);
  ::setenv("AWS_ACCESS_KEY_ID", "unumtest", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "unum-test-secret", 1);
  ::setenv("AWS_REGION", "us-east-1", 1);
}

/// A table of its own for each subject, gone with it: some tests want all sessions of a store.
struct DynamoDbHome {
  explicit DynamoDbHome(std::string table_of_subject) : table(std::move(table_of_subject)) {}
  std::string table;
  bool made = false;
};

StoreUnderTest dynamodb_store() {
  StoreUnderTest subject;
  subject.label = "dynamodb";
  const char* endpoint = std::getenv("UNUM_TEST_DYNAMODB");
  if (endpoint == nullptr) {
    subject.missing = "UNUM_TEST_DYNAMODB names no server";
    return subject;
  }
  use_endpoint("AWS_ENDPOINT_URL_DYNAMODB", endpoint);
  static int count = 0;
  const auto home = std::make_shared<DynamoDbHome>("conformance-" + std::to_string(::getpid()) +
                                                   "-" + std::to_string(count++));
  subject.home = home;
  // A local server takes about a millisecond a call, one at a time.
  subject.fan_in_width_max = 1'000;
  subject.cheap_writes = false;
  if (const char* width = std::getenv("UNUM_TEST_DYNAMODB_WIDTH")) {
    subject.fan_in_width_max = std::strtoul(width, nullptr, 10);
  }
  subject.open = [home](Reactor& reactor) {
    if (!std::exchange(home->made, true)) {
      reactor.run(create_store(reactor, "dynamodb", home->table));
    }
    return reactor.run(open_store(reactor, "dynamodb", home->table));
  };
  return subject;
}

}  // namespace

const std::vector<MakeStore>& stores_under_test() {
  static const std::vector<MakeStore> makers = {
      memory_store,
      [] { return fs_store("fs", "local", true); },
      [] { return fs_store("fs, not durable", "local", false); },
      [] { return fs_store("fs, as on a network", "nfs", true); },
      dynamodb_store,
  };
  return makers;
}

}  // namespace unum::test
