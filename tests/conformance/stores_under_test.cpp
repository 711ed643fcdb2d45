// The list of stores: fs in its ways of working, memory, and those of servers that the environment
// names.
#include "conformance/stores_under_test.hpp"

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <utility>

#include "support/sanitized.hpp"
#include "support/store_decorators.hpp"

namespace unum::test {
namespace {

StoreUnderTest fs_store(const char* label, const char* mode, bool durable) {
  auto home = std::make_shared<Scratch>();
  StoreUnderTest subject;
  subject.label = label;
  subject.home = home;
  subject.cheap_writes = !durable;
  if (std::string_view(mode) == "nfs") {
    subject.fan_in_width_max = 100;
    subject.cheap_writes = false;
  }
  const std::string name = *home / "store";
  subject.open = [name, mode, durable](Reactor& reactor) {
    ::setenv("UNUM_FS", mode, 1);
    reactor.run(create_store(reactor, "fs", name));
    StoreOptions options;
    options.durable = durable;
    std::unique_ptr<Store> store = reactor.run(open_store(reactor, "fs", name, options));
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
void use_endpoint(const char* variable, const char* url, const char* access_key) {
  ::setenv(variable, url, 1);
  ::setenv("AWS_ACCESS_KEY_ID", access_key, 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "unum-test-secret", 1);
  ::setenv("AWS_REGION", "us-east-1", 1);
}

StoreUnderTest s3_store(const char* label, const char* variable, std::size_t fan_in_width_max) {
  static int count = 0;
  StoreUnderTest subject;
  subject.label = label;
  // What is wider or goes one by one is in unit/stores/s3_requests_test.cpp.
  subject.fan_in_width_max = fan_in_width_max;
  subject.cheap_writes = false;
  const char* endpoint = std::getenv(variable);
  if (endpoint == nullptr) {
    subject.missing = std::string(variable) + " names no server";
    return subject;
  }
  const std::string name = "unum-conformance/" + std::to_string(::getpid()) + "-" +
                           std::to_string(::time(nullptr)) + "/" + std::to_string(count++);
  subject.open = [name, endpoint = std::string(endpoint)](Reactor& reactor) {
    use_endpoint("AWS_ENDPOINT_URL_S3", endpoint.c_str(), "unum-test");
    reactor.run(create_store(reactor, "s3", name));
    return reactor.run(open_store(reactor, "s3", name));
  };
  return subject;
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
  static int count = 0;
  const auto home = std::make_shared<DynamoDbHome>("conformance-" + std::to_string(::getpid()) +
                                                   "-" + std::to_string(count++));
  subject.home = home;
  // A local server takes about a millisecond a call, one at a time.
  subject.fan_in_width_max = 100;
  subject.cheap_writes = false;
  if (const char* width = std::getenv("UNUM_TEST_DYNAMODB_WIDTH")) {
    subject.fan_in_width_max = std::strtoul(width, nullptr, 10);
  }
  subject.open = [home, endpoint = std::string(endpoint)](Reactor& reactor) {
    // DynamoDB Local takes only letters and digits in an access key.
    use_endpoint("AWS_ENDPOINT_URL_DYNAMODB", endpoint.c_str(), "unumtest");
    if (!std::exchange(home->made, true)) {
      reactor.run(create_store(reactor, "dynamodb", home->table));
    }
    return reactor.run(open_store(reactor, "dynamodb", home->table));
  };
  return subject;
}

/// A server whose place an environment variable tells; the database is emptied for each test, so it
/// is one that no other program uses.
StoreUnderTest redis_store(const char* label, const char* variable, const char* database) {
  StoreUnderTest subject;
  subject.label = label;
  const char* const server = std::getenv(variable);
  if (server == nullptr) {
    subject.missing = std::string(variable) + " names no server";
    return subject;
  }
  const std::string name = std::string("redis://") + server + database;
  subject.open = [name](Reactor& reactor) {
    return reactor.run(open_store(reactor, "redis", name));
  };
  Reactor reactor;
  const std::unique_ptr<Store> store = subject.open(reactor);
  for (const std::string& session : reactor.run(store->list_sessions())) {
    const SessionContext context = session_context(session);
    std::vector<ItemId> items;
    for (const ListedItem& item : reactor.run(store->list(context))) items.push_back(item.id);
    reactor.run(store->remove(context, items));
  }
  return subject;
}

/// The same with each call delayed by turns of the reactor, traced and counted; `stepping`: and its
/// fan-ins made of single calls, so that these meet in ever other orders.
StoreUnderTest decorated(StoreUnderTest subject, bool stepping) {
  subject.label += stepping ? ", decorated, call by call" : ", decorated";
  subject.fan_in_width_max = 100;
  subject.open = [inner = subject.open, stepping](Reactor& reactor) {
    std::unique_ptr<Store> stack = std::make_unique<DelayedStore>(inner(reactor), 4711);
    stack = std::make_unique<TracedStore>(std::move(stack));
    stack = std::make_unique<CountingStore>(std::move(stack));
    if (stepping) stack = std::make_unique<SteppingStore>(std::move(stack));
    return stack;
  };
  return subject;
}

}  // namespace

const std::vector<MakeStore>& stores_under_test() {
  // What another test of both ports has seen: the stores on AWS in the release build, HTTP and the
  // Redis client in their own tests.
  const auto on_one_port = [](StoreUnderTest subject) {
    subject.one_port = true;
    return subject;
  };
  static const std::vector<MakeStore> makers = [=] {
    std::vector<MakeStore> all = {
        memory_store,
        [] { return fs_store("fs", "local", true); },
        [] { return fs_store("fs, as on a network", "nfs", true); },
        [=] {
          if (kSanitized) return on_one_port(s3_store("s3", "UNUM_TEST_S3", 100));
          return s3_store("s3", "UNUM_TEST_S3", 1'000);
        },
        [] { return redis_store("redis", "UNUM_TEST_REDIS", "/9"); },
        [=] { return kSanitized ? on_one_port(dynamodb_store()) : dynamodb_store(); },
    };
    // The sanitizers have seen their code by then.
    if (kSanitized) return all;
    all.push_back([] { return fs_store("fs, not durable", "local", false); });
    all.push_back([=] {
      // A connection a request: narrower, since each costs a handshake.
      StoreUnderTest subject = s3_store("s3, closing", "UNUM_TEST_S3_CLOSING", 100);
      subject.keeps_connections = false;
      return on_one_port(subject);
    });
    all.push_back([=] {
      return on_one_port(redis_store("redis, a cluster", "UNUM_TEST_REDIS_CLUSTER", ""));
    });
    all.push_back([] { return decorated(memory_store(), true); });
    all.push_back([] { return decorated(fs_store("fs, not durable", "local", false), false); });
    return all;
  }();
  return makers;
}

}  // namespace unum::test
