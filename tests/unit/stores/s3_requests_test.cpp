// What the S3 store costs in requests: docs/stores/s3.md tells these figures.
#include <algorithm>
#include <numeric>
#include <random>

#include "conformance/fan_in_names.hpp"
#include "s3_server.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using unum::test::Names;
using unum::test::open_s3;

namespace {

Task<void> write_all(Store& store, const SessionContext& context, const Names& names,
                     std::size_t skipped) {
  const auto one = [&](std::size_t i) -> Task<void> {
    if (i != skipped) co_await write_return_value(store, context.bound_to(names.name(i)), "1");
  };
  co_await for_each_bounded(names.size(), names.size(), one);
}

std::vector<Pointer> pointers_to(const SessionContext& context, const Names& names) {
  std::vector<Pointer> pointers;
  for (std::size_t i = 0; i < names.size(); ++i)
    pointers.push_back(pointer(context, names.name(i)));
  return pointers;
}

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

}  // namespace

TEST_CASE("opening asks one request of a store that was opened before, two of a new one",
          "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> first = open_s3(reactor, name);
  CHECK(first->counters().requests == 2);
  const std::unique_ptr<Store> second = open_s3(reactor, name);
  CHECK(second->counters().requests == 1);
  CHECK(second->counters().connections == 1);
  reactor.run(first->close());
  reactor.run(second->close());
}

TEST_CASE("a step costs one request for its write and one for a read", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  const SessionContext context = create_session_context(*store).bound_to("F");
  const ItemId item{"F", ItemKind::outcome};
  auto requests = [&, before = store->counters().requests]() mutable {
    const std::uint64_t now = store->counters().requests;
    return now - std::exchange(before, now);
  };
  CHECK_FALSE(reactor.run(store->get(context, item)));
  CHECK(requests() == 1);
  reactor.run(write_return_value(*store, context, "1"));
  CHECK(requests() == 1);
  reactor.run(write_return_value(*store, context, "2"));
  CHECK(requests() == 2);  // refused, then read
  CHECK(reactor.run(store->get(context, item)) == "1");
  CHECK(requests() == 1);
  reactor.run(store->list(context));
  CHECK(requests() == 1);
  const std::vector<ItemId> items{item};
  reactor.run(store->remove(context, items));
  CHECK(requests() == 1);
  reactor.run(store->close());
}

TEST_CASE("case 11: looking whether n values exist costs n requests, or pages when they are fewer",
          "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  const auto body = [&]() -> Task<void> {
    struct Expected {
      std::size_t width;
      std::uint64_t requests;
    };
    for (const auto& [width, expected] : {Expected{1, 1}, Expected{15, 15}, Expected{16, 1},
                                          Expected{1'000, 1}, Expected{2'500, 3}}) {
      const SessionContext context = create_session_context(*store);
      const Names names("F", width);
      co_await write_all(*store, context, names, kNone);
      const std::vector<Pointer> pointers = pointers_to(context, names);
      const std::uint64_t before = store->counters().requests;
      const bool all = co_await check_values_exist(*store, context, pointers);
      CHECK(all);
      INFO(width);
      CHECK(store->counters().requests - before == expected);
    }
  };
  reactor.run(body());
  reactor.run(store->close());
}

TEST_CASE("case 11: looking stops at the first value that is missing", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> writer = open_s3(reactor, name);
  const std::unique_ptr<Store> store = open_s3(reactor, name, 1);
  const auto body = [&]() -> Task<void> {
    for (const std::size_t width : {15u, 1'500u}) {
      const SessionContext context = create_session_context(*store);
      const Names names("F", width);
      co_await write_all(*writer, context, names, 1);
      const std::vector<Pointer> pointers = pointers_to(context, names);
      const std::uint64_t before = store->counters().requests;
      const bool all = co_await check_values_exist(*store, context, pointers);
      CHECK_FALSE(all);
      // One by one the second is the last; of a page the answer is confirmed by a check.
      CHECK(store->counters().requests - before == 2);
    }
  };
  reactor.run(body());
  reactor.run(writer->close());
  reactor.run(store->close());
}

TEST_CASE("values of others in the session do not make looking dear", "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  const auto body = [&]() -> Task<void> {
    const SessionContext context = create_session_context(*store);
    // Between F's names sort 1,200 of F-unumIndex-10x, and others before them.
    const Names others("F-unumIndex-10x", 1'200);
    const Names before_all("A", 100);
    const Names asked("F", 40);
    co_await write_all(*store, context, others, kNone);
    co_await write_all(*store, context, before_all, kNone);
    co_await write_all(*store, context, asked, kNone);
    const std::vector<Pointer> pointers = pointers_to(context, asked);
    const std::uint64_t before = store->counters().requests;
    const bool all = co_await check_values_exist(*store, context, pointers);
    CHECK(all);
    CHECK(store->counters().requests - before <= 1 + asked.size());
  };
  reactor.run(body());
  reactor.run(store->close());
}

namespace {

/// Runs a fan-in whose contributors end in random order, so many at once; how many requests it
/// took.
std::uint64_t requests_of_fan_in(Reactor& reactor, Store& store, std::size_t width,
                                 std::size_t at_once) {
  const Names names("F", width);
  std::vector<std::size_t> order(width);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(static_cast<unsigned>(width)));
  const std::uint64_t before = store.counters().requests;
  const SessionContext context = create_session_context(store);
  std::size_t claimed = 0;
  const auto one = [&](std::size_t i) -> Task<void> {
    const FanIn fan_in{"Sink", &names, order[i], FanInRole::contributor};
    const SessionContext at = context.bound_to(names.name(order[i]));
    const CommitResult result = co_await store.commit(at, "1", std::span(&fan_in, 1));
    if (result.fan_ins.at(0).status == FanInState::Status::claimed) ++claimed;
  };
  const auto all = [&]() -> Task<void> { co_await for_each_bounded(width, at_once, one); };
  reactor.run(all());
  CHECK(claimed == 1);
  return store.counters().requests - before;
}

}  // namespace

TEST_CASE("case 22: a fan-in of 1, 10 and 1,000 costs one to four requests a contributor",
          "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::unique_ptr<Store> store = open_s3(reactor, name);
  CHECK(requests_of_fan_in(reactor, *store, 1, 1) == 2);  // the value and the claim
  for (const std::size_t width : {10u, 1'000u}) {
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{64}, width}) {
      const std::uint64_t requests = requests_of_fan_in(reactor, *store, width, at_once);
      INFO(width << " wide, " << at_once << " at once: " << requests << " requests");
      CHECK(requests >= width + 2);
      CHECK(requests <= 4 * width);
    }
  }
  reactor.run(store->close());
}

TEST_CASE("case 22: a fan-in of 10,000 costs one to four requests a contributor",
          "[s3-server][wide]") {
  if (test::s3_server() == nullptr) UNUM_SKIP("UNUM_TEST_S3 names no server");
  Reactor reactor;
  const std::unique_ptr<Store> store = open_s3(reactor, test::fresh_s3_name());
  const std::uint64_t requests = requests_of_fan_in(reactor, *store, 10'000, 1'000);
  INFO(requests << " requests");
  CHECK(requests <= 40'000);
  reactor.run(store->close());
}

TEST_CASE("case 22: contributors in processes of their own cost n log n checks together",
          "[s3-server]") {
  ON_EACH_S3_PORT();
  const std::size_t width = 64;
  const Names names("F", width);
  const std::unique_ptr<Store> first = open_s3(reactor, name);
  for (const bool backwards : {false, true}) {
    const SessionContext context = session_context(backwards ? "b" : "f");
    std::uint64_t requests = 0;
    std::size_t claimed = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const std::unique_ptr<Store> own = open_s3(reactor, name);
      const std::uint64_t before = own->counters().requests;
      const std::size_t place = backwards ? width - 1 - i : i;
      const FanIn fan_in{"Sink", &names, place, FanInRole::contributor};
      const SessionContext at = context.bound_to(names.name(place));
      const CommitResult result = reactor.run(own->commit(at, "1", std::span(&fan_in, 1)));
      if (result.fan_ins.at(0).status == FanInState::Status::claimed) ++claimed;
      requests += own->counters().requests - before;
      reactor.run(own->close());
    }
    CHECK(claimed == 1);
    CHECK(requests < 2 * width + 3 * width * 6);  // 6 is log2(width)
  }
  reactor.run(first->close());
}
