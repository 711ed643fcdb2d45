// The S3 store against a real server: large values, races, what is left behind, what is missing.
#include <array>
#include <random>
#include <set>

#include "conformance/stores_under_test.hpp"
#include "s3_server.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using unum::test::open_s3;
using Status = WriteResult::Status;

namespace {

const ItemId kOutcomeF{"F", ItemKind::outcome};

std::string random_value(std::size_t size, unsigned seed) {
  std::string value(size, '\0');
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, value.data() + i);
  }
  return value;
}

/// Uploads in parts that have begun below the store's prefix and not ended.
std::size_t open_uploads(Reactor& reactor, const std::string& name) {
  const std::size_t slash = name.find('/');
  const aws::ServiceAnswer answer =
      test::raw_s3(reactor, http::Method::get, "/" + name.substr(0, slash), "uploads=");
  std::size_t count = 0;
  const std::string& body = answer.response.body;
  REQUIRE(body.find("ListMultipartUploadsResult") != std::string::npos);
  for (std::size_t at = 0;
       (at = body.find("<Key>" + name.substr(slash + 1), at)) != std::string::npos; ++at) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a large value is uploaded in parts and comes back byte for byte", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  const SessionContext context = create_session_context(*store);
  const std::size_t mib = 1024 * 1024;
  std::uint64_t before = store->counters().requests;
  unsigned seed = 0;
  for (const std::size_t size : {16 * mib, 16 * mib + 1, 40 * mib - 1}) {
    const std::string instance = "F" + std::to_string(seed);
    const std::string value = random_value(size, seed++);
    const SessionContext at = context.bound_to(instance);
    CHECK(reactor.run(write_return_value(*store, at, value)).status == Status::written);
    const std::uint64_t asked = store->counters().requests - before;
    // The check, the upload's begin, its parts, its end; before the first one the probe's upload:
    // its begin, part, refused end and removal.
    CHECK(asked == 3 + (size + 8 * mib - 1) / (8 * mib) + (seed == 1 ? 4 : 0));
    const std::optional<std::string> stored =
        reactor.run(store->get(context, ItemId{instance, ItemKind::outcome}));
    REQUIRE(stored.has_value());
    CHECK((*stored == value));
    CHECK(stored->capacity() >= stored->size() + 64);
    before = store->counters().requests;
    // Another write is told without an upload.
    const WriteResult again = reactor.run(write_return_value(*store, at, random_value(size, 77)));
    CHECK(again.status == Status::already_there);
    CHECK((again.stored == value));
    CHECK(store->counters().requests - before == 3);  // check, read, checksum
    before = store->counters().requests;
  }
  const ItemId report{"R", ItemKind::report};
  for (const unsigned round : {1u, 2u}) {
    const std::string value = random_value(17 * mib, round);
    reactor.run(store->put(context, report, value));
    CHECK((reactor.run(store->get(context, report)) == value));
  }
  CHECK(open_uploads(reactor, name) == 0);
  reactor.run(store->close());
}

TEST_CASE("of several writers of one large value one wins, and no parts are left", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  const SessionContext context = create_session_context(*store).bound_to("F");
  std::vector<std::string> values;
  for (unsigned i = 0; i < 3; ++i) values.push_back(random_value(17u * 1024 * 1024, i));
  std::vector<WriteResult> results(values.size());
  const auto one = [&](std::size_t i) -> Task<void> {
    results[i] = co_await write_return_value(*store, context, values[i]);
  };
  const auto all = [&]() -> Task<void> {
    co_await for_each_bounded(values.size(), values.size(), one);
  };
  reactor.run(all());
  std::size_t winner = values.size();
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].status != Status::written) continue;
    CHECK(winner == values.size());
    winner = i;
  }
  REQUIRE(winner < values.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i != winner) CHECK((results[i].stored == values[winner]));
  }
  CHECK((reactor.run(store->get(context, kOutcomeF)) == values[winner]));
  CHECK(open_uploads(reactor, name) == 0);
  reactor.run(store->close());
}

TEST_CASE("an upload that is stopped in the middle leaves no parts", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name, 2);
  const SessionContext context = create_session_context(*store).bound_to("F");
  const std::string value = random_value(64u * 1024 * 1024, 5);
  StopSource source;
  Wait wait;
  wait.stop = source.token();
  const std::uint64_t before = store->counters().requests;
  std::optional<ErrorKind> kind;
  const auto write = [&]() -> Task<void> {
    try {
      co_await write_return_value(*store, context, value, wait);
    } catch (const Error& error) {
      kind = error.kind();
    }
  };
  const auto stop = [&]() -> Task<void> {
    // The check, the probe's four, the begin, and the third part.
    while (store->counters().requests - before < 9) co_await reactor.yield();
    source.request("enough");
  };
  TaskGroup group;
  group.spawn(write());
  group.spawn(stop());
  reactor.run(group.drain());
  CHECK(kind == ErrorKind::cancelled);
  CHECK_FALSE(reactor.run(store->get(context, kOutcomeF)).has_value());
  CHECK(open_uploads(reactor, name) == 0);
  reactor.run(store->close());
}

TEST_CASE("case 12: the S3 store works, with nothing beside the bucket", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  CHECK(store->type() == "s3");
  CHECK(store->name() == name);
  const SessionContext context = session_context("session").bound_to("F");
  CHECK(reactor.run(write_return_value(*store, context, "{\"a\": 1}")).status == Status::written);
  // Readable by any tool under the documented key.
  const aws::ServiceAnswer answer =
      test::raw_s3(reactor, http::Method::get, "/" + name + "/session/F-output.json");
  CHECK(answer.response.body == "{\"a\": 1}");
  CHECK(reactor.run(store->list_sessions()) == std::vector<std::string>{"session"});
  reactor.run(store->close());
}

TEST_CASE("sessions and items of more than one page are all listed", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  const std::size_t count = 1'050;
  const SessionContext context = session_context("many");
  const auto one = [&](std::size_t i) -> Task<void> {
    const std::string number = std::to_string(i);
    co_await write_return_value(*store, context.bound_to("F" + number), number);
    co_await write_return_value(*store, session_context("s" + number).bound_to("F"), "1");
  };
  const auto all = [&]() -> Task<void> { co_await for_each_bounded(count, 64, one); };
  reactor.run(all());
  std::set<std::string> names;
  for (const ListedItem& item : reactor.run(store->list(context))) {
    names.insert(item.id.name);
    CHECK(item.bytes == item.id.name.size() - 1);
    CHECK(item.modified_unix_ns / 1'000'000'000 >= ::time(nullptr) - 600);
  }
  CHECK(names.size() == count);
  CHECK(reactor.run(store->list_sessions()).size() == count + 1);
  std::vector<ItemId> items;
  for (const std::string& each : names) items.push_back({each, ItemKind::outcome});
  const std::uint64_t before = store->counters().requests;
  reactor.run(store->remove(context, items));
  CHECK(store->counters().requests - before == 2);
  CHECK(reactor.run(store->list(context)).empty());
  reactor.run(store->close());
}

TEST_CASE("a bucket that does not exist is named, with the command that makes it", "[s3-server]") {
  ON_EACH_S3_PORT();
  test::use_s3_at(test::s3_server());
  const std::string bucket =
      "unum-none-" + std::to_string(::getpid()) + "-" + std::to_string(static_cast<int>(backend));
  const Error error = test::error_of(reactor, open_store(reactor, "s3", bucket + "/p"));
  CHECK(error.kind() == ErrorKind::not_found);
  CHECK(error.code() == "Unum.NoSuchStore");
  CHECK(error.message().find("unum store create s3:" + bucket + "/p") != std::string::npos);
  CHECK(reactor.run(create_store(reactor, "s3", bucket + "/p")));
  CHECK_FALSE(reactor.run(create_store(reactor, "s3", bucket)));
  const std::unique_ptr<Store> store = reactor.run(open_store(reactor, "s3", bucket + "/p"));
  CHECK(reactor.run(store->list_sessions()).empty());
  reactor.run(store->close());
}

TEST_CASE("keys that the server does not know are denied when the store is opened", "[s3-server]") {
  ON_EACH_S3_PORT();
  test::use_s3_at(test::s3_server());
  reactor.run(create_store(reactor, "s3", name));
  ::setenv("AWS_SECRET_ACCESS_KEY", "another-secret-key", 1);
  const Error error = test::error_of(reactor, open_store(reactor, "s3", name));
  CHECK(error.kind() == ErrorKind::denied);
  CHECK(error.message().find("another-secret-key") == std::string::npos);
  test::use_s3_at(test::s3_server());
}
