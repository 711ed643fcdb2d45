// Fresh directories and stores for tests.
#include "support/native_app.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace unum::test {

TemporaryDirectory::TemporaryDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "unum-test-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

FreshStore::FreshStore(Reactor& reactor, std::string_view type) {
  static int count = 0;
  std::string name = "fresh-" + std::to_string(++count);
  StoreOptions options;
  if (type == "fs") {
    directory = std::make_unique<TemporaryDirectory>();
    name = directory->path();
    options.durable = false;
  } else {
    reactor.run(create_store(reactor, type, name));
  }
  store = reactor.run(open_store(reactor, type, name, options));
}

}  // namespace unum::test
