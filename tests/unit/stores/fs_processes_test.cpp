// Many processes in one directory at once, and processes that are killed while they write.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "conformance/fan_in_names.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/store.hpp"

using namespace unum;
using unum::test::Names;

namespace {

/// Runs `body` in a process of its own, which ends with the code that it returns.
template <class Body>
pid_t in_process(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    int code = 99;
    try {
      code = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(code);
  }
  REQUIRE(pid > 0);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::unique_ptr<Store> open_at(Reactor& reactor, const std::string& name, bool durable) {
  StoreOptions options;
  options.durable = durable;
  return reactor.run(open_store(reactor, "fs", name, options));
}

constexpr int kClaimed = 10;
constexpr int kOther = 11;

}  // namespace

TEST_CASE("200 processes fan in over one directory, and one of them has the claim") {
  const test::Scratch scratch;
  const std::string name = scratch / "store";
  {
    Reactor reactor;
    reactor.run(create_store(reactor, "fs", name));
  }
  const Names names("F", 200);
  int pipes[2];
  REQUIRE(::pipe(pipes) == 0);
  std::vector<pid_t> children;
  for (std::size_t i = 0; i < names.size(); ++i) {
    children.push_back(in_process([&, i] {
      ::close(pipes[1]);
      char unused = 0;
      (void)!::read(pipes[0], &unused, 1);  // all begin when the other end is closed
      Reactor reactor;
      const std::unique_ptr<Store> store = open_at(reactor, name, i % 4 == 0);
      const SessionContext context = session_context("S").bound_to(names.name(i));
      const FanIn fan_in{"Sink", &names, i, FanInRole::contributor};
      const CommitResult result = reactor.run(store->commit(context, "1", std::span(&fan_in, 1)));
      reactor.run(store->close());
      if (result.write.status != WriteResult::Status::written) return 1;
      return result.fan_ins.at(0).status == FanInState::Status::claimed ? kClaimed : kOther;
    }));
  }
  ::close(pipes[0]);
  ::close(pipes[1]);
  int claimed = 0;
  int other = 0;
  for (const pid_t child : children) {
    const int code = wait_for(child);
    claimed += code == kClaimed;
    other += code == kOther;
  }
  CHECK(claimed == 1);
  CHECK(other == 199);
}

TEST_CASE("case 4: of 20 processes that write one value one wins, the rest read what it wrote") {
  const test::Scratch scratch;
  const std::string name = scratch / "store";
  Reactor reactor;
  reactor.run(create_store(reactor, "fs", name));
  std::vector<pid_t> children;
  for (int i = 0; i < 20; ++i) {
    children.push_back(in_process([&, i] {
      Reactor own;
      const std::unique_ptr<Store> store = open_at(own, name, false);
      int wins = 0;
      for (int round = 0; round < 50; ++round) {
        const SessionContext context = session_context("S" + std::to_string(round)).bound_to("F");
        const std::string mine = std::to_string(i);
        const WriteResult result = own.run(write_return_value(*store, context, mine));
        const ItemId item{"F", ItemKind::outcome};
        const std::optional<std::string> stored = own.run(store->get(context, item));
        const bool won = result.status == WriteResult::Status::written;
        if (!stored || *stored != (won ? mine : result.stored)) return 99;
        wins += won;
      }
      return wins;
    }));
  }
  int wins = 0;
  for (const pid_t child : children) wins += wait_for(child);
  CHECK(wins == 50);
}

TEST_CASE("a writer that is killed at any moment leaves whole values or none") {
  const auto durable = GENERATE(true, false);
  const test::Scratch scratch;
  const std::string name = scratch / "store";
  Reactor reactor;
  reactor.run(create_store(reactor, "fs", name));
  const std::unique_ptr<Store> store = open_at(reactor, name, true);
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    const SessionContext context = session_context("S" + std::to_string(round));
    int pipes[2];
    REQUIRE(::pipe(pipes) == 0);
    const pid_t writer = in_process([&] {
      Reactor own;
      const std::unique_ptr<Store> into = open_at(own, name, durable);
      // Tells of each value once it is written.
      for (int i = 0;; ++i) {
        const std::string value(20'000 + 1'000 * (i % 50), static_cast<char>('a' + i % 26));
        const SessionContext at =
            session_context(context.session()).bound_to("F" + std::to_string(i));
        own.run(write_return_value(*into, at, value));
        const ItemId report{"R", ItemKind::report};
        own.run(into->put(at, report, value));
        (void)!::write(pipes[1], &i, sizeof i);
      }
      return 0;
    });
    ::close(pipes[1]);
    // Reads beside the writer until so many values were announced, then ends it.
    int told = -1;
    const int last = static_cast<int>(random() % 6);
    const auto check_whole = [&] {
      const std::vector<ListedItem> items = reactor.run(store->list(context));
      for (const ListedItem& item : items) {
        const std::optional<std::string> value = reactor.run(store->get(context, item.id));
        REQUIRE(value.has_value());
        REQUIRE(value->size() >= 20'000);
        CHECK(value->size() % 1'000 == 0);
        CHECK(value->find_first_not_of(value->front()) == std::string::npos);
      }
    };
    while (told < last && ::read(pipes[0], &told, sizeof told) == sizeof told) check_whole();
    for (unsigned i = 0; i < random() % 3; ++i) check_whole();
    REQUIRE(::kill(writer, SIGKILL) == 0);
    CHECK(wait_for(writer) == -SIGKILL);
    while (::read(pipes[0], &told, sizeof told) == sizeof told) continue;
    ::close(pipes[0]);
    check_whole();
    for (int i = 0; i <= told; ++i) {
      const ItemId item{"F" + std::to_string(i), ItemKind::outcome};
      CHECK(reactor.run(store->get(context, item)).has_value());
    }
  }
}
