// Opening and making stores by type and name: what exists, what does not, and what can be none.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "unit/reactor/ports.hpp"
#include "unum/store.hpp"

using namespace unum;

namespace {

Error open_error(Reactor& reactor, std::string_view type, std::string_view name) {
  try {
    reactor.run(open_store(reactor, type, name));
  } catch (const Error& error) {
    return error;
  }
  FAIL("opening " << type << ":" << name << " should have failed");
  throw Error(ErrorKind::bug, "test", "none", "unreachable");
}

bool has(const Error& error, std::string_view text) {
  return error.message().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a store that does not exist is an error that shows the command which makes it") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::string name = scratch / "none";
  const Error error = open_error(reactor, "fs", name);
  CHECK(error.kind() == ErrorKind::not_found);
  CHECK(has(error, "fs:" + name));
  CHECK(has(error, "unum store create fs:" + name));
  CHECK_FALSE(std::filesystem::exists(name));
  CHECK(open_error(reactor, "memory", "nobody made this").kind() == ErrorKind::not_found);
}

TEST_CASE("a store is made with all above it, once") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  for (const std::string& name : {scratch / "a/b/c", scratch / "a/b/d/", scratch / "e"}) {
    CHECK(reactor.run(create_store(reactor, "fs", name)));
    CHECK_FALSE(reactor.run(create_store(reactor, "fs", name)));
    const std::unique_ptr<Store> store = reactor.run(open_store(reactor, "fs", name));
    CHECK(store->type() == "fs");
    CHECK(store->name() == name);
  }
  CHECK(reactor.run(open_store(reactor, "EFS", scratch / "e"))->type() == "fs");
  std::ofstream(scratch / "file") << "x";
  CHECK_THROWS_AS(reactor.run(create_store(reactor, "fs", scratch / "file")), Error);
  CHECK_THROWS_AS(reactor.run(create_store(reactor, "fs", scratch / "file/below")), Error);
}

TEST_CASE("opening leaves nothing behind") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  for (int i = 0; i < 3; ++i)
    reactor.run(reactor.run(open_store(reactor, "fs", scratch.path()))->close());
  CHECK(std::filesystem::is_empty(scratch.path()));
}

TEST_CASE("a file is not a store") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  std::ofstream(scratch / "file") << "x";
  CHECK(open_error(reactor, "fs", scratch / "file").kind() == ErrorKind::invalid);
  CHECK(has(open_error(reactor, "fs", scratch / "file"), "not a directory"));
  CHECK(open_error(reactor, "fs", scratch / "file/below").kind() == ErrorKind::invalid);
}

TEST_CASE("a store that cannot be written is refused when it is opened") {
  ON_EACH_PORT(reactor);
  const test::Scratch scratch;
  const std::string name = scratch / "store";
  REQUIRE(::mkdir(name.c_str(), 0755) == 0);
  if (::geteuid() == 0) {
    if (::mount("none", name.c_str(), "tmpfs", MS_RDONLY, nullptr) != 0)
      UNUM_SKIP("no mount is allowed here");
  } else {
    REQUIRE(::chmod(name.c_str(), 0555) == 0);
  }
  const Error error = open_error(reactor, "fs", name);
  if (::geteuid() == 0) ::umount(name.c_str());
  CHECK(error.kind() == ErrorKind::denied);
  CHECK(has(error, "fs:" + name));
  CHECK(has(error, "cannot be written"));
}

TEST_CASE("a queue cannot be a data store, and the error says why") {
  Reactor reactor;
  for (const char* type : {"sqs", "SNS", "kafka", "pubsub", "eventbridge", "rabbitmq"}) {
    const Error error = open_error(reactor, type, "x");
    CHECK(error.kind() == ErrorKind::invalid);
    CHECK(error.code() == "Unum.NotADataStore");
    CHECK(has(error, type));
    CHECK(has(error, "read and write single items by name"));
  }
}

TEST_CASE("an unknown type and an impossible name say what would be right") {
  Reactor reactor;
  const Error unknown = open_error(reactor, "reddis", "x");
  CHECK(unknown.kind() == ErrorKind::invalid);
  CHECK(has(unknown, "redis"));
  CHECK_THROWS_AS(create_store(reactor, "reddis", "x"), Error);
  CHECK(open_error(reactor, "fs", "").kind() == ErrorKind::invalid);
  CHECK(open_error(reactor, "fs", std::string_view("a\0b", 3)).kind() == ErrorKind::invalid);
}

TEST_CASE("a memory store is one in the whole process") {
  Reactor one;
  Reactor two;
  CHECK(one.run(create_store(one, "memory", "shared")));
  CHECK_FALSE(two.run(create_store(two, "memory", "shared")));
  const std::unique_ptr<Store> first = one.run(open_store(one, "memory", "shared"));
  const std::unique_ptr<Store> second = two.run(open_store(two, "memory", "shared"));
  const SessionContext context = create_session_context(*first).bound_to("F");
  one.run(write_return_value(*first, context, "1"));
  CHECK(two.run(second->get(context, ItemId{"F", ItemKind::outcome})) == "1");
}
