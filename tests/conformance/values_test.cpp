// What every store does with single values: create, read, look, overwrite, by any name, in any
// session.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "base/limits.hpp"
#include "conformance/stores_under_test.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using unum::test::id;

namespace {

const ItemId kOutcomeF = id("F", ItemKind::outcome);

std::string every_byte() {
  std::string bytes;
  for (int i = 0; i < 1024; ++i) bytes += static_cast<char>(i);
  return bytes;
}

/// Names that must neither clash nor lead out of their session, whatever a store makes of them.
std::vector<std::string> odd_names() {
  std::vector<std::string> names = {"F",
                                    "f",
                                    "F-unumIndex-0",
                                    "F-unumIndex-0.1",
                                    "F-output",
                                    "F-output.json",
                                    "F-fanin",
                                    "F%2D",
                                    "F%",
                                    "%46",
                                    ".",
                                    "..",
                                    "...",
                                    "../F",
                                    "../../F",
                                    "/",
                                    "/etc/passwd",
                                    "F/",
                                    "/F",
                                    "a/b",
                                    "a//b",
                                    "a/../b",
                                    ".hidden",
                                    ".unum-1",
                                    "a..b",
                                    "a.",
                                    " ",
                                    "a b",
                                    "\t",
                                    "\n",
                                    "a\nb",
                                    "\x7f",
                                    "~",
                                    "*",
                                    "?",
                                    "$(id)",
                                    "`",
                                    "'",
                                    "\"",
                                    "\\",
                                    ":",
                                    ";",
                                    "|",
                                    "&",
                                    "<>",
                                    "{}",
                                    "#",
                                    "-",
                                    "--",
                                    "-rf",
                                    "CON",
                                    "nul",
                                    "\xc3\xa9",
                                    "\xff\xfe",
                                    "\xed\xa0\x80",
                                    "\xf0\x9f\x98\x80"};
  names.push_back(std::string("a\0b", 3));
  names.push_back(std::string("\0", 1));
  names.push_back(std::string(10'000, 'x'));
  names.push_back(std::string(10'000, '.'));
  names.push_back(std::string(10'000, '/'));
  names.push_back(std::string(10'000, '\0'));
  names.push_back(std::string(300, 'x') + "/../../../" + std::string(300, '.'));
  for (std::size_t length = 70; length < 300; length += 5)
    names.push_back(std::string(length, 'y'));
  for (std::size_t length = 195; length < 260; ++length) {
    names.push_back(std::string(length, 'z') + ".." + std::string(60, 'z'));
    names.push_back(std::string(length, 'z') + "%/" + std::string(60, 'z'));
  }
  return names;
}

}  // namespace

TEST_CASE("an absent value, a stored null, an empty text and zero bytes are told apart",
          "[values]") {
  ON_EACH_STORE();
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(store.get(context, kOutcomeF), !it.has_value());
    CHECK_AWAITED(test::write(store, context, "F", "null"), it);
    CHECK_AWAITED(test::write(store, context, "G", ""), it);
    CHECK_AWAITED(test::write(store, context, "H", std::string("\0", 1)), it);
    CHECK_AWAITED(test::write(store, context, "I", "\"\""), it);
    CHECK_AWAITED(store.get(context, kOutcomeF), it == "null");
    CHECK_AWAITED(store.get(context, id("G", ItemKind::outcome)), it == "");
    CHECK_AWAITED(store.get(context, id("H", ItemKind::outcome)), it == std::string("\0", 1));
    CHECK_AWAITED(store.get(context, id("I", ItemKind::outcome)), it == "\"\"");
    CHECK_AWAITED(store.get(context, id("J", ItemKind::outcome)), !it.has_value());
  };
  reactor.run(body());
}

TEST_CASE("case 2: a stored value comes back byte for byte", "[values]") {
  ON_EACH_STORE();
  const std::string long_value(10 * 1024 * 1024 + 1, 'v');
  std::vector<std::string> values = {"1e999", "{\"a\": [1, 2.50, -0]}", "\"\\u00e9\"", every_byte(),
                                     long_value};
  for (const std::size_t size :
       {1u, 4095u, 4096u, 4097u, 8192u, 65'535u, 65'536u, 65'537u, 300'000u}) {
    values.push_back(std::string(size, 's'));
  }
  const auto body = [&]() -> Task<void> {
    std::vector<Pointer> pointers;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string name = "F-unumIndex-" + std::to_string(i);
      REQUIRE_AWAITED(test::write(store, context, name, values[i]), it);
      const std::optional<std::string> stored =
          co_await store.get(context, id(name, ItemKind::outcome));
      REQUIRE(stored.has_value());
      REQUIRE((*stored == values[i]));  // the values are too long to print
      CHECK(stored->capacity() >= stored->size() + 64);
      pointers.push_back(pointer(context, name));
    }
    const std::vector<std::string> read = co_await read_input(store, context, pointers);
    CHECK((read == values));
    for (const std::string& value : read) CHECK(value.capacity() >= value.size() + 64);
  };
  reactor.run(body());
}

TEST_CASE("a part of a value is read as far as the value reaches", "[values]") {
  ON_EACH_STORE();
  // Larger than an item of DynamoDB, with characters of two bytes, so that no part is a round one.
  std::string large;
  for (int i = 0; large.size() < 1'000'000; ++i) large += "\xc3\xa9" + std::to_string(i);
  const auto body = [&]() -> Task<void> {
    co_await test::write(store, context, "Short", "0123456789");
    co_await test::write(store, context, "Large", large);
    const auto part = [&](const char* name, std::uint64_t offset,
                          std::size_t bytes) -> Task<std::optional<std::string>> {
      const ItemId item = id(name, ItemKind::outcome);
      co_return co_await store.get_range(context, item, ByteRange{offset, bytes});
    };
    CHECK_AWAITED(part("Short", 0, 10), it == "0123456789");
    CHECK_AWAITED(part("Short", 3, 4), it == "3456");
    CHECK_AWAITED(part("Short", 8, 1000), it == "89");
    CHECK_AWAITED(part("Short", 10, 1), it == "");
    CHECK_AWAITED(part("Short", 1'000'000'000'000, 1), it == "");
    CHECK_AWAITED(part("Short", 4, 0), it == "");
    CHECK_AWAITED(part("Absent", 0, 10), it == std::nullopt);
    CHECK_AWAITED(part("Absent", 0, 0), it == std::nullopt);
    for (const std::size_t offset : {std::size_t{0}, std::size_t{393'210}, std::size_t{786'400},
                                     large.size() - 100, large.size()}) {
      for (const std::size_t bytes : {std::size_t{1}, std::size_t{500}, std::size_t{500'000}}) {
        INFO(offset << ", " << bytes);
        CHECK_AWAITED(part("Large", offset, bytes), it == large.substr(offset, bytes));
      }
    }
    const auto is_refused = [&](std::uint64_t offset, std::size_t bytes) -> Task<bool> {
      bool refused = false;
      try {
        co_await part("Short", offset, bytes);
      } catch (const Error& error) {
        refused = error.code() == "Unum.InvalidRange";
      }
      co_return refused;
    };
    CHECK_AWAITED(is_refused(0, kValueBytesMax + 1), it);
    CHECK_AWAITED(is_refused(kRangeEndMax, 1), it);
  };
  reactor.run(body());
}

TEST_CASE("case 3: a stored null exists", "[values]") {
  ON_EACH_STORE();
  const auto body = [&]() -> Task<void> {
    const Pointer pointer = unum::pointer(context, "F");
    CHECK_AWAITED(check_value_exist(store, context, pointer), !it);
    co_await test::write(store, context, "F", "null");
    CHECK_AWAITED(check_value_exist(store, context, pointer), it);
    const WriteResult again = co_await write_return_value(store, context.bound_to("F"), "1");
    CHECK(again.status == WriteResult::Status::already_there);
    CHECK(again.stored == "null");
  };
  reactor.run(body());
}

TEST_CASE("case 4: of many writers one wins, and the others are told what it wrote", "[values]") {
  ON_EACH_STORE();
  const std::size_t writers = 50;
  const auto body = [&]() -> Task<void> {
    for (int round = 0; round < 5; ++round) {
      const SessionContext at = create_session_context(store).bound_to("F");
      std::vector<WriteResult> results(writers);
      const auto one = [&](std::size_t i) -> Task<void> {
        results[i] = co_await write_return_value(store, at, "\"" + std::to_string(i) + "\"");
      };
      co_await for_each_bounded(writers, writers, one);
      std::size_t winners = 0;
      const std::optional<std::string> stored = co_await store.get(at, kOutcomeF);
      REQUIRE(stored.has_value());
      for (std::size_t i = 0; i < writers; ++i) {
        if (results[i].status == WriteResult::Status::written) {
          ++winners;
          CHECK(*stored == "\"" + std::to_string(i) + "\"");
        } else {
          CHECK(results[i].stored == *stored);
        }
      }
      CHECK(winners == 1);
    }
  };
  reactor.run(body());
}

TEST_CASE("a value is written under an instance, to a context that is bound to one", "[values]") {
  ON_EACH_STORE();
  CHECK(context.instance().empty());
  CHECK(test::error_of(reactor, write_return_value(store, context, "1")).kind() == ErrorKind::bug);
  CHECK(context.session().size() == 36);
  CHECK(create_session_context(store).session() != context.session());
}

TEST_CASE("case 24: all missing inputs are named in one error, and none is left out", "[values]") {
  ON_EACH_STORE();
  const auto prepare = [&]() -> Task<void> {
    for (int i = 0; i < 200; i += 2)
      co_await test::write(store, context, "F-unumIndex-" + std::to_string(i), "1");
  };
  if (subject.cheap_writes) {
    reactor.run(prepare());
  } else {
    const auto one = [&](std::size_t i) -> Task<void> {
      co_await test::write(store, context, "F-unumIndex-" + std::to_string(2 * i), "1");
    };
    const auto all = [&]() -> Task<void> { co_await for_each_bounded(100, 100, one); };
    reactor.run(all());
  }
  std::vector<Pointer> pointers;
  for (int i = 0; i < 200; ++i)
    pointers.push_back(pointer(context, "F-unumIndex-" + std::to_string(i)));
  const Error error = test::error_of(reactor, read_input(store, context, pointers));
  CHECK(error.kind() == ErrorKind::not_found);
  CHECK(error.code() == "Unum.MissingInput");
  for (int i = 0; i < 200; ++i) {
    const std::string name = "F-unumIndex-" + std::to_string(i);
    const bool named = (error.message() + ",").find(" " + name + ",") != std::string::npos;
    CHECK(named == (i % 2 == 1));
  }
  std::size_t consumed = 0;
  const Error streamed = test::error_of(
      reactor,
      read_input_stream(store, context, pointers, [&](std::size_t, std::string) { ++consumed; }));
  CHECK(streamed.message() == error.message());
  CHECK(consumed <= 1);
}

TEST_CASE("inputs come in the order of their pointers, repeated ones too", "[values]") {
  ON_EACH_STORE();
  const std::size_t count = 300;
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      co_await test::write(store, context, "F-unumIndex-" + std::to_string(i), std::to_string(i));
    };
    co_await for_each_bounded(count, count, one);
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < count; ++i) order.push_back(i);
    for (std::size_t i = 0; i < 20; ++i) order.push_back(7);
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
    std::vector<Pointer> pointers;
    for (const std::size_t i : order)
      pointers.push_back(pointer(context, "F-unumIndex-" + std::to_string(i)));
    const std::vector<std::string> values = co_await read_input(store, context, pointers);
    REQUIRE(values.size() == order.size());
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(values[i] == std::to_string(order[i]));
    std::vector<std::string> streamed;
    co_await read_input_stream(store, context, pointers, [&](std::size_t place, std::string value) {
      CHECK(place == streamed.size());
      streamed.push_back(std::move(value));
    });
    CHECK(streamed == values);
    CHECK_AWAITED(read_input(store, context, {}), it.empty());
  };
  reactor.run(body());
}

TEST_CASE("case 11: many values exist only when each of them does, and looking stops early",
          "[values]") {
  ON_EACH_STORE();
  const std::size_t count = 500;
  const auto body = [&]() -> Task<void> {
    std::vector<Pointer> pointers;
    for (std::size_t i = 0; i < count; ++i)
      pointers.push_back(pointer(context, "F" + std::to_string(i)));
    CHECK_AWAITED(check_values_exist(store, context, {}), it);
    CHECK_AWAITED(check_values_exist(store, context, pointers), !it);
    const auto one = [&](std::size_t i) -> Task<void> {
      if (i != 2) co_await test::write(store, context, "F" + std::to_string(i), "1");
    };
    co_await for_each_bounded(count, count, one);
    std::uint64_t before = store.counters().requests;
    CHECK_AWAITED(check_values_exist(store, context, pointers), !it);
    CHECK(store.counters().requests - before < 100);
    co_await test::write(store, context, "F2", "null");
    before = store.counters().requests;
    CHECK_AWAITED(check_values_exist(store, context, pointers), it);
    CHECK(store.counters().requests - before <= count + 2);
  };
  reactor.run(body());
}

TEST_CASE("warm calls open nothing", "[values]") {
  ON_EACH_STORE();
  const auto body = [&]() -> Task<void> {
    const std::vector<Pointer> pointers(100, pointer(context, "F"));
    const auto single_calls = [&](const std::string& name) -> Task<void> {
      co_await test::write(store, context, name, "1");
      co_await read_input(store, context, std::span(pointers).first(1));
      co_await check_value_exist(store, context, pointers[0]);
      co_await store.get(context, kOutcomeF);
    };
    co_await single_calls("F");
    // Reads of many open as many connections as happen to be in flight at once. The first round may
    // be short of that number, and so may the second; but the number is bounded, so that soon a
    // round opens none, unless reads open connections that others have left.
    bool opening = true;
    for (int round = 0; opening && round < 20; ++round) {
      const std::uint64_t before = store.counters().connections;
      co_await read_input(store, context, pointers);
      co_await check_values_exist(store, context, pointers);
      opening = store.counters().connections != before;
    }
    const std::uint64_t before = store.counters().connections;
    for (const char* name : {"G", "H", "I"}) co_await single_calls(name);
    if (subject.keeps_connections) {
      CHECK(!opening);
      CHECK(store.counters().connections == before);
    }
  };
  reactor.run(body());
}

TEST_CASE("names of all kinds keep apart and are listed as they were given", "[names]") {
  ON_EACH_STORE();
  std::vector<std::string> names = odd_names();
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      const WriteResult result =
          co_await store.create(context, id(names[i], ItemKind::outcome), std::to_string(i));
      INFO("name " << i);
      CHECK(result.status == WriteResult::Status::written);
    };
    co_await for_each_bounded(names.size(), names.size(), one);
    std::vector<Pointer> pointers;
    for (const std::string& name : names) pointers.push_back(pointer(context, name));
    const std::vector<std::string> values = co_await read_input(store, context, pointers);
    for (std::size_t i = 0; i < names.size(); ++i) CHECK(values[i] == std::to_string(i));
    CHECK_AWAITED(check_values_exist(store, context, pointers), it);
    CHECK_AWAITED(store.get(context, id(names[1], ItemKind::outcome)), it == "1");
    std::set<std::string> listed;
    for (const ListedItem& item : co_await store.list(context)) {
      CHECK(item.id.kind == ItemKind::outcome);
      listed.insert(item.id.name);
    }
    CHECK((listed == std::set<std::string>(names.begin(), names.end())));
    std::vector<ItemId> items;
    for (const std::string& name : names) items.push_back(id(name, ItemKind::outcome));
    co_await store.remove(context, items);
    CHECK_AWAITED(store.list(context), it.empty());
    CHECK_AWAITED(store.list_sessions(), it.empty());
  };
  reactor.run(body());
}

TEST_CASE("sessions of all names keep apart, and none can leave the store", "[names]") {
  ON_EACH_STORE();
  const std::vector<std::string> ids = odd_names();
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      co_await test::write(store, session_context(ids[i]), "F", std::to_string(i));
    };
    co_await for_each_bounded(ids.size(), ids.size(), one);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const SessionContext session = session_context(ids[i]);
      CHECK(session.session() == ids[i]);
      CHECK_AWAITED(store.get(session, kOutcomeF), it == std::to_string(i));
      CHECK_AWAITED(store.list(session), it.size() == 1);
    }
    std::vector<std::string> listed = co_await store.list_sessions();
    CHECK((std::set<std::string>(listed.begin(), listed.end()) ==
           std::set<std::string>(ids.begin(), ids.end())));
    CHECK(listed.size() == ids.size());
    const std::vector<ItemId> items{kOutcomeF};
    for (const std::string& id : ids) co_await store.remove(session_context(id), items);
    CHECK_AWAITED(store.list_sessions(), it.empty());
  };
  reactor.run(body());
}

TEST_CASE("a session and an instance need a name of bounded length", "[names]") {
  ON_EACH_STORE();
  CHECK_THROWS_AS(session_context(""), Error);
  CHECK_THROWS_AS(session_context(std::string(kSessionBytesMax + 1, 's')), Error);
  CHECK_THROWS_AS(pointer(context, ""), Error);
  CHECK_THROWS_AS(pointer(context, std::string(kItemNameBytesMax + 1, 'n')), Error);
  CHECK(test::error_of(reactor, store.get(context, id("", ItemKind::outcome))).kind() ==
        ErrorKind::invalid);
  const ItemId longest{std::string(kItemNameBytesMax, 'n'), ItemKind::report};
  reactor.run(store.put(session_context(std::string(kSessionBytesMax, 's')), longest, "1"));
  CHECK(reactor.run(store.get(session_context(std::string(kSessionBytesMax, 's')), longest)) ==
        "1");
}

TEST_CASE("the kinds of items of one name keep apart", "[values]") {
  ON_EACH_STORE();
  const std::vector<ItemKind> kinds = {ItemKind::outcome, ItemKind::report, ItemKind::input,
                                       ItemKind::claim,   ItemKind::wanted, ItemKind::garbage};
  const auto body = [&]() -> Task<void> {
    for (const ItemKind kind : kinds) {
      const WriteResult made = co_await store.create(context, id("F", kind), item_name("F", kind));
      CHECK(made.status == WriteResult::Status::written);
    }
    for (const ItemKind kind : kinds)
      CHECK_AWAITED(store.get(context, id("F", kind)), it == item_name("F", kind));
    std::map<std::string, std::uint64_t> listed;
    for (const ListedItem& item : co_await store.list(context)) {
      listed[item_name(item.id.name, item.id.kind)] = item.bytes;
      CHECK(item.modified_unix_ns > 1'600'000'000'000'000'000);
    }
    CHECK(listed.size() == kinds.size());
    for (const auto& [name, bytes] : listed) CHECK(bytes == name.size());
  };
  reactor.run(body());
}

TEST_CASE("put writes over what is there, remove takes away what is there", "[values]") {
  ON_EACH_STORE();
  const ItemId report = id("F", ItemKind::report);
  const auto body = [&]() -> Task<void> {
    co_await store.put(context, report, "first");
    co_await store.put(context, report, "second, and longer");
    co_await store.put(context, report, "3");
    CHECK_AWAITED(store.get(context, report), it == "3");
    CHECK_AWAITED(store.create(context, report, "4"), it.stored == "3");
    CHECK_AWAITED(store.list(context), it.size() == 1);
    const std::vector<ItemId> items{report, kOutcomeF};
    co_await store.remove(context, items);
    co_await store.remove(context, items);
    CHECK_AWAITED(store.get(context, report), !it.has_value());
    CHECK_AWAITED(store.list_sessions(), it.empty());
    // A session that was removed can begin again.
    CHECK_AWAITED(test::write(store, context, "F", "again"), it);
    CHECK_AWAITED(store.get(context, kOutcomeF), it == "again");
  };
  reactor.run(body());
}

TEST_CASE("a session removed by one and begun again is seen by another who had it open",
          "[values]") {
  ON_EACH_STORE();
  const std::unique_ptr<Store> other = subject.open(reactor);
  const auto body = [&]() -> Task<void> {
    const std::vector<ItemId> items{kOutcomeF};
    co_await test::write(store, context, "F", "1");
    CHECK_AWAITED(other->get(context, kOutcomeF), it == "1");
    co_await store.remove(context, items);
    CHECK_AWAITED(other->get(context, kOutcomeF), !it.has_value());
    co_await test::write(store, context, "F", "2");
    CHECK_AWAITED(other->get(context, kOutcomeF), it == "2");
    CHECK_AWAITED(check_value_exist(*other, context, pointer(context, "F")), it);
    co_await store.remove(context, items);
    CHECK_AWAITED(test::write(*other, context, "F", "3"), it);
    CHECK_AWAITED(store.get(context, kOutcomeF), it == "3");
    // The same for a read of many, whose first sight of the new session it is.
    co_await store.remove(context, items);
    co_await test::write(store, context, "F", "4");
    co_await test::write(store, context, "G", "5");
    const std::vector<Pointer> both{pointer(context, "F"), pointer(context, "G")};
    CHECK_AWAITED(read_input(*other, context, both), it == (std::vector<std::string>{"4", "5"}));
  };
  reactor.run(body());
}

TEST_CASE("sessions see nothing of each other", "[values]") {
  ON_EACH_STORE();
  const SessionContext other = session_context(context.session() + "x");
  const auto body = [&]() -> Task<void> {
    co_await test::write(store, context, "F", "1");
    CHECK_AWAITED(store.get(other, kOutcomeF), !it.has_value());
    CHECK_AWAITED(check_value_exist(store, other, pointer(other, "F")), !it);
    CHECK_AWAITED(store.list(other), it.empty());
    CHECK_AWAITED(test::write(store, other, "F", "2"), it);
    CHECK_AWAITED(store.get(context, kOutcomeF), it == "1");
  };
  reactor.run(body());
}

TEST_CASE("a call whose deadline has passed or that is to stop says so", "[values]") {
  ON_EACH_STORE();
  reactor.run(test::write(store, context, "F", "1"));
  Wait late;
  late.deadline = Clock::now() - std::chrono::seconds(1);
  StopSource source;
  source.request("enough");
  Wait stopped;
  stopped.stop = source.token();
  const std::vector<Pointer> pointers{pointer(context, "F")};
  const auto kinds = [&](Wait wait) {
    std::vector<ErrorKind> seen;
    seen.push_back(test::error_of(reactor, store.get(context, kOutcomeF, wait)).kind());
    seen.push_back(
        test::error_of(reactor, store.create(context, id("G", ItemKind::outcome), "1", wait))
            .kind());
    seen.push_back(
        test::error_of(reactor, store.put(context, id("G", ItemKind::report), "1", wait)).kind());
    seen.push_back(test::error_of(reactor, read_input(store, context, pointers, wait)).kind());
    seen.push_back(test::error_of(reactor, store.list(context, wait)).kind());
    seen.push_back(test::error_of(reactor, store.list_sessions(wait)).kind());
    return seen;
  };
  CHECK(kinds(late) == std::vector<ErrorKind>(6, ErrorKind::timeout));
  CHECK(kinds(stopped) == std::vector<ErrorKind>(6, ErrorKind::cancelled));
  CHECK(reactor.run(store.get(context, kOutcomeF)) == "1");
}

TEST_CASE("a write that is given up may have taken place, and writing again settles it",
          "[values]") {
  ON_EACH_STORE();
  const auto body = [&]() -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      const SessionContext at = context.bound_to("F" + std::to_string(i));
      Wait wait;
      wait.deadline = Clock::now() + std::chrono::microseconds(50 * i);
      bool ended = false;
      try {
        ended = (co_await write_return_value(store, at, "1", wait)).status ==
                WriteResult::Status::written;
      } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::timeout);
      }
      const WriteResult again = co_await write_return_value(store, at, "1");
      if (ended) CHECK(again.status == WriteResult::Status::already_there);
      if (again.status == WriteResult::Status::already_there) CHECK(again.stored == "1");
    }
    co_await store.close();
  };
  reactor.run(body());
}

TEST_CASE("after close every call is refused", "[values]") {
  ON_EACH_STORE();
  reactor.run(test::write(store, context, "F", "1"));
  reactor.run(store.close());
  CHECK(test::error_of(reactor, store.get(context, kOutcomeF)).code() == "Unum.StoreClosed");
  CHECK(test::error_of(reactor, test::write(store, context, "G", "1")).code() ==
        "Unum.StoreClosed");
  const std::unique_ptr<Store> again = subject.open(reactor);
  CHECK(reactor.run(again->get(context, kOutcomeF)) == "1");
}
