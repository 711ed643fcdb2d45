// The C interface: the five calls, items, fan-ins; on fs and on Redis.
#include <set>

#include "capi.hpp"
#include "support/redis_server.hpp"

using namespace unum;
using namespace unum::test;

namespace {

unum_status wait_for(unum_op* op) { return COp(op).wait(); }

/// A store of each type that a test begins with.
struct EachStore {
  explicit EachStore(const CLoop& loop, const std::string& type) {
    if (type == "redis") {
      server.emplace(reactor);
      store = open_c_store(loop, "redis", server->address());
    } else {
      store = open_c_store(loop, type, type == "fs" ? scratch / "store" : scratch.path());
    }
  }
  const Scratch scratch;
  Reactor reactor;  ///< Starts the server.
  std::optional<RedisServer> server;
  unum_store* store = nullptr;
};

std::vector<std::string> branches(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back("F-unumIndex-" + std::to_string(i));
  return names;
}

std::vector<unum_text> texts_of(const std::vector<std::string>& names) {
  std::vector<unum_text> texts;
  for (const std::string& name : names) texts.push_back(c_text(name));
  return texts;
}

}  // namespace

#define ON_EACH_C_STORE(loop, name)                                                                \
  ON_EACH_C_LOOP(loop);                                                                            \
  const std::string store_type = GENERATE("fs", "memory", "redis");                                \
  if (store_type == "redis" && !RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing()); \
  const EachStore name(loop, store_type)

TEST_CASE("the five calls do what they do in C++", "[capi]") {
  ON_EACH_C_STORE(loop, each);
  char session[UNUM_SESSION_BYTES];
  REQUIRE(unum_create_session_context(each.store, session) == UNUM_OK);
  const unum_text id{session, sizeof session};
  const std::vector<std::string> names = branches(100);
  const std::vector<unum_text> all = texts_of(names);
  const COp missing(unum_check_values_exist(each.store, id, all.data(), all.size(), nullptr));
  REQUIRE(missing.wait() == UNUM_OK);
  CHECK(unum_op_number(missing.get()) == 0);
  const COp too_early(unum_read_input(each.store, id, all.data(), 2, nullptr));
  CHECK(too_early.wait() == UNUM_NOT_FOUND);
  CHECK(too_early.code() == "Unum.MissingInput");
  CHECK_THAT(too_early.message(), ContainsSubstring("F-unumIndex-1"));
  std::vector<unum_op*> writes;
  for (const std::string& name : names) {
    // Copied: the text is gone when the op runs on.
    const std::string value = "\"of " + name + "\"";
    writes.push_back(
        unum_write_return_value(each.store, {id, c_text(name)}, c_text(value), nullptr));
  }
  for (unum_op* write : writes) {
    const COp op(write);
    REQUIRE(op.wait() == UNUM_OK);
    CHECK(unum_op_number(write) == 1);
    CHECK(unum_op_value(write, 0).data == nullptr);
  }
  const COp again(unum_write_return_value(each.store, {id, all[3]}, c_text("2"), nullptr));
  REQUIRE(again.wait() == UNUM_OK);
  CHECK(unum_op_number(again.get()) == 0);
  CHECK(std_text(unum_op_value(again.get(), 0)) == "\"of F-unumIndex-3\"");
  const COp one(unum_check_value_exist(each.store, id, all[99], nullptr));
  const COp exist(unum_check_values_exist(each.store, id, all.data(), all.size(), nullptr));
  const COp read(unum_read_input(each.store, id, all.data(), all.size(), nullptr));
  REQUIRE(read.wait() == UNUM_OK);
  REQUIRE(one.wait() == UNUM_OK);
  REQUIRE(exist.wait() == UNUM_OK);
  CHECK(unum_op_number(one.get()) == 1);
  CHECK(unum_op_number(exist.get()) == 1);
  REQUIRE(unum_op_count(read.get()) == 100);
  for (std::size_t i = 0; i < 100; ++i) {
    CHECK(std_text(unum_op_value(read.get(), i)) == "\"of F-unumIndex-" + std::to_string(i) + "\"");
  }
  CHECK(unum_op_value(read.get(), 100).data == nullptr);
}

TEST_CASE("a stream gives the values in order, and ends where its consumer wants", "[capi]") {
  ON_EACH_C_STORE(loop, each);
  const std::vector<std::string> names = branches(200);
  const std::vector<unum_text> all = texts_of(names);
  for (const unum_text name : all) {
    REQUIRE(wait_for(unum_write_return_value(each.store, {c_text("s"), name}, name, nullptr)) ==
            UNUM_OK);
  }
  struct Consumer {
    std::vector<std::string> values;
    std::size_t ends_at;
  };
  const unum_consume consume = [](std::size_t place, unum_text value, void* user) -> unum_status {
    Consumer& own = *static_cast<Consumer*>(user);
    CHECK(place == own.values.size());
    own.values.push_back(std_text(value));
    return own.values.size() == own.ends_at ? UNUM_CANCELLED : UNUM_OK;
  };
  Consumer whole{{}, 0};
  const COp op(unum_read_input_stream(each.store, c_text("s"), all.data(), all.size(), consume,
                                      &whole, nullptr));
  CHECK(whole.values.empty());
  REQUIRE(op.wait() == UNUM_OK);
  CHECK(whole.values == names);
  Consumer part{{}, 70};
  const COp ended(unum_read_input_stream(each.store, c_text("s"), all.data(), all.size(), consume,
                                         &part, nullptr));
  CHECK(ended.wait() == UNUM_CANCELLED);
  CHECK(part.values.size() == 70);
}

TEST_CASE("items are created, read, written, listed and removed", "[capi]") {
  ON_EACH_C_STORE(loop, each);
  const unum_text session = c_text("a session");
  const unum_text name = c_text("F");
  const COp absent(unum_store_get(each.store, session, name, UNUM_ITEM_REPORT, nullptr));
  REQUIRE(absent.wait() == UNUM_OK);
  CHECK(unum_op_count(absent.get()) == 1);
  CHECK(unum_op_value(absent.get(), 0).data == nullptr);
  REQUIRE(wait_for(unum_store_create_item(each.store, session, name, UNUM_ITEM_INPUT, c_text(""),
                                          nullptr)) == UNUM_OK);
  REQUIRE(wait_for(unum_store_put(each.store, session, name, UNUM_ITEM_REPORT, c_text("012345"),
                                  nullptr)) == UNUM_OK);
  const COp empty(unum_store_get(each.store, session, name, UNUM_ITEM_INPUT, nullptr));
  REQUIRE(empty.wait() == UNUM_OK);
  REQUIRE(unum_op_value(empty.get(), 0).data != nullptr);
  CHECK(unum_op_value(empty.get(), 0).bytes == 0);
  const COp range(unum_store_get_range(each.store, session, name, UNUM_ITEM_REPORT, 2, 3, nullptr));
  REQUIRE(range.wait() == UNUM_OK);
  CHECK(std_text(unum_op_value(range.get(), 0)) == "234");
  const COp list(unum_store_list(each.store, session, nullptr));
  REQUIRE(list.wait() == UNUM_OK);
  std::set<std::tuple<std::string, std::int32_t, std::uint64_t>> listed;
  for (std::size_t i = 0; i < unum_op_count(list.get()); ++i) {
    const unum_item* item = unum_op_item(list.get(), i);
    REQUIRE(item != nullptr);
    CHECK(item->struct_bytes == sizeof *item);
    listed.insert({std_text(item->name), item->kind, item->bytes});
  }
  CHECK(listed == decltype(listed){{"F", UNUM_ITEM_INPUT, 0}, {"F", UNUM_ITEM_REPORT, 6}});
  CHECK(unum_op_item(list.get(), 2) == nullptr);
  const COp sessions(unum_store_list_sessions(each.store, nullptr));
  REQUIRE(sessions.wait() == UNUM_OK);
  REQUIRE(unum_op_count(sessions.get()) == 1);
  CHECK(std_text(unum_op_value(sessions.get(), 0)) == "a session");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(wait_for(unum_store_remove(each.store, session, name, UNUM_ITEM_REPORT, nullptr)) ==
            UNUM_OK);
  }
  const COp gone(unum_store_get(each.store, session, name, UNUM_ITEM_REPORT, nullptr));
  REQUIRE(gone.wait() == UNUM_OK);
  CHECK(unum_op_value(gone.get(), 0).data == nullptr);
}

TEST_CASE("of the contributors that commit, one gets the fan-in", "[capi]") {
  ON_EACH_C_STORE(loop, each);
  const std::vector<std::string> names = branches(50);
  const std::vector<unum_text> all = texts_of(names);
  const unum_fan_in fan_in{sizeof fan_in, c_text("Sum"), all.data(), all.size()};
  std::vector<unum_op*> commits;
  for (const unum_text name : all) {
    commits.push_back(
        unum_store_commit(each.store, {c_text("s"), name}, c_text("1"), &fan_in, 1, nullptr));
  }
  int claimed = 0;
  for (unum_op* commit : commits) {
    const COp op(commit);
    REQUIRE(op.wait() == UNUM_OK);
    CHECK(unum_op_number(commit) == 1);
    REQUIRE(unum_op_count(commit) == 1);
    const unum_fan_in_state* state = unum_op_fan_in(commit, 0);
    REQUIRE(state != nullptr);
    CHECK(state->status != UNUM_FAN_IN_MISMATCH);
    claimed += state->status == UNUM_FAN_IN_CLAIMED ? 1 : 0;
    CHECK(unum_op_fan_in(commit, 1) == nullptr);
  }
  CHECK(claimed == 1);
  const COp join(unum_store_join(each.store, {c_text("s"), all[7]}, &fan_in, 1, nullptr));
  REQUIRE(join.wait() == UNUM_OK);
  REQUIRE(unum_op_count(join.get()) == 1);
  const std::int32_t status = unum_op_fan_in(join.get(), 0)->status;
  CHECK((status == UNUM_FAN_IN_TAKEN || status == UNUM_FAN_IN_CLAIMED));
  const COp other(
      unum_store_commit(each.store, {c_text("s"), c_text("G")}, c_text("1"), &fan_in, 1, nullptr));
  CHECK(other.wait() == UNUM_INVALID);
  CHECK_THAT(other.message(), ContainsSubstring("does not list G"));
}

TEST_CASE("a fan-in of another list is told as such", "[capi]") {
  ON_EACH_C_STORE(loop, each);
  const unum_text one[] = {c_text("A"), c_text("B")};
  const unum_text other[] = {c_text("B"), c_text("A")};
  const unum_fan_in first{sizeof first, c_text("Sum"), one, 2};
  const unum_fan_in second{sizeof second, c_text("Sum"), other, 2};
  const COp of_a(
      unum_store_commit(each.store, {c_text("s"), one[0]}, c_text("1"), &first, 1, nullptr));
  REQUIRE(of_a.wait() == UNUM_OK);
  CHECK(unum_op_fan_in(of_a.get(), 0)->status == UNUM_FAN_IN_INCOMPLETE);
  const COp of_b(
      unum_store_commit(each.store, {c_text("s"), one[1]}, c_text("1"), &second, 1, nullptr));
  REQUIRE(of_b.wait() == UNUM_OK);
  // A store that counts sees it at once; one that looks claims for the list that it was given.
  const std::int32_t status = unum_op_fan_in(of_b.get(), 0)->status;
  CHECK((status == UNUM_FAN_IN_MISMATCH || status == UNUM_FAN_IN_CLAIMED));
}

TEST_CASE("a store that was closed is none, and its ops have ended", "[capi]") {
  ON_EACH_C_STORE(loop, each);
  unum_op* write =
      unum_write_return_value(each.store, {c_text("s"), c_text("F")}, c_text("1"), nullptr);
  const COp close(unum_store_close(each.store, nullptr));
  CHECK(unum_store_list(each.store, c_text("s"), nullptr) == nullptr);
  CHECK(last_code() == "Unum.StaleHandle");
  REQUIRE(close.wait() == UNUM_OK);
  CHECK(wait_for(write) != UNUM_PENDING);
}

TEST_CASE("a store that does not exist is not found, and nothing is made", "[capi]") {
  ON_EACH_C_LOOP(loop);
  const Scratch scratch;
  const COp op(
      unum_store_open(loop.get(), c_text("fs"), c_text(scratch / "none"), nullptr, nullptr));
  CHECK(op.wait() == UNUM_NOT_FOUND);
  CHECK_FALSE(std::filesystem::exists(scratch / "none"));
}
