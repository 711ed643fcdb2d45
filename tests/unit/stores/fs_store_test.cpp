// What the file-system store leaves on the disk, and what it does when the disk or its directory
// fails it.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "conformance/fan_in_names.hpp"
#include "conformance/stores_under_test.hpp"
#include "stores/fs/cache_guess.hpp"
#include "stores/fs/name_set.hpp"
#include "support/fixtures.hpp"
#include "unit/reactor/ports.hpp"
#include "unum/store.hpp"

using namespace unum;
using unum::test::error_of;
namespace fs_std = std::filesystem;

namespace {

const ItemId kOutcomeF{"F", ItemKind::outcome};

std::unique_ptr<Store> open_at(Reactor& reactor, const std::string& name, bool durable = true) {
  reactor.run(create_store(reactor, "fs", name));
  StoreOptions options;
  options.durable = durable;
  return reactor.run(open_store(reactor, "fs", name, options));
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::size_t files_below(const std::string& path) {
  std::size_t count = 0;
  for (const auto& entry : fs_std::recursive_directory_iterator(path))
    count += !entry.is_directory();
  return count;
}

}  // namespace

TEST_CASE("a value is one readable file, and the session's directory comes with the first") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S");
  CHECK_FALSE(reactor.run(store->get(context, kOutcomeF)));
  CHECK(fs_std::is_empty(scratch / "store"));
  reactor.run(write_return_value(*store, context.bound_to("F-unumIndex-2.5"), "{\"a\": 1}"));
  CHECK(content(scratch / "store/S/F-unumIndex-2.5-output.json") == "{\"a\": 1}");
  CHECK(files_below(scratch / "store") == 1);
}

TEST_CASE("names of every kind stay below the store's directory") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "a/b/store", false);
  for (const char* session : {"..", "../..", "/tmp", "."}) {
    const SessionContext context = session_context(session);
    for (const char* name : {"..", "../F", "../../F", "/F", "."}) {
      reactor.run(write_return_value(*store, context.bound_to(name), "1"));
    }
  }
  CHECK(files_below(scratch / "a/b/store") == 20);
  CHECK(files_below(scratch.path()) == 20);
}

TEST_CASE("no symbolic link leads out of the store") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  fs_std::create_directory(scratch / "outside");
  std::ofstream(scratch / "outside/F-output.json") << "secret";
  fs_std::create_directory_symlink(scratch / "outside", scratch / "store/S");
  const SessionContext linked = session_context("S");
  CHECK_THROWS_AS(reactor.run(store->get(linked, kOutcomeF)), Error);
  CHECK_THROWS_AS(reactor.run(write_return_value(*store, linked.bound_to("G"), "1")), Error);
  CHECK(files_below(scratch / "outside") == 1);
  fs_std::create_directory(scratch / "store/T");
  fs_std::create_symlink(scratch / "outside/F-output.json", scratch / "store/T/F-output.json");
  CHECK(error_of(reactor, store->get(session_context("T"), kOutcomeF)).kind() ==
        ErrorKind::corrupt);
}

TEST_CASE("a durable write waits for the disk twice, many together no more than that") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = create_session_context(*store);
  reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
  CHECK(store->counters().flushes == 2);
  const auto many = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      co_await write_return_value(*store, context.bound_to("G" + std::to_string(i)), "1");
    };
    co_await for_each_bounded(300, 300, one);
  };
  reactor.run(many());
  CHECK(store->counters().flushes <= 6);
  const std::unique_ptr<Store> fast = open_at(reactor, scratch / "fast", false);
  reactor.run(write_return_value(*fast, context.bound_to("F"), "1"));
  CHECK(fast->counters().flushes == 0);
}

TEST_CASE("a claim does not wait for the disk") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = create_session_context(*store);
  for (const ItemKind kind : {ItemKind::claim, ItemKind::wanted, ItemKind::garbage}) {
    reactor.run(store->create(context, ItemId{"F", kind}, "1"));
    reactor.run(store->put(context, ItemId{"F", kind}, "2"));
  }
  CHECK(store->counters().flushes == 0);
  for (const ItemKind kind : {ItemKind::outcome, ItemKind::input, ItemKind::report}) {
    const std::uint64_t before = store->counters().flushes;
    reactor.run(store->put(context, ItemId{"F", kind}, "2"));
    CHECK(store->counters().flushes == before + 2);
  }
}

TEST_CASE(
    "a value found that another process may have just linked is waited for before it is used") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S");
  reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
  std::ofstream(scratch / "store/S/G-output.json") << "2";  // by nobody who flushes
  const std::uint64_t before = store->counters().flushes;
  const ItemId foreign{"G", ItemKind::outcome};
  CHECK(reactor.run(store->get(context, foreign)) == "2");
  CHECK(store->counters().flushes == before + 1);
}

TEST_CASE("in a session that was begun here checking for a missing value is one call") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S");
  reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
  const std::uint64_t requests = store->counters().requests;
  const std::uint64_t entries = reactor.counters().kernel_entries;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "G" + std::to_string(i);
    const ItemId absent{name, ItemKind::outcome};
    CHECK_FALSE(reactor.run(store->get(context, absent)));
  }
  CHECK(store->counters().requests == requests + 100);
  CHECK(reactor.counters().kernel_entries == entries);
}

TEST_CASE("what a fan-in was seen to hold is on the disk before it is claimed") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S").bound_to("A");
  reactor.run(write_return_value(*store, context, "1"));
  const test::Names names({"A", "B"});
  const std::vector<FanIn> fan_ins{{"Sink", &names, 0, FanInRole::contributor}};
  const std::uint64_t before = store->counters().flushes;
  CHECK(reactor.run(store->join(context, fan_ins)).at(0).status == FanInState::Status::incomplete);
  CHECK(store->counters().flushes == before);
  std::ofstream(scratch / "store/S/B-output.json") << "2";  // by nobody who flushes
  CHECK(reactor.run(store->join(context, fan_ins)).at(0).status == FanInState::Status::claimed);
  CHECK(store->counters().flushes == before + 1);
}

TEST_CASE("temporary files of others are not listed, and old ones are cleared away") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S");
  reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
  std::ofstream(scratch / "store/S/.unum-1-young") << "half";
  std::ofstream(scratch / "store/S/.unum-1-old") << "half";
  std::ofstream(scratch / "store/S/notes.txt") << "of a person";
  const timespec times[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, (scratch / "store/S/.unum-1-old").c_str(), times, 0) == 0);
  CHECK(reactor.run(store->list(context)).size() == 1);
  CHECK(fs_std::exists(scratch / "store/S/.unum-1-young"));
  CHECK_FALSE(fs_std::exists(scratch / "store/S/.unum-1-old"));
  CHECK(fs_std::exists(scratch / "store/S/notes.txt"));
}

TEST_CASE("times of files that no integer of nanoseconds holds are its ends (found 22)") {
  test::EnvironmentGuard environment;
  environment.set("UNUM_FS", GENERATE("local", "slow"));
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S");
  reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
  const auto listed_at = [&](std::time_t seconds, long nanoseconds) {
    const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
    const std::string path = scratch / "store/S/F-output.json";
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    struct ::stat kept {};
    REQUIRE(::stat(path.c_str(), &kept) == 0);
    if (kept.st_mtim.tv_sec != seconds) return std::optional<std::int64_t>();  // a narrow system
    return std::optional(reactor.run(store->list(context)).at(0).modified_unix_ns);
  };
  CHECK(listed_at(-1, 999'000'000) == -1'000'000);
  CHECK(listed_at(10'413'792'000, 0).value_or(INT64_MAX) == INT64_MAX);  // the year 2300
  CHECK(listed_at(-10'413'792'000, 0).value_or(INT64_MIN) == INT64_MIN);
}

TEST_CASE("where files without a name do not work, a hidden one is written and linked") {
  const test::Scratch scratch;
  ::setenv("UNUM_FS", "nfs", 1);
  Reactor reactor;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  ::unsetenv("UNUM_FS");
  const SessionContext context = session_context("S");
  reactor.run(store->put(context, ItemId{"F", ItemKind::report}, "1"));
  reactor.run(write_return_value(*store, context.bound_to("F"), "2"));
  CHECK(reactor.run(write_return_value(*store, context.bound_to("F"), "3")).stored == "2");
  CHECK(files_below(scratch / "store") == 2);
}

TEST_CASE("a file without a name gets it from its descriptor, or by way of /proc") {
  const test::Scratch scratch;
  ::setenv("UNUM_FS", GENERATE("local", "proc"), 1);
  Reactor reactor;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store", GENERATE(true, false));
  ::unsetenv("UNUM_FS");
  const SessionContext context = session_context("S");
  reactor.run(write_return_value(*store, context.bound_to("F"), "2"));
  CHECK(reactor.run(write_return_value(*store, context.bound_to("F"), "3")).stored == "2");
  CHECK(content(scratch / "store/S/F-output.json") == "2");
  CHECK(files_below(scratch / "store") == 1);
}

TEST_CASE("a full disk fails the write in one clear error and leaves nothing half written") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::string name = scratch / "store";
  REQUIRE(::mkdir(name.c_str(), 0755) == 0);
  if (::mount("none", name.c_str(), "tmpfs", 0, "size=256k") != 0)
    UNUM_SKIP("no mount is allowed here");
  {
    const std::unique_ptr<Store> store = open_at(reactor, name);
    const SessionContext context = session_context("S");
    reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
    for (const std::size_t size : {std::size_t{250'000}, std::size_t{600'000}}) {
      const std::string value(size, 'v');
      Error error =
          error_of(reactor, [](Store& in, SessionContext at, std::string text) -> Task<void> {
            for (int i = 0; i < 4; ++i)
              co_await write_return_value(in, at.bound_to("G" + std::to_string(i)), text);
          }(*store, context, value));
      CHECK(error.kind() == ErrorKind::exhausted);
      CHECK(error.code() == "ENOSPC");
      CHECK(error.message().find("-output of session S in the data store fs:" + name) !=
            std::string::npos);
    }
    std::size_t whole = 0;
    for (const ListedItem& item : reactor.run(store->list(context)))
      whole += item.bytes == 250'000 || item.bytes == 1;
    CHECK(whole == reactor.run(store->list(context)).size());
    CHECK(reactor.run(store->get(context, kOutcomeF)) == "1");
    reactor.run(store->close());
  }
  ::umount(name.c_str());
}

TEST_CASE("a file-size limit fails the write of that value alone") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S");
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{100'000, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string value(300'000, 'v');
  const Error error = error_of(reactor, write_return_value(*store, context.bound_to("F"), value));
  CHECK(reactor.run(write_return_value(*store, context.bound_to("G"), "1")).status ==
        WriteResult::Status::written);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  CHECK(error.kind() == ErrorKind::exhausted);
  CHECK_FALSE(reactor.run(store->get(context, kOutcomeF)));
  CHECK(files_below(scratch / "store") == 1);
}

TEST_CASE("a store's directory that is taken away is one clear error") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::string name = scratch / "store";
  const std::unique_ptr<Store> store = open_at(reactor, name);
  const SessionContext context = session_context("S");
  reactor.run(write_return_value(*store, context.bound_to("F"), "1"));
  fs_std::remove_all(name);
  const Error error = error_of(reactor, write_return_value(*store, context.bound_to("G"), "1"));
  CHECK(error.kind() == ErrorKind::not_found);
  CHECK(error.message().find(name) != std::string::npos);
  CHECK_FALSE(reactor.run(store->get(context, kOutcomeF)));
  CHECK_FALSE(fs_std::exists(name));
}

TEST_CASE("few descriptors are enough for many writes at once") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const rlimit few{256, old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const std::size_t before = test::open_descriptors();
  {
    const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
    const SessionContext context = create_session_context(*store);
    const auto many = [&]() -> Task<void> {
      const auto one = [&](std::size_t i) -> Task<void> {
        co_await write_return_value(*store, context.bound_to("G" + std::to_string(i)), "1");
      };
      co_await for_each_bounded(1'000, 1'000, one);
      const std::vector<ListedItem> items = co_await store->list(context);
      CHECK(items.size() == 1'000);
      co_await store->close();
    };
    reactor.run(many());
  }
  CHECK(test::open_descriptors() <= before + 2);  // the reactor may have started its helper threads
  ::setrlimit(RLIMIT_NOFILE, &old);
}

TEST_CASE("values that are not cached come from the disk all the same") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store");
  const SessionContext context = session_context("S");
  const std::size_t cold_every = GENERATE(1u, 5u, 100u);
  std::vector<Pointer> pointers;
  const auto many = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      co_await write_return_value(*store, context.bound_to("F" + std::to_string(i)),
                                  std::string(i * 37, 'a'));
    };
    co_await for_each_bounded(300, 300, one);
  };
  reactor.run(many());
  for (std::size_t i = 0; i < 300; ++i) {
    pointers.push_back(pointer(context, "F" + std::to_string(i)));
    if (i % cold_every != cold_every - 1) continue;
    const int fd =
        ::open((scratch / ("store/S/F" + std::to_string(i) + "-output.json")).c_str(), O_RDONLY);
    REQUIRE(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
    ::close(fd);
  }
  const std::vector<std::string> values = reactor.run(read_input(*store, context, pointers));
  for (std::size_t i = 0; i < 300; ++i) CHECK(values[i] == std::string(i * 37, 'a'));
}

TEST_CASE("a file in eight is asked for while all are cached, each one after one that is not") {
  using fs::CacheGuess;
  const Deadline now{};
  Reactor reactor;
  CacheGuess guess(reactor);
  const auto plain_reads = [&](Deadline at) {
    int count = 0;
    for (; guess.is_cached(); ++count) guess.was_read(at);
    return count;
  };
  for (int round = 0; round < 3; ++round) {
    CHECK_FALSE(guess.is_cached());
    guess.was_asked(true, now);
    CHECK(plain_reads(now) == CacheGuess::kRun);
  }
  const auto expect_caution = [&] {
    for (int hit = 0; hit < CacheGuess::kHitsAfterMiss; ++hit) {
      CHECK_FALSE(guess.is_cached());
      guess.was_asked(true, now);
    }
    CHECK_FALSE(guess.is_cached());
    guess.was_asked(true, now);
    CHECK(guess.is_cached());
  };
  SECTION("one was not there") {
    guess.was_asked(false, now);
    expect_caution();
  }
  SECTION("a run took so long that it must have waited for the disk") {
    guess.was_asked(true, now);
    CHECK(plain_reads(now + CacheGuess::kRunTimeMax * 2) == CacheGuess::kRun);
    expect_caution();
  }
  SECTION("others had a turn meanwhile") {
    guess.was_asked(true, now);
    guess.restart();
    CHECK_FALSE(guess.is_cached());
  }
}

TEST_CASE("a set of names holds what was added, however many") {
  fs::NameSet names;
  CHECK_FALSE(names.contains("F"));
  const std::size_t count = GENERATE(1u, 31u, 32u, 33u, 5000u);
  for (std::size_t i = 0; i < count; ++i) names.add("F-" + std::to_string(i));
  CHECK(names.size() == count);
  for (std::size_t i = 0; i < 2 * count; ++i) {
    REQUIRE(names.contains("F-" + std::to_string(i)) == (i < count));
  }
  CHECK_FALSE(names.contains(""));
  CHECK_FALSE(names.contains("F-"));
}

TEST_CASE("many names are looked for by one listing, in a directory of many others one by one") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::unique_ptr<Store> store = open_at(reactor, scratch / "store", false);
  const SessionContext context = session_context("S");
  std::vector<Pointer> pointers;
  const auto write = [&](const std::string& name) {
    reactor.run(write_return_value(*store, context.bound_to(name), "1"));
  };
  const auto requests_of_check = [&](bool expected) {
    const std::uint64_t before = store->counters().requests;
    CHECK(reactor.run(check_values_exist(*store, context, pointers)) == expected);
    return store->counters().requests - before;
  };
  for (int i = 0; i < 100; ++i) {
    pointers.push_back(pointer(context, "F" + std::to_string(i)));
    write("F" + std::to_string(i));
  }
  CHECK(requests_of_check(true) < 20);
  // One that is written at any time is found, one that is not is missed.
  pointers.push_back(pointer(context, "G"));
  CHECK(requests_of_check(false) < 20);
  write("G");
  CHECK(requests_of_check(true) < 20);
  pointers.erase(pointers.begin() + 80, pointers.end());
  for (int i = 0; i < 800; ++i) std::ofstream(scratch / ("store/S/other-" + std::to_string(i)));
  CHECK(requests_of_check(true) == 80);
}
