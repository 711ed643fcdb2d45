// Fan-ins by script: what a branch costs, what an unmarked outcome is worth, what is left behind.
#include <algorithm>
#include <numeric>
#include <random>

#include "conformance/fan_in_names.hpp"
#include "conformance/stores_under_test.hpp"
#include "support/redis_server.hpp"
#include "support/sanitized.hpp"

using namespace unum;
using unum::test::id;
using unum::test::Names;
using unum::test::RedisServer;
using Status = FanInState::Status;

#define ON_EACH_PORT_WITH_REDIS(reactor)                                  \
  if (!RedisServer::missing().empty()) UNUM_SKIP(RedisServer::missing()); \
  ON_EACH_PORT(reactor);                                                  \
  RedisServer server(reactor);                                            \
  const std::unique_ptr<Store> store =                                    \
      reactor.run(open_store(reactor, "redis", server.address()));        \
  const SessionContext context = create_session_context(*store)

namespace {

Task<Status> contribute(Store& store, const SessionContext& context, const Names& names,
                        std::size_t place, FanInRole role = FanInRole::contributor) {
  const FanIn fan_in = test::fan_in_of(names, place, role);
  const SessionContext at = context.bound_to(names.name(place));
  const CommitResult result = co_await store.commit(at, "1", std::span(&fan_in, 1));
  co_return result.fan_ins.at(0).status;
}

Task<Status> join(Store& store, const SessionContext& context, const Names& names,
                  std::size_t place) {
  const FanIn fan_in{"Sink", &names, place, FanInRole::contributor};
  const SessionContext at = context.bound_to(names.name(place));
  co_return (co_await store.join(at, std::span(&fan_in, 1))).at(0).status;
}

}  // namespace

TEST_CASE("a branch's checkpoint and fan-in are one round trip, whatever order they end in",
          "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const auto width = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{10}, std::size_t{1'000});
  if (test::kSanitized && width > 100) return;
  const Names names("F", width);
  for (const int way : {0, 1, 2}) {
    const SessionContext at = create_session_context(*store);
    std::vector<std::size_t> order(width);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (way == 1) std::reverse(order.begin(), order.end());
    if (way == 2) std::shuffle(order.begin(), order.end(), std::mt19937(1));
    std::uint64_t more_than_one = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const std::uint64_t before = store->counters().requests;
      const Status status = reactor.run(contribute(*store, at, names, order[i]));
      const std::uint64_t cost = store->counters().requests - before;
      CHECK(status == (i + 1 == width ? Status::claimed : Status::incomplete));
      if (cost > 1) ++more_than_one;
      if (i + 1 == width) CHECK(cost == 1);
    }
    // The name that was missing came, and its neighbours are there, too: about ln n times.
    CHECK(more_than_one <= (way == 2 ? 20u : 0u));
  }
}

TEST_CASE("an outcome that was written without a mark counts", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const Names names("F", 1'000);
  const auto body = [&]() -> Task<void> {
    // All but one crashed behind a plain write, or are ancestors who never mark.
    const auto one = [&](std::size_t i) -> Task<void> {
      if (i != 500) co_await test::write(*store, context, names.name(i), "1");
    };
    co_await for_each_bounded(names.size(), names.size(), one);
    CHECK_AWAITED(join(*store, context, names, 3), it == Status::incomplete);
    const std::uint64_t before = store->counters().requests;
    CHECK_AWAITED(contribute(*store, context, names, 500), it == Status::claimed);
    CHECK(store->counters().requests - before < 10);
    CHECK_AWAITED(join(*store, context, names, 3), it == Status::taken);
  };
  reactor.run(body());
}

TEST_CASE("an ancestor that is only read does not keep a fan-in waiting", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const auto ancestor = GENERATE(std::size_t{0}, std::size_t{7}, std::size_t{49});
  const Names names("F", 50);
  const auto body = [&]() -> Task<void> {
    co_await test::write(*store, context, names.name(ancestor), "1");
    std::size_t claimed = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i == ancestor) continue;
      const Status status = co_await contribute(*store, context, names, i);
      claimed += status == Status::claimed ? 1 : 0;
      const bool last = i == (ancestor == 49 ? 48u : 49u);
      CHECK((status == Status::claimed) == last);
    }
    CHECK(claimed == 1);
  };
  reactor.run(body());
}

TEST_CASE("a mark is never made for a value that is not there", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const Names names("F", 2);
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(*store, context, names, 0), it == Status::incomplete);
    CHECK_AWAITED(join(*store, context, names, 1), it == Status::incomplete);
    CHECK_AWAITED(store->get(context, id("Sink", ItemKind::claim)), !it.has_value());
    CHECK_AWAITED(contribute(*store, context, names, 1), it == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("a fan-in that is wanted by a value that lost is not recorded", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const Names names("F", 2);
  const auto body = [&]() -> Task<void> {
    co_await test::write(*store, context, names.name(0), "stored");
    const FanIn fan_in{"Sink", &names, 0, FanInRole::requester};
    const CommitResult lost =
        co_await store->commit(context.bound_to(names.name(0)), "mine", std::span(&fan_in, 1));
    CHECK(lost.write.stored == "stored");
    CHECK(lost.fan_ins.empty());
    CHECK_AWAITED(store->get(context, id("Sink", ItemKind::wanted)), !it.has_value());
  };
  reactor.run(body());
}

TEST_CASE("case 37: a fan-in that is claimed leaves nothing but its claim", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const Names names("F", 20);
  const auto body = [&]() -> Task<void> {
    for (std::size_t i = 0; i < names.size(); ++i) co_await contribute(*store, context, names, i);
    // Late duplicates begin nothing anew.
    CHECK_AWAITED(join(*store, context, names, 4), it == Status::taken);
    CHECK_AWAITED(contribute(*store, context, names, 5), it == Status::taken);
  };
  reactor.run(body());
  CHECK(server.command({"DBSIZE"}) == "22");  // the values, the claim, the index
  std::vector<ItemId> items;
  for (const ListedItem& item : reactor.run(store->list(context))) items.push_back(item.id);
  CHECK(items.size() == 21);
  reactor.run(store->remove(context, items));
  CHECK(server.command({"DBSIZE"}) == "0");
}

TEST_CASE("what fan-ins under way knew goes with what is removed", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const Names names("F", 3);
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(*store, context, names, 0), it == Status::incomplete);
    CHECK_AWAITED(contribute(*store, context, names, 1), it == Status::incomplete);
    const std::vector<ItemId> gone{id(names.name(0), ItemKind::outcome)};
    co_await store->remove(context, gone);
    CHECK_AWAITED(contribute(*store, context, names, 2), it == Status::incomplete);
    CHECK_AWAITED(contribute(*store, context, names, 0), it == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("a list that is corrected between two runs begins its fan-in anew", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const Names wrong(std::vector<std::string>{"A", "B", "Misspelt"});
  const Names right(std::vector<std::string>{"A", "B"});
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(*store, context, wrong, 0), it == Status::incomplete);
    CHECK_AWAITED(contribute(*store, context, wrong, 1), it == Status::incomplete);
    CHECK_AWAITED(contribute(*store, context, right, 0), it == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("a long checkpoint has its fan-ins looked into behind it", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const Names names("F", 2);
  const std::string value(2u * 1024 * 1024, 'v');
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(*store, context, names, 0), it == Status::incomplete);
    const FanIn fan_in{"Sink", &names, 1, FanInRole::contributor};
    const CommitResult result =
        co_await store->commit(context.bound_to(names.name(1)), value, std::span(&fan_in, 1));
    CHECK(result.fan_ins.at(0).status == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("case 22: no call of a wide fan-in carries or rewrites more than its part", "[redis]") {
  ON_EACH_PORT_WITH_REDIS(reactor);
  const std::size_t width = test::kSanitized ? 2'000 : 10'000;
  const Names names("F", width);
  const auto field = [&](const char* name) {
    const std::string info = server.command({"INFO", "stats"});
    const std::size_t at = info.find(std::string(name) + ":");
    return std::stoull(info.substr(at + std::string_view(name).size() + 1));
  };
  const auto before_in = field("total_net_input_bytes");
  const auto before_out = field("total_net_output_bytes");
  const auto one = [&](std::size_t i) -> Task<void> {
    co_await contribute(*store, context, names, (i * 7919) % width);
  };
  const auto body = [&]() -> Task<void> { co_await for_each_bounded(width, 500, one); };
  reactor.run(body());
  CHECK(field("total_net_input_bytes") - before_in < 2'000 * width);
  CHECK(field("total_net_output_bytes") - before_out < 200 * width);
  // More than one request each where a branch waits for one of the 500 that are under way.
  CHECK(store->counters().requests < width + 500);
}
