// The DynamoDB store against DynamoDB Local: large values, orphans, fan-ins and what they cost.
#include <algorithm>
#include <cstdlib>

#include "catch.hpp"
#include "conformance/fan_in_names.hpp"
#include "unit/stores/dynamodb_support.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using unum::test::Branches;
using unum::test::Names;
using Status = FanInState::Status;

namespace {

const ItemId kOutcomeF{"F", ItemKind::outcome};

std::string large(std::size_t bytes, char fill) {
  std::string value = "\"";
  while (value.size() + 3 < bytes) value.append("\xc3\xa9").push_back(fill);
  return value + "\"";
}

Task<FanInState> contribute(Store& store, const SessionContext& context, const FanInSet& set,
                            std::size_t place, FanInRole role = FanInRole::contributor) {
  const FanIn fan_in = test::fan_in_of(set, place, role);
  const SessionContext at = context.bound_to(set.name(place));
  CommitResult result = co_await store.commit(at, "1", std::span(&fan_in, 1));
  co_return result.fan_ins.at(0);
}

}  // namespace

/// Begins a test: a table of its own, and the store `store` in it, on each port.
#define ON_A_TABLE()                                                       \
  if (std::getenv("UNUM_TEST_DYNAMODB") == nullptr) {                      \
    UNUM_SKIP("UNUM_TEST_DYNAMODB names no server");                       \
  }                                                                        \
  ON_EACH_PORT(reactor);                                                   \
  const std::string table = test::fresh_table(reactor);                    \
  const auto opened = reactor.run(open_store(reactor, "dynamodb", table)); \
  Store& store = *opened;                                                  \
  test::RawTable raw(reactor, table);                                      \
  const SessionContext context = session_context("s/1")

TEST_CASE("items stand in the table as it is documented", "[dynamodb]") {
  ON_A_TABLE();
  const SessionContext at = context.bound_to("F-unumIndex-2");
  reactor.run(write_return_value(store, at, "{\"a\":1}"));
  const std::string item = raw.get("s%2F1/F-unumIndex-2-output");
  CHECK(item.find(R"("User":{"S":"{\"a\":1}"})") != std::string::npos);
  CHECK(item.find(R"("Bytes":{"N":"7"})") != std::string::npos);
  CHECK(item.find("ExpiresAt") == std::string::npos);
  raw.put(R"("Name":{"S":"s%2F1/Old-output"},"Value":{"S":"[2]"})");
  raw.put(R"("Name":{"S":"s%2F1/Native-output"},"User":{"M":{"x":{"N":"3"}}})");
  CHECK(reactor.run(store.get(context, {"Old", ItemKind::outcome})) == "[2]");
  CHECK(reactor.run(store.get(context, {"Native", ItemKind::outcome})) == "{\"x\":3}");
  const WriteResult again =
      reactor.run(store.create(context, {"Old", ItemKind::outcome}, "mine", {}));
  CHECK(again.stored == "[2]");
  for (const ListedItem& listed : reactor.run(store.list(context))) {
    if (listed.id.name == "Native") CHECK(listed.bytes == 7);
  }
  reactor.run(store.close());
}

TEST_CASE("items expire when the environment says so", "[dynamodb]") {
  ON_A_TABLE();
  ::setenv("UNUM_DYNAMODB_TTL_SECONDS", "3600", 1);
  const auto expiring = reactor.run(open_store(reactor, "dynamodb", table));
  ::setenv("UNUM_DYNAMODB_TTL_SECONDS", "soon", 1);
  CHECK_THROWS_AS(reactor.run(open_store(reactor, "dynamodb", table)), Error);
  ::unsetenv("UNUM_DYNAMODB_TTL_SECONDS");
  const Branches branches(2);
  reactor.run(contribute(*expiring, context, branches, 0));
  for (const std::string& key : raw.keys()) {
    CHECK(raw.get(key).find("\"ExpiresAt\":{\"N\":\"") != std::string::npos);
  }
  reactor.run(expiring->close());
  reactor.run(store.close());
}

TEST_CASE("case 46: of several writers of a large value one wins, and no part of the others stays",
          "[dynamodb]") {
  ON_A_TABLE();
  const std::size_t writers = 4;
  const SessionContext at = context.bound_to("F");
  std::vector<WriteResult> results(writers);
  std::vector<std::string> values;
  for (std::size_t i = 0; i < writers; ++i) {
    values.push_back(large(900'000 + i * 300'000, static_cast<char>('a' + i)));
  }
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      results[i] = co_await write_return_value(store, at, values[i]);
    };
    co_await for_each_bounded(writers, writers, one);
    const std::optional<std::string> stored = co_await store.get(context, kOutcomeF);
    REQUIRE(stored.has_value());
    std::size_t won = 0;
    for (std::size_t i = 0; i < writers; ++i) {
      const bool written = results[i].status == WriteResult::Status::written;
      won += written;
      const bool right = written ? *stored == values[i] : results[i].stored == *stored;
      CHECK(right);
    }
    CHECK(won == 1);
    CHECK(stored->capacity() >= stored->size() + 64);
    const std::vector<ListedItem> listed = co_await store.list(context);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].bytes == stored->size());
    const std::vector<Pointer> pointers(2, pointer(context, "F"));
    const std::vector<std::string> read = co_await read_input(store, context, pointers);
    const bool same = read.at(0) == *stored && read.at(1) == *stored;
    CHECK(same);
  };
  reactor.run(body());
  const std::size_t bytes = reactor.run(store.list(context)).at(0).bytes;
  CHECK(raw.keys().size() == 1 + (bytes + 393'215) / 393'216);
  const std::vector<ItemId> items{kOutcomeF};
  reactor.run(store.remove(context, items));
  CHECK(raw.keys().empty());
  reactor.run(store.close());
}

TEST_CASE("values around what one item holds come back, binary ones too", "[dynamodb]") {
  ON_A_TABLE();
  const auto body = [&]() -> Task<void> {
    for (const std::size_t bytes : {408'000u, 408'500u, 409'600u, 409'601u, 800'000u}) {
      const ItemId item{"F" + std::to_string(bytes), ItemKind::outcome};
      for (const bool binary : {false, true}) {
        const std::string value = binary ? std::string(bytes, '\0') : large(bytes, '"');
        const ItemId report{item.name, binary ? ItemKind::report : ItemKind::outcome};
        const WriteResult made = co_await store.create(context, report, value);
        CHECK(made.status == WriteResult::Status::written);
        // The answer that tells of the conflict holds the whole item.
        const WriteResult again = co_await store.create(context, report, "other");
        const bool same = again.stored == value;
        CHECK(same);
      }
    }
  };
  reactor.run(body());
  reactor.run(store.close());
}

TEST_CASE("writing over a large value takes its parts away", "[dynamodb]") {
  ON_A_TABLE();
  const ItemId report{"F", ItemKind::report};
  reactor.run(store.put(context, report, large(900'000, 'a')));
  CHECK(raw.keys().size() == 4);
  reactor.run(store.put(context, report, large(500'000, 'b')));
  CHECK(raw.keys().size() == 3);
  CHECK((reactor.run(store.get(context, report)) == large(500'000, 'b')));
  reactor.run(store.put(context, report, "small"));
  CHECK(raw.keys().size() == 1);
  CHECK(reactor.run(store.get(context, report)) == "small");
  reactor.run(store.close());
}

TEST_CASE("a value whose part is gone is corrupt, not shorter", "[dynamodb]") {
  ON_A_TABLE();
  raw.put(R"("Name":{"S":"s%2F1/F-output"},"Writer":{"S":"w"},"Parts":{"N":"2"},)"
          R"("Bytes":{"N":"4"})");
  raw.put(R"("Name":{"S":"s%2F1/F-output/w.0"},"User":{"S":"ab"},"Offset":{"N":"0"})");
  std::string code;
  try {
    reactor.run(store.get(context, kOutcomeF));
  } catch (const Error& error) {
    code = error.code();
  }
  CHECK(code == "Unum.MissingPart");
  raw.put(R"("Name":{"S":"s%2F1/F-output/w.1"},"User":{"S":"cd"},"Offset":{"N":"2"})");
  CHECK(reactor.run(store.get(context, kOutcomeF)) == "abcd");
  reactor.run(store.close());
}

TEST_CASE("listings collect old orphans, and nothing else", "[dynamodb]") {
  ON_A_TABLE();
  const Branches branches(100);
  const auto fill = [&]() -> Task<void> {
    const SessionContext at = context.bound_to("F");
    co_await write_return_value(store, at, large(900'000, 'a'));
    co_await contribute(store, context, branches, 3);
    // A session whose items were removed before its fan-in was complete leaves a node behind.
    const SessionContext gone = session_context("gone");
    co_await contribute(store, gone, branches, 3);
    const std::vector<ItemId> items{{branches.name(3), ItemKind::outcome}};
    co_await store.remove(gone, items);
  };
  reactor.run(fill());
  raw.put(R"("Name":{"S":"s%2F1/F-output/dead.0"},"User":{"S":"x"},"Written":{"N":"1"})");
  raw.put(R"("Name":{"S":"other/F-output/dead.0"},"User":{"S":"x"},"Written":{"N":"1"})");
  const std::size_t before = raw.keys().size();
  reactor.run(store.list(context));
  CHECK(raw.keys().size() == before - 1);  // of that session only, and only the old one
  dynamodb::Tuning eager;
  eager.orphan_age = std::chrono::seconds(0);
  const auto collector =
      reactor.run(dynamodb::open_dynamodb_store(reactor, table, StoreOptions{}, eager));
  const std::vector<std::string> sessions = reactor.run(collector->list_sessions());
  CHECK(sessions == std::vector<std::string>{"s/1"});
  const std::vector<std::string> left = raw.keys();
  CHECK(left.size() == before - 3);
  for (const std::string& key : left) CHECK(key.starts_with("s%2F1/"));
  CHECK((reactor.run(store.get(context, kOutcomeF)) == large(900'000, 'a')));
  reactor.run(collector->close());
  reactor.run(store.close());
}

TEST_CASE("case 22: what a fan-in of n costs, in requests", "[dynamodb]") {
  ON_A_TABLE();
  std::vector<std::size_t> widths = {1, 10, 65, 1'000};
  if (std::getenv("UNUM_TEST_WIDE") != nullptr) widths.push_back(10'000);
  for (const std::size_t width : widths) {
    const SessionContext at = create_session_context(store);
    const Branches branches(width);
    const std::uint64_t before = store.counters().requests;
    std::size_t claimed = 0;
    std::uint64_t first = 0;
    const auto body = [&]() -> Task<void> {
      const FanInState state = co_await contribute(store, at, branches, 0);
      claimed += state.status == Status::claimed;
      first = store.counters().requests - before;
      const auto one = [&](std::size_t i) -> Task<void> {
        const FanInState other = co_await contribute(store, at, branches, i + 1);
        claimed += other.status == Status::claimed;
      };
      co_await for_each_bounded(width - 1, width, one);
    };
    reactor.run(body());
    CHECK(claimed == 1);
    CHECK(first == 2);  // egress of one branch: the checkpoint and the mark (or, alone, the claim)
    std::size_t marks = 0;
    for (std::size_t level = width; level > 1; level = level > 64 ? (level + 63) / 64 : 1) {
      marks += level;
    }
    const std::size_t checks = width > 1 ? (width - 1 + 99) / 100 : 0;
    INFO("width " << width);
    CHECK(store.counters().requests - before == width + marks + checks + 1);
    CHECK(store.counters().capacity_units > 0);
  }
  reactor.run(store.close());
}

TEST_CASE("case 22: no item of a tree grows with the fan-in", "[dynamodb]") {
  ON_A_TABLE();
  const Branches branches(200);
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      co_await contribute(store, context, branches, i);
    };
    co_await for_each_bounded(200, 200, one);
  };
  reactor.run(body());
  std::size_t nodes = 0;
  for (const std::string& key : raw.keys()) {
    if (key.find("-fanin") == std::string::npos) continue;
    ++nodes;
    // As JSON, with quotes and names; the item itself is smaller.
    CHECK(raw.get(key).size() < 1'024);
  }
  CHECK(nodes == 4 + 1);
  // Removing the claim takes its tree along.
  std::vector<ItemId> items;
  for (const ListedItem& item : reactor.run(store.list(context))) items.push_back(item.id);
  CHECK(items.size() == 201);
  reactor.run(store.remove(context, items));
  CHECK(raw.keys().empty());
  reactor.run(store.close());
}

TEST_CASE("an ancestor that is only read never marks, and the fan-in completes", "[dynamodb]") {
  ON_A_TABLE();
  const auto names_of = [](std::size_t before, std::size_t branches, std::size_t after) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < before; ++i) names.push_back("Before-" + std::to_string(i));
    for (std::size_t i = 0; i < branches; ++i) names.push_back("F-" + std::to_string(i));
    for (std::size_t i = 0; i < after; ++i) names.push_back("After-" + std::to_string(i));
    return names;
  };
  for (const auto& [before, branches, after] :
       {std::array<std::size_t, 3>{1, 2, 0}, std::array<std::size_t, 3>{1, 130, 1},
        std::array<std::size_t, 3>{70, 3, 140}}) {
    const std::vector<std::string> all = names_of(before, branches, after);
    const Names names(all);
    const SessionContext at = create_session_context(store);
    std::size_t claimed = 0;
    const auto body = [&]() -> Task<void> {
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (i >= before && i < before + branches) continue;
        const SessionContext ancestor = at.bound_to(all[i]);
        co_await write_return_value(store, ancestor, "1");
      }
      const auto one = [&](std::size_t i) -> Task<void> {
        const FanInState state = co_await contribute(store, at, names, before + i);
        claimed += state.status == Status::claimed;
      };
      co_await for_each_bounded(branches, branches, one);
    };
    reactor.run(body());
    INFO(before << " " << branches << " " << after);
    CHECK(claimed == 1);
  }
  reactor.run(store.close());
}

TEST_CASE("case 21: marks that outlived their outcomes claim nothing", "[dynamodb]") {
  ON_A_TABLE();
  const Branches branches(3);
  const auto body = [&]() -> Task<void> {
    co_await contribute(store, context, branches, 0);
    co_await contribute(store, context, branches, 1);
    // The session is removed while its fan-in is incomplete, and begins again.
    std::vector<ItemId> items;
    for (const ListedItem& item : co_await store.list(context)) items.push_back(item.id);
    CHECK(items.size() == 2);
    co_await store.remove(context, items);
    const FanInState early = co_await contribute(store, context, branches, 2);
    CHECK(early.status == Status::incomplete);
    const FanInState second = co_await contribute(store, context, branches, 0);
    CHECK(second.status == Status::incomplete);
    const FanInState last = co_await contribute(store, context, branches, 1);
    CHECK(last.status == Status::claimed);
  };
  reactor.run(body());
  reactor.run(store.close());
}
