// The list of stores: fs in its ways of working, memory, and those of servers.
#include "conformance/stores_under_test.hpp"

#include <cstdlib>

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

/// A server whose place an environment variable tells; it is emptied for each test.
StoreUnderTest redis_store(const char* label, const char* variable) {
  StoreUnderTest subject;
  subject.label = label;
  const char* const server = std::getenv(variable);
  if (server == nullptr) {
    subject.missing = std::string(variable) + " names no server";
    return subject;
  }
  const std::string name = server;
  subject.open = [name](Reactor& reactor) {
    return reactor.run(open_store(reactor, "redis", name));
  };
  Reactor reactor;
  const std::unique_ptr<DataStore> store = subject.open(reactor);
  for (const std::string& session : reactor.run(store->list_sessions())) {
    const SessionContext context = store->session_context(session);
    std::vector<ItemId> items;
    for (const ListedItem& item : reactor.run(store->list(context))) items.push_back(item.id);
    reactor.run(store->remove(context, items));
  }
  return subject;
}

}  // namespace

const std::vector<MakeStore>& stores_under_test() {
  static const std::vector<MakeStore> makers = {
      memory_store,
      [] { return fs_store("fs", "local", true); },
      [] { return fs_store("fs, not durable", "local", false); },
      [] { return fs_store("fs, as on a network", "nfs", true); },
      [] { return redis_store("redis", "UNUM_TEST_REDIS"); },
      [] { return redis_store("redis, a cluster", "UNUM_TEST_REDIS_CLUSTER"); },
  };
  return makers;
}

}  // namespace unum::test
