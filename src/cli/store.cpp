// `unum store create|check`: the only place where a named data store is made.
#include <fmt/format.h>

#include "cli/cli.hpp"
#include "hosts/store_choice.hpp"

namespace unum::cli {
namespace {

Task<int> make(Reactor& reactor, const StoreChoice& choice) {
  const bool made = co_await create_store(reactor, choice.type, choice.name);
  fmt::print("{} {}\n", shown_store(choice.type, choice.name),
             made ? "was made" : "exists already");
  co_return kDone;
}

Task<int> examine(Reactor& reactor, const StoreChoice& choice, double patience_s) {
  StoreOptions options;
  options.patience = patience_of(patience_s);
  options.waiting = [](std::string_view text) { say("unum: {}\n", text); };
  options.warn = [](std::string_view text) { say("unum: warning: {}\n", text); };
  const std::unique_ptr<Store> opened =
      co_await open_store(reactor, choice.type, choice.name, options);
  const std::vector<std::string> sessions = co_await opened->list_sessions();
  fmt::print("{} exists and can be written; it holds {} sessions\n",
             shown_store(choice.type, choice.name), sessions.size());
  co_await opened->close();
  co_return kDone;
}

/// Another process could not use what was made here, nor find it.
void refuse_memory(const StoreChoice& choice) {
  if (choice.type != "memory") return;
  throw Error(ErrorKind::invalid, "cli", "store",
              "a store in memory is gone with the command that uses it: nothing can be made or "
              "checked before; `unum run DIR --store memory` runs an application on one");
}

}  // namespace

int store(const StoreArguments& arguments) {
  const StoreChoice choice = parse_store(arguments.store);
  refuse_memory(choice);
  Reactor reactor;
  return reactor.run(arguments.create ? make(reactor, choice)
                                      : examine(reactor, choice, arguments.store_patience_s));
}

}  // namespace unum::cli
