// The list of stores: fs in its ways of working, and memory.
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

}  // namespace

const std::vector<MakeStore>& stores_under_test() {
  static const std::vector<MakeStore> makers = {
      memory_store,
      [] { return fs_store("fs", "local", true); },
      [] { return fs_store("fs, not durable", "local", false); },
      [] { return fs_store("fs, as on a network", "nfs", true); },
  };
  return makers;
}

}  // namespace unum::test
