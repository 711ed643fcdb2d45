// Fresh stores for tests.
#include "support/native_app.hpp"

namespace unum::test {

FreshStore::FreshStore(Reactor& reactor, std::string_view type) {
  static int count = 0;
  std::string name = "fresh-" + std::to_string(++count);
  StoreOptions options;
  if (type == "fs") {
    directory = std::make_unique<Scratch>();
    name = directory->path();
    options.durable = false;
  } else {
    reactor.run(create_store(reactor, type, name));
  }
  store = reactor.run(open_store(reactor, type, name, options));
}

}  // namespace unum::test
