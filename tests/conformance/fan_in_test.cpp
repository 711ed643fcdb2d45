// Fan-ins on every store: whoever completes the set claims it, one claims, and no order of events
// loses it.
#include <algorithm>
#include <numeric>
#include <random>

#include "conformance/fan_in_names.hpp"
#include "conformance/stores_under_test.hpp"
#include "support/sanitized.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using unum::test::id;
using unum::test::Names;
using Status = FanInState::Status;

namespace {

/// How many of the states have each status.
struct Tally {
  std::size_t incomplete = 0;
  std::size_t claimed = 0;
  std::size_t taken = 0;
  std::size_t mismatch = 0;

  void add(const FanInState& state) {
    switch (state.status) {
      case Status::incomplete: ++incomplete; break;
      case Status::claimed: ++claimed; break;
      case Status::taken: ++taken; break;
      case Status::mismatch: ++mismatch; break;
    }
  }
};

Task<FanInState> contribute(Store& store, const SessionContext& context, const Names& names,
                            std::size_t place, FanInRole role = FanInRole::contributor) {
  const FanIn fan_in = test::fan_in_of(names, place, role);
  const SessionContext at = context.bound_to(names.name(place));
  CommitResult result = co_await store.commit(at, "1", std::span(&fan_in, 1));
  co_return result.fan_ins.at(0);
}

Task<FanInState> join_again(Store& store, const SessionContext& context, const Names& names,
                            std::size_t place, FanInRole role = FanInRole::contributor) {
  const FanIn fan_in = test::fan_in_of(names, place, role);
  const SessionContext at = context.bound_to(names.name(place));
  co_return (co_await store.join(at, std::span(&fan_in, 1))).at(0);
}

}  // namespace

TEST_CASE("case 10: a fan-in of 1 to 10,000, ended in random order, is claimed once", "[fan-in]") {
  const auto width = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{100}, std::size_t{1'000},
                              std::size_t{10'000});
  ON_EACH_STORE();
  const std::size_t width_max = test::kSanitized ? 1'000 : subject.fan_in_width_max;
  if (width > width_max) return;
  const Names names("F", width);
  std::vector<std::size_t> order(width);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(static_cast<unsigned>(width)));
  Tally tally;
  const auto body = [&]() -> Task<void> {
    const auto one = [&](std::size_t i) -> Task<void> {
      const FanInState state = co_await contribute(store, context, names, order[i]);
      tally.add(state);
    };
    co_await for_each_bounded(width, width, one);
    CHECK_AWAITED(store.get(context, id("Sink", ItemKind::claim)), it.has_value());
  };
  reactor.run(body());
  CHECK(tally.claimed == 1);
  CHECK(tally.mismatch == 0);
  CHECK(tally.incomplete + tally.taken == width - 1);
}

TEST_CASE("case 22: the work of a fan-in grows with its width, whatever order it ends in",
          "[fan-in]") {
  ON_EACH_STORE();
  if (!subject.cheap_writes) return;  // one after the other; the counting is the same on all stores
  const std::size_t width = std::min<std::size_t>(2'000, subject.fan_in_width_max);
  const Names names("F", width);
  for (const int way : {0, 1, 2, 3}) {
    const SessionContext at = create_session_context(store);
    const std::uint64_t before = store.counters().requests;
    const auto body = [&]() -> Task<void> {
      Tally tally;
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t place = way == 0   ? i
                                  : way == 1 ? width - 1 - i
                                  : way == 2 ? (i % 2 == 0 ? i / 2 : width - 1 - i / 2)
                                             : (i * 7919) % width;
        tally.add(co_await contribute(store, at, names, place));
      }
      CHECK(tally.claimed == 1);
      CHECK(tally.incomplete == width - 1);
    };
    reactor.run(body());
    CHECK(store.counters().requests - before < 12 * width);
  }
}

TEST_CASE("case 22: contributors that share nothing cost n log n checks together", "[fan-in]") {
  ON_EACH_STORE();
  if (!subject.cheap_writes) return;
  const std::size_t width = 300;
  const Names names("F", width);
  for (const bool backwards : {false, true}) {
    const SessionContext at = create_session_context(store);
    std::uint64_t requests = 0;
    Tally tally;
    for (std::size_t i = 0; i < width; ++i) {
      // A store of its own for each contributor, as in a process of its own.
      const std::unique_ptr<Store> own = subject.open(reactor);
      const std::uint64_t before = own->counters().requests;
      const std::size_t place = backwards ? width - 1 - i : i;
      tally.add(reactor.run(contribute(*own, at, names, place)));
      requests += own->counters().requests - before;
      reactor.run(own->close());
    }
    CHECK(tally.claimed == 1);
    CHECK(requests < 8 * width + 3 * width * 9);  // 9 is about log2(width)
  }
}

TEST_CASE("case 21: the owner of a claim may repeat it, nobody else gets it", "[fan-in]") {
  ON_EACH_STORE();
  const Names names("F", 3);
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(store, context, names, 0), it.status == Status::incomplete);
    CHECK_AWAITED(contribute(store, context, names, 1), it.status == Status::incomplete);
    CHECK_AWAITED(contribute(store, context, names, 2), it.status == Status::claimed);
    const std::unique_ptr<Store> other = subject.open(reactor);
    for (Store* at : {&store, other.get()}) {
      for (int repeat = 0; repeat < 2; ++repeat) {
        CHECK_AWAITED(join_again(*at, context, names, 2), it.status == Status::claimed);
        const FanInState taken = co_await join_again(*at, context, names, 0);
        CHECK(taken.status == Status::taken);
        CHECK(taken.detail == names.name(2));
      }
    }
    // A retried commit adopts and joins as well.
    CHECK_AWAITED(contribute(store, context, names, 2), it.status == Status::claimed);
    CHECK_AWAITED(contribute(store, context, names, 1), it.status == Status::taken);
    co_await other->close();
  };
  reactor.run(body());
}

TEST_CASE("case 23: a branch that comes twice does not count twice", "[fan-in]") {
  ON_EACH_STORE();
  const Names names("F", 3);
  const auto body = [&]() -> Task<void> {
    for (int repeat = 0; repeat < 4; ++repeat) {
      CHECK_AWAITED(contribute(store, context, names, 0), it.status == Status::incomplete);
      CHECK_AWAITED(contribute(store, context, names, 1), it.status == Status::incomplete);
      CHECK_AWAITED(join_again(store, context, names, 1), it.status == Status::incomplete);
    }
    CHECK_AWAITED(store.get(context, id("Sink", ItemKind::claim)), !it.has_value());
    CHECK_AWAITED(contribute(store, context, names, 2), it.status == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("case 13: names that begin alike are different contributors", "[fan-in]") {
  ON_EACH_STORE();
  const Names names(
      {"B", "Bob-unumIndex-0", "F1", "F10-unumIndex-1", "F1-unumIndex-0", "F1-unumIndex-01"});
  const auto body = [&]() -> Task<void> {
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      CHECK_AWAITED(contribute(store, context, names, i), it.status == Status::incomplete);
    }
    CHECK_AWAITED(contribute(store, context, names, names.size() - 1),
                  it.status == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("case 14: one function listed several times, and case 15: any order of names",
          "[fan-in]") {
  ON_EACH_STORE();
  const Names names(
      {"G-unumIndex-2.0", "F-unumIndex-0", "F-unumIndex-1", "G-unumIndex-0.0", "F-unumIndex-2"});
  const auto body = [&]() -> Task<void> {
    Tally tally;
    for (const std::size_t place : {2u, 0u, 4u, 1u, 3u})
      tally.add(co_await contribute(store, context, names, place));
    CHECK(tally.claimed == 1);
    CHECK(tally.incomplete == 4);
  };
  reactor.run(body());
}

TEST_CASE("case 20: a fan-in that one instance requests is found by the last contributor",
          "[fan-in]") {
  ON_EACH_STORE();
  const auto requester = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{2});
  const Names names("F", 3);
  const auto body = [&]() -> Task<void> {
    std::vector<std::size_t> order = {0, 1, 2};
    do {
      const SessionContext at = create_session_context(store);
      Tally tally;
      for (const std::size_t place : order) {
        const FanInRole role = place == requester ? FanInRole::requester : FanInRole::observer;
        tally.add(co_await contribute(store, at, names, place, role));
      }
      CHECK(tally.claimed == 1);
      CHECK(tally.incomplete == 2);
    } while (std::next_permutation(order.begin(), order.end()));
  };
  reactor.run(body());
}

TEST_CASE("case 20: a fan-in that nobody requests is nobody's", "[fan-in]") {
  ON_EACH_STORE();
  const Names names("F", 2);
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(store, context, names, 0, FanInRole::observer),
                  it.status == Status::incomplete);
    CHECK_AWAITED(contribute(store, context, names, 1, FanInRole::observer),
                  it.status == Status::incomplete);
    CHECK_AWAITED(store.get(context, id("Sink", ItemKind::claim)), !it.has_value());
    CHECK_AWAITED(store.get(context, id("Sink", ItemKind::wanted)), !it.has_value());
  };
  reactor.run(body());
}

TEST_CASE("case 17: contributors whose lists differ are shown both", "[fan-in]") {
  ON_EACH_STORE();
  const Names two("F", 2);
  const Names three({"F-unumIndex-0", "F-unumIndex-1", "F-unumIndex-2"});
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(store, context, two, 0), it.status == Status::incomplete);
    CHECK_AWAITED(contribute(store, context, two, 1), it.status == Status::claimed);
    const FanInState state = co_await contribute(store, context, three, 2);
    CHECK(state.status == Status::mismatch);
    CHECK(state.detail.find(two.summary()) != std::string::npos);
    CHECK(state.detail.find(two.name(1)) != std::string::npos);
  };
  reactor.run(body());
}

TEST_CASE("case 17: a request with another list than the one that is recorded is found at once",
          "[fan-in]") {
  ON_EACH_STORE();
  const Names two("F", 2);
  const Names three("F", 3);
  const Names other_frames("F", 2, "with other frames");
  const auto body = [&]() -> Task<void> {
    CHECK_AWAITED(contribute(store, context, two, 0, FanInRole::requester),
                  it.status == Status::incomplete);
    const FanInState requester =
        co_await contribute(store, context, three, 2, FanInRole::requester);
    CHECK(requester.status == Status::mismatch);
    CHECK(requester.detail.find(two.summary()) != std::string::npos);
    const FanInState frames =
        co_await join_again(store, context, other_frames, 1, FanInRole::requester);
    CHECK(frames.status == Status::mismatch);
    CHECK(frames.detail.find(two.digest()) != std::string::npos);
    CHECK(frames.detail.find(other_frames.digest()) != std::string::npos);
  };
  reactor.run(body());
}

TEST_CASE("an observer takes part with the recorded list, and only if that names it (found 1)",
          "[fan-in]") {
  ON_EACH_STORE();
  const Names recorded({"F-unumIndex-2", "F-unumIndex-0"});
  const Names all("F", 3);
  const auto body = [&]() -> Task<void> {
    const FanInState requester =
        co_await contribute(store, context, recorded, 1, FanInRole::requester);
    CHECK(requester.status == Status::incomplete);
    const FanInState unnamed = co_await contribute(store, context, all, 1, FanInRole::observer);
    CHECK(unnamed.status == Status::incomplete);
    CHECK(unnamed.set == nullptr);
    const FanInState named = co_await contribute(store, context, all, 2, FanInRole::observer);
    CHECK(named.status == Status::claimed);
    REQUIRE(named.set != nullptr);
    CHECK(named.set->digest() == recorded.digest());
    CHECK(named.set->name(0) == "F-unumIndex-2");
    const FanInState again = co_await join_again(store, context, all, 2, FanInRole::observer);
    CHECK(again.status == Status::claimed);
    CHECK_AWAITED(join_again(store, context, recorded, 1, FanInRole::requester),
                  (it.status == Status::taken && it.detail == "F-unumIndex-2"));
  };
  reactor.run(body());
}

TEST_CASE("an instance can request a fan-in that does not name it, also of nobody (found 2)",
          "[fan-in]") {
  ON_EACH_STORE();
  const Names nobody(std::vector<std::string>{});
  const Names one({"X"});
  const auto body = [&]() -> Task<void> {
    FanIn empty = test::fan_in_of(nobody, FanIn::kNoPlace, FanInRole::requester);
    const CommitResult first =
        co_await store.commit(context.bound_to("P"), "[]", std::span(&empty, 1));
    CHECK(first.fan_ins.at(0).status == Status::claimed);
    const CommitResult second =
        co_await store.commit(context.bound_to("Q"), "[]", std::span(&empty, 1));
    CHECK(second.fan_ins.at(0).status == Status::taken);
    FanIn rest = test::fan_in_of(one, FanIn::kNoPlace, FanInRole::requester);
    rest.aggregator = "Other";
    const CommitResult waits =
        co_await store.commit(context.bound_to("R"), "[]", std::span(&rest, 1));
    CHECK(waits.fan_ins.at(0).status == Status::incomplete);
    FanIn observed = test::fan_in_of(one, FanIn::kNoPlace, FanInRole::observer);
    observed.aggregator = "Other";
    const CommitResult last =
        co_await store.commit(context.bound_to("X"), "1", std::span(&observed, 1));
    CHECK(last.fan_ins.at(0).status == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("several fan-ins of one instance are each looked into, in their order", "[fan-in]") {
  ON_EACH_STORE();
  const Names left({"A", "B"});
  const Names right({"B", "C"});
  const auto body = [&]() -> Task<void> {
    const FanIn of_a{"Left", &left, 0, FanInRole::contributor};
    const FanIn of_c{"Right", &right, 1, FanInRole::contributor};
    co_await store.commit(context.bound_to("A"), "1", std::span(&of_a, 1));
    const std::vector<FanIn> of_b{{"Right", &right, 0, FanInRole::contributor},
                                  {"Left", &left, 1, FanInRole::contributor}};
    const CommitResult result = co_await store.commit(context.bound_to("B"), "2", of_b);
    REQUIRE(result.fan_ins.size() == 2);
    CHECK(result.fan_ins[0].status == Status::incomplete);
    CHECK(result.fan_ins[1].status == Status::claimed);
    const CommitResult last =
        co_await store.commit(context.bound_to("C"), "3", std::span(&of_c, 1));
    CHECK(last.fan_ins.at(0).status == Status::claimed);
    CHECK_AWAITED(store.commit(context.bound_to("D"), "4", {}), it.fan_ins.empty());
  };
  reactor.run(body());
}

TEST_CASE("a commit that finds another value leaves the fan-ins alone", "[fan-in]") {
  ON_EACH_STORE();
  const Names names("F", 1);
  const auto body = [&]() -> Task<void> {
    co_await test::write(store, context, names.name(0), "stored");
    const FanIn fan_in{"Sink", &names, 0, FanInRole::contributor};
    const SessionContext at = context.bound_to(names.name(0));
    const CommitResult other = co_await store.commit(at, "mine", std::span(&fan_in, 1));
    CHECK(other.write.status == WriteResult::Status::already_there);
    CHECK(other.write.stored == "stored");
    CHECK(other.fan_ins.empty());
    CHECK_AWAITED(store.get(context, id("Sink", ItemKind::claim)), !it.has_value());
    const CommitResult same = co_await store.commit(at, "stored", std::span(&fan_in, 1));
    CHECK(same.fan_ins.at(0).status == Status::claimed);
  };
  reactor.run(body());
}

TEST_CASE("a claim or a request that a power loss has torn is nobody's", "[fan-in]") {
  ON_EACH_STORE();
  const auto torn = GENERATE(std::string(), std::string(60, '\0'), std::string("{\"Owner\":\"F"),
                             std::string("[]"));
  const Names names("F", 2);
  const auto body = [&]() -> Task<void> {
    co_await store.put(context, id("Sink", ItemKind::wanted), torn);
    co_await store.put(context, id("Sink", ItemKind::claim), torn);
    CHECK_AWAITED(contribute(store, context, names, 0, FanInRole::observer),
                  it.status == Status::incomplete);
    CHECK_AWAITED(contribute(store, context, names, 1, FanInRole::requester),
                  it.status == Status::claimed);
    CHECK_AWAITED(store.get(context, id("Sink", ItemKind::wanted)), it != torn);
    CHECK_AWAITED(join_again(store, context, names, 1), it.status == Status::claimed);
    CHECK_AWAITED(join_again(store, context, names, 0), it.status == Status::taken);
  };
  reactor.run(body());
}

TEST_CASE("what a session's removal took away is looked for again", "[fan-in]") {
  ON_EACH_STORE();
  const Names names("F", 2);
  const auto body = [&]() -> Task<void> {
    for (int round = 0; round < 2; ++round) {
      CHECK_AWAITED(contribute(store, context, names, 0), it.status == Status::incomplete);
      CHECK_AWAITED(contribute(store, context, names, 1), it.status == Status::claimed);
      std::vector<ItemId> items;
      for (const ListedItem& item : co_await store.list(context)) items.push_back(item.id);
      CHECK(items.size() == 3);
      co_await store.remove(context, items);
    }
  };
  reactor.run(body());
}
