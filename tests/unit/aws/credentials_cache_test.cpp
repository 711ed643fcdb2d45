// Credentials that are kept: one fetch for all callers, refreshed before they end.
#include "aws/credentials_provider.hpp"
#include "aws/credentials_text.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;
using aws::Credentials;
using aws::CredentialsSource;
using aws::Finding;

namespace {

using WallTime = std::chrono::system_clock::time_point;

/// A place whose answers the test gives.
class Place final : public aws::CredentialsProvider {
 public:
  using Fetch = std::function<Task<Finding>(Wait)>;
  Place(Fetch fetch, bool outlives) : fetch_(std::move(fetch)), outlives_(outlives) {}
  std::string name() const override { return "the test"; }
  Task<Finding> fetch(Wait wait) override { return fetch_(wait); }
  bool outlives_expiration() const noexcept override { return outlives_; }

 private:
  Fetch fetch_;
  bool outlives_;
};

std::unique_ptr<CredentialsSource> source_of(Reactor& reactor, Place::Fetch fetch,
                                             const WallTime& now, bool outlives = false) {
  std::vector<std::unique_ptr<aws::CredentialsProvider>> places;
  places.push_back(std::make_unique<Place>(std::move(fetch), outlives));
  return aws::cached_credentials(reactor, std::move(places), [&now] { return now; });
}

Credentials keys(const std::string& id, std::optional<WallTime> end = {}) {
  return {id, kSecret, kToken, end, "the test"};
}

const WallTime kStart = std::chrono::sys_days(std::chrono::year(2026) / 11 / 25);

Task<std::string> id_of(CredentialsSource& source) {
  const Credentials* credentials = co_await source.get(Wait{far_away()});
  co_return credentials->access_key_id + " from " + credentials->source;
}

}  // namespace

TEST_CASE("a hundred callers lead to one fetch", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  int fetches = 0;
  const auto fetch = [&](Wait) -> Task<Finding> {
    ++fetches;
    co_await reactor.yield();
    co_await reactor.yield();
    co_return Finding{keys("id", now + 1h), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  CHECK(source->peek() == nullptr);
  int served = 0;
  const auto caller = [&]() -> Task<void> {
    const Credentials* credentials = co_await source->get(Wait{});
    served += credentials->access_key_id == "id" ? 1 : 0;
  };
  TaskGroup group;
  for (int i = 0; i < 100; ++i) group.spawn(caller());
  reactor.run(group.drain());
  CHECK(served == 100);
  CHECK(fetches == 1);
  REQUIRE(source->peek() != nullptr);
  CHECK(source->peek()->access_key_id == "id");
}

TEST_CASE("a failed fetch fails all who waited for it, and the next caller asks again", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  int fetches = 0;
  const auto fetch = [&](Wait) -> Task<Finding> {
    const int number = ++fetches;
    co_await reactor.yield();
    if (number == 1) throw Error(ErrorKind::disconnected, "aws", "Test", "cut");
    co_return Finding{keys("id"), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  int failed = 0;
  const auto caller = [&]() -> Task<void> {
    const auto error = co_await error_of(source->get(Wait{}));
    failed += error && error->code() == "Test" ? 1 : 0;
  };
  TaskGroup group;
  for (int i = 0; i < 10; ++i) group.spawn(caller());
  reactor.run(group.drain());
  CHECK(failed == 10);
  CHECK(fetches == 1);
  CHECK(reactor.run(id_of(*source)) == "id from the test");
  CHECK(fetches == 2);
}

TEST_CASE("who fetches may give up: another one takes over", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  int fetches = 0;
  const auto fetch = [&](Wait wait) -> Task<Finding> {
    if (++fetches == 1) {
      co_await reactor.sleep_until(far_away(), wait.stop);
      throw Error(ErrorKind::cancelled, "aws", "Test", "stopped");
    }
    co_return Finding{keys("id"), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  StopSource stop;
  std::optional<Error> first;
  int served = 0;
  const auto impatient = [&]() -> Task<void> {
    first = co_await error_of(source->get(Wait{kNoDeadline, stop.token()}));
  };
  const auto patient = [&]() -> Task<void> {
    served += co_await source->get(Wait{}) != nullptr ? 1 : 0;
  };
  TaskGroup group;
  group.spawn(impatient());
  for (int i = 0; i < 5; ++i) group.spawn(patient());
  stop.request("enough");
  reactor.run(group.drain());
  REQUIRE(first);
  CHECK(first->kind() == ErrorKind::cancelled);
  CHECK(served == 5);
  CHECK(fetches == 2);
}

TEST_CASE("a waiting caller keeps to its own deadline", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  StopSource end;
  const auto fetch = [&](Wait) -> Task<Finding> {
    co_await reactor.sleep_until(far_away(), end.token());
    co_return Finding{keys("id"), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  std::optional<Error> error;
  const auto slow = [&]() -> Task<void> { co_await source->get(Wait{}); };
  const auto impatient = [&]() -> Task<void> {
    error = co_await error_of(source->get(Wait{soon(5)}));
    end.request("seen");
  };
  TaskGroup group;
  group.spawn(slow());
  group.spawn(impatient());
  reactor.run(group.drain());
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::timeout);
}

TEST_CASE("before their end one caller refreshes while the others go on", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  int fetches = 0;
  bool fails = false;
  StopSource go_on;
  const auto fetch = [&](Wait) -> Task<Finding> {
    const int number = ++fetches;
    if (number == 2) co_await reactor.sleep_until(far_away(), go_on.token());
    if (fails) throw Error(ErrorKind::disconnected, "aws", "Test", "cut");
    co_return Finding{keys("id-" + std::to_string(number), now + 1h), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  CHECK(reactor.run(id_of(*source)) == "id-1 from the test");
  now += 44min;
  CHECK(source->peek() != nullptr);
  now += 2min;  // 14 minutes before the end
  CHECK(source->peek() == nullptr);
  TaskGroup group;
  const auto refresh = [&]() -> Task<void> { co_await source->get(Wait{}); };
  group.spawn(refresh());
  CHECK(fetches == 2);
  REQUIRE(source->peek() != nullptr);
  CHECK(source->peek()->access_key_id == "id-1");
  go_on.request("answered");
  reactor.run(group.drain());
  CHECK(source->peek()->access_key_id == "id-2");

  // A refresh that fails does no harm while the old ones are good, and is not tried at once again.
  now += 50min;
  fails = true;
  CHECK(reactor.run(id_of(*source)) == "id-2 from the test");
  CHECK(fetches == 3);
  CHECK(source->peek() != nullptr);
  now += 2min;
  CHECK(reactor.run(id_of(*source)) == "id-2 from the test");
  CHECK(fetches == 4);
  now += 20min;
  const auto error = reactor.run(error_of(source->get(Wait{})));
  REQUIRE(error);
  CHECK(error->code() == "Test");
  CHECK(source->peek() == nullptr);
}

TEST_CASE("credentials of an instance go on while its metadata service is away", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  bool away = false;
  const auto fetch = [&](Wait) -> Task<Finding> {
    if (away) throw Error(ErrorKind::timeout, "aws", "Test", "away");
    co_return Finding{keys("id", kStart + 1h), {}};
  };
  const auto source = source_of(reactor, fetch, now, true);
  CHECK(reactor.run(id_of(*source)) == "id from the test");
  away = true;
  now += 2h;
  CHECK(reactor.run(id_of(*source)) == "id from the test");
  CHECK(source->peek() != nullptr);
  away = false;  // it answers again, with what has ended already
  now += 5min;
  CHECK(reactor.run(id_of(*source)) == "id from the test");
  CHECK(source->peek() != nullptr);
}

TEST_CASE("what a service refuses is fetched anew", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  int fetches = 0;
  const auto fetch = [&](Wait) -> Task<Finding> {
    co_return Finding{keys("id-" + std::to_string(++fetches)), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  CHECK(reactor.run(id_of(*source)) == "id-1 from the test");
  source->invalidate();
  CHECK(source->peek() == nullptr);
  CHECK(reactor.run(id_of(*source)) == "id-2 from the test");
}

TEST_CASE("what has ended by this machine's clock is used, and renewed once a minute (found 20)",
          "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;  // two hours ahead
  int fetches = 0;
  bool away = false;
  const auto fetch = [&](Wait) -> Task<Finding> {
    ++fetches;
    if (away) throw Error(ErrorKind::disconnected, "aws", "Test", "cut");
    co_return Finding{keys("id", now - 1h), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  for (int i = 0; i < 40; ++i) {
    CHECK(reactor.run(id_of(*source)) == "id from the test");
    now += 1s;
  }
  CHECK(fetches == 1);
  now += 1min;
  CHECK(reactor.run(id_of(*source)) == "id from the test");
  CHECK(fetches == 2);
  // While newer ones are not to be had these go on, but not for ever.
  away = true;
  now += 2min;
  CHECK(reactor.run(id_of(*source)) == "id from the test");
  CHECK(fetches == 3);
  now += 20min;
  CHECK(reactor.run(error_of(source->get(Wait{}))));
}

TEST_CASE("a clock that a service corrected tells what has ended (found 20)", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart + 2h;  // the services have kStart
  int fetches = 0;
  const auto fetch = [&](Wait) -> Task<Finding> {
    ++fetches;
    co_return Finding{keys("id", kStart + 1h), {}};
  };
  const auto source = source_of(reactor, fetch, now);
  CHECK(reactor.run(id_of(*source)) == "id from the test");
  source->use_clock(-2h);
  now += 30min;
  CHECK(source->peek() != nullptr);
  CHECK(fetches == 1);
  now += 16min;  // 14 minutes before the end
  CHECK(source->peek() == nullptr);
  source->use_clock(-3h);
  CHECK(source->peek() != nullptr);
}

TEST_CASE("credentials that end in another age can be kept (found 22)", "[aws]") {
  ON_EACH_PORT(reactor);
  WallTime now = kStart;
  for (const char* end : {"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    const auto fetch = [&](Wait) -> Task<Finding> {
      co_return Finding{keys("id", aws::parse_expiration(end)), {}};
    };
    const auto source = source_of(reactor, fetch, now);
    CHECK(reactor.run(id_of(*source)) == "id from the test");
    CHECK(source->peek() != nullptr);
  }
}
