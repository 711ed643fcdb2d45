// Opens a data store, reads one value and writes it to stdout: what a function that was just
// started does before its user code runs.
//
// Usage: first-value TYPE:NAME SESSION INSTANCE [VALUE]     VALUE is written first
//        first-value --create TYPE:NAME
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "unum/reactor.hpp"
#include "unum/store.hpp"

using namespace unum;

namespace {

struct StoreName {
  explicit StoreName(std::string_view text)
      : type(text.substr(0, text.find(':'))),
        name(text.substr(std::min(text.size(), type.size() + 1))) {}
  std::string_view type;
  std::string_view name;
};

Task<void> make(Reactor& reactor, const StoreName& store) {
  co_await create_store(reactor, store.type, store.name);
}

Task<void> read_one(Reactor& reactor, const StoreName& named, std::string_view session,
                    std::string_view instance, const char* value) {
  const auto store = co_await open_store(reactor, named.type, named.name);
  const SessionContext context = session_context(session);
  if (value != nullptr) {
    const SessionContext writer = context.bound_to(instance);
    co_await write_return_value(*store, writer, value);
  }
  const std::vector<Pointer> pointers{pointer(context, instance)};
  const std::vector<std::string> values = co_await read_input(*store, context, pointers);
  std::fwrite(values.front().data(), 1, values.front().size(), stdout);
  std::fflush(stdout);
  co_await store->close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  try {
    Reactor reactor;
    if (std::string_view(argv[1]) == "--create") {
      const StoreName named(argv[2]);
      reactor.run(make(reactor, named));
      return 0;
    }
    if (argc < 4) return 2;
    const StoreName named(argv[1]);
    reactor.run(read_one(reactor, named, argv[2], argv[3], argc > 4 ? argv[4] : nullptr));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "first-value: %s\n", error.what());
    return 1;
  }
}
